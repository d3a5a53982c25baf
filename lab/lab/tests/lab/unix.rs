//! The pair over Unix sockets, as processes: who may have the file, what becomes of it, and that all else is as over TCP.

use std::{
    fs,
    io::{BufRead as _, BufReader, ErrorKind, Read as _, Write as _},
    os::unix::{fs::FileTypeExt as _, net::UnixStream},
    path::{Path, PathBuf},
    process::{Child, ChildStdout, Command, Output, Stdio},
};

use rustix::process::{Pid, Signal, kill_process};

/// A folder of its own, removed in the end.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        // Not the folder for temporary files: its path may be longer than a socket's may be.
        let folder = Path::new("/tmp").join(format!("echo-{name}-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        Folder(folder)
    }

    fn file(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// A service that listens; killed in the end.
struct Service {
    process: Child,
    log: BufReader<ChildStdout>,
}

impl Drop for Service {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn lab(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_lab"));
    command.args(args).stdin(Stdio::null());
    command
}

fn url(file: &Path) -> String {
    format!("unix:{}", file.display())
}

impl Service {
    fn start(name: &str, file: &Path, flags: &[&str]) -> Self {
        let mut command = lab(&[name, "--listen", &url(file)]);
        let mut process = command.args(flags).stdout(Stdio::piped()).spawn().unwrap();
        let log = BufReader::new(process.stdout.take().unwrap());
        let mut service = Service { process, log };
        assert!(service.line("").contains(&format!("listening={}", url(file))));
        service
    }

    /// The next line of the log with this text.
    fn line(&mut self, text: &str) -> String {
        loop {
            let mut line = String::new();
            assert!(self.log.read_line(&mut line).unwrap() > 0, "the log ends without {text:?}");
            if line.contains(text) {
                return line;
            }
        }
    }

    fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.process), signal).unwrap();
    }
}

fn test_client(args: &[&str]) -> Output {
    lab(&[&["test-client"], args].concat()).output().unwrap()
}

/// What `curl --unix-socket` would send, and what comes back.
fn ask(stream: &mut UnixStream, path: &str) -> String {
    write!(stream, "GET {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

#[test]
fn serves_both_faces_and_calls_its_peer_there() {
    let folder = Folder::new("faces");
    let (a, b) = (folder.file("a.sock"), folder.file("b.sock"));
    let _a = Service::start("service-a", &a, &["--instance", "1"]);
    let mut service_b = Service::start("service-b", &b, &["--service-a", &url(&a), "--instance", "2"]);
    let line = service_b.line("state=ready");
    assert!(line.contains(&format!("url={}", url(&a))), "{line}");
    // As gRPC writes it, and as people do.
    for target in [format!("unix://{}", b.display()), url(&b)] {
        let called = test_client(&[
            "call-echo",
            "hello",
            "--service-b",
            &target,
            "--expect-served-by",
            "service-b/2, service-a/1",
        ]);
        assert_eq!((called.status.code(), String::from_utf8(called.stderr).unwrap()), (Some(0), String::new()));
    }
    let answer = ask(&mut UnixStream::connect(&b).unwrap(), "/call-echo?msg=hello");
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
    assert!(answer.ends_with("{\"service_a\":{\"echo\":\"hello\"},\"service_b\":\"ok\"}\n"), "{answer}");
    let line = service_b.line("method=GET");
    assert!(line.contains(&format!("url={}", url(&a))) && !line.contains(" peer="), "{line}");
    let load =
        test_client(&["load", "--service-b", &url(&b), "--requests", "100", "--warmup", "0s", "--fail-if", "errors>0"]);
    assert_eq!(load.status.code(), Some(0));
}

#[test]
fn replaces_the_file_of_a_dead_process_and_of_no_other() {
    let folder = Folder::new("left");
    let (a, b) = (folder.file("a.sock"), folder.file("b.sock"));
    let mut first = Service::start("service-a", &a, &[]);
    let mut service_b = Service::start("service-b", &b, &["--service-a", &url(&a), "--workers", "1"]);
    service_b.line("state=ready");
    let second = lab(&["service-a", "--listen", &url(&a)]).output().unwrap();
    let taken = format!("error: {} is taken; try --listen with another path\n", url(&a));
    assert_eq!((second.status.code(), String::from_utf8(second.stderr).unwrap()), (Some(1), taken));
    assert!(ask(&mut UnixStream::connect(&a).unwrap(), "/health").ends_with("{\"status\":\"ok\"}\n"));
    first.process.kill().unwrap();
    first.process.wait().unwrap();
    assert!(fs::symlink_metadata(&a).unwrap().file_type().is_socket(), "nobody was there to remove it");
    let line = service_b.line("state=transient_failure");
    // "connection refused", or "reset" where B came while the system took A apart.
    assert!(line.contains(&format!("cause=\"connect {}: ", url(&a))), "{line}");
    let called = test_client(&["call-echo", "x", "--service-b", &url(&b)]);
    assert!(String::from_utf8(called.stderr).unwrap().contains("[SERVICE_A_UNREACHABLE]"));
    let _again = Service::start("service-a", &a, &[]);
    service_b.line("state=ready");
    assert_eq!(test_client(&["call-echo", "x", "--service-b", &url(&b)]).status.code(), Some(0));
}

#[test]
fn says_why_it_cannot_have_the_file() {
    let folder = Folder::new("why");
    let file = folder.file("notes.txt");
    fs::write(&file, "mine").unwrap();
    let nowhere = folder.file("no/a.sock");
    for (listen, flags, code, sentence) in [
        (
            &file,
            &[][..],
            1,
            format!("{} is there and no socket; remove it, or try --listen with another path", file.display()),
        ),
        (
            &nowhere,
            &[],
            1,
            format!("the folder of {} does not exist; create it, or try --listen with another path", url(&nowhere)),
        ),
        (
            &nowhere,
            &["--reuse-port"],
            1,
            format!("a port can be shared, the file of {} cannot: leave --reuse-port out", url(&nowhere)),
        ),
    ] {
        let refused = lab(&["service-a", "--listen", &url(listen)]).args(flags).output().unwrap();
        let told = String::from_utf8(refused.stderr).unwrap();
        assert_eq!((refused.status.code(), told), (Some(code), format!("error: {sentence}\n")));
    }
    assert_eq!(fs::read_to_string(&file).unwrap(), "mine");
}

#[test]
fn finishes_its_calls_and_removes_the_file_when_it_drains() {
    let folder = Folder::new("drain");
    let a = folder.file("a.sock");
    let mut service = Service::start("service-a", &a, &["--fault-injection"]);
    let mut stream = UnixStream::connect(&a).unwrap();
    write!(stream, "GET /echo?msg=late HTTP/1.1\r\nhost: a\r\nrpc-behavior: sleep-300ms\r\n\r\n").unwrap();
    // Connections are taken in turn: when this one is answered, the call before it has been read by its worker, or will be in the drain.
    ask(&mut UnixStream::connect(&a).unwrap(), "/health");
    service.signal(Signal::TERM);
    service.line("state=draining");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n") && answer.ends_with("{\"echo\":\"late\"}\n"), "{answer}");
    assert!(service.line("state=drained").contains("calls_cut=0"));
    assert!(service.process.wait().unwrap().success());
    assert!(!a.exists(), "the file is still there");
}

#[test]
fn leaves_a_file_alone_that_another_process_has_put_in_its_place() {
    let folder = Folder::new("other");
    let a = folder.file("a.sock");
    let mut old = Service::start("service-a", &a, &[]);
    fs::remove_file(&a).unwrap();
    let _new = Service::start("service-a", &a, &[]);
    old.signal(Signal::TERM);
    assert!(old.process.wait().unwrap().success());
    assert!(ask(&mut UnixStream::connect(&a).unwrap(), "/health").ends_with("{\"status\":\"ok\"}\n"));
}

#[test]
fn holds_its_limit_of_connections() {
    let folder = Folder::new("limit");
    let a = folder.file("a.sock");
    let _a = Service::start("service-a", &a, &["--max-connections", "1"]);
    let held = UnixStream::connect(&a).unwrap();
    let mut one_over = UnixStream::connect(&a).unwrap();
    match one_over.read(&mut [0; 1]) {
        Ok(read) => assert_eq!(read, 0),
        Err(error) => assert_eq!(error.kind(), ErrorKind::ConnectionReset),
    }
    drop(held);
}
