//! A listening socket that a process is started with, and what it tells its supervisor: systemd's protocols (sd_listen_fds(3),
//! sd_notify(3)), and row 33 of docs/contract.md.

use std::{
    fs,
    io::{BufRead as _, BufReader, ErrorKind, Read as _, Write as _},
    net::{SocketAddr, TcpListener, TcpStream, UdpSocket},
    os::{
        fd::{AsFd, OwnedFd},
        linux::net::SocketAddrExt as _,
        unix::net::{SocketAddr as UnixAddress, UnixDatagram, UnixListener, UnixStream},
    },
    process::{Child, ChildStdout, Command, Output, Stdio},
    sync::atomic::{AtomicBool, AtomicUsize, Ordering},
    thread,
    time::Duration,
};

use rustix::process::{Pid, Signal, kill_process};

/// Far beyond what anything here takes on a busy machine.
const LONG: Duration = Duration::from_secs(20);

/// A service that was handed a socket; killed in the end.
struct Service {
    process: Child,
    log: BufReader<ChildStdout>,
    first_line: String,
}

impl Drop for Service {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// `service-a` with these flags, started by a shell that moves `socket` from its standard input to descriptor 3 and says so in the
/// environment, whose words are `variables`; `$$` there is the service's process id.
fn command(socket: &impl AsFd, variables: &str, flags: &[&str]) -> Command {
    let mut shell = Command::new("sh");
    shell.arg("-c").arg(format!("{variables} exec \"$0\" service-a \"$@\" 3<&0 0</dev/null"));
    shell.arg(env!("CARGO_BIN_EXE_lab")).args(flags);
    shell.stdin(Stdio::from(socket.as_fd().try_clone_to_owned().unwrap()));
    shell
}

const FOR_IT: &str = "LISTEN_PID=$$ LISTEN_FDS=1 LISTEN_FDNAMES=http";

impl Service {
    fn start(socket: &impl AsFd, flags: &[&str]) -> Self {
        Service::of(&mut command(socket, FOR_IT, flags))
    }

    fn of(command: &mut Command) -> Self {
        let mut process = command.stdout(Stdio::piped()).spawn().unwrap();
        let mut log = BufReader::new(process.stdout.take().unwrap());
        let mut first_line = String::new();
        log.read_line(&mut first_line).unwrap();
        Service { process, log, first_line }
    }

    fn terminate(&self) {
        kill_process(Pid::from_child(&self.process), Signal::TERM).unwrap();
    }

    /// The rest of its log, once it has ended well.
    fn ended(&mut self) -> String {
        let mut rest = String::new();
        self.log.read_to_string(&mut rest).unwrap();
        assert_eq!(self.process.wait().unwrap().code(), Some(0), "{rest}");
        rest
    }
}

/// A call on a connection of its own.
fn echo(to: SocketAddr, msg: &str) -> std::io::Result<String> {
    let mut stream = TcpStream::connect(to)?;
    stream.set_read_timeout(Some(LONG))?;
    ask(&mut stream, msg)
}

fn ask(stream: &mut (impl std::io::Read + std::io::Write), msg: &str) -> std::io::Result<String> {
    write!(stream, "GET /echo?msg={msg} HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer)
}

fn is_echo(answer: &str, msg: &str) -> bool {
    answer.starts_with("HTTP/1.1 200 ") && answer.ends_with(&format!("{{\"echo\":\"{msg}\"}}\n"))
}

#[test]
fn serves_on_the_socket_that_it_was_started_with_whatever_its_flag_says() {
    let socket = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = socket.local_addr().unwrap();
    // Taken by `socket`: a bind there would fail.
    let mut service = Service::start(&socket, &["--listen", &address.to_string()]);
    assert!(
        service.first_line.trim().ends_with(&format!("service=A listening=http://{address} socket=LISTEN_FDS")),
        "{}",
        service.first_line
    );
    assert!(is_echo(&echo(address, "hello").unwrap(), "hello"));
    service.terminate();
    service.ended();
    // The socket is its holder's, and still takes connections.
    TcpStream::connect(address).unwrap();
}

#[test]
fn serves_on_a_unix_socket_and_leaves_its_file_to_its_owner() {
    let file = std::env::temp_dir().join(format!("echo-handover-{}", std::process::id()));
    let socket = UnixListener::bind(&file).unwrap();
    let mut service = Service::start(&socket, &[]);
    let listens = format!("listening=unix:{} socket=LISTEN_FDS", file.display());
    assert!(service.first_line.trim().ends_with(&listens), "{}", service.first_line);
    let answer = ask(&mut UnixStream::connect(&file).unwrap(), "hello").unwrap();
    assert!(is_echo(&answer, "hello"), "{answer}");
    service.terminate();
    service.ended();
    UnixStream::connect(&file).unwrap();
    fs::remove_file(&file).unwrap();
}

#[test]
fn loses_no_connect_and_no_call_when_its_successor_has_the_same_socket() {
    let socket = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = socket.local_addr().unwrap();
    let (over, made) = (AtomicBool::new(false), AtomicUsize::new(0));
    let flags = ["--log", "warn"];
    // It outlives the callers.
    let mut service = Service::start(&socket, &flags);
    thread::scope(|scope| {
        for caller in 0..4 {
            let (over, made) = (&over, &made);
            scope.spawn(move || {
                while !over.load(Ordering::Relaxed) {
                    let msg = format!("{caller}-{}", made.fetch_add(1, Ordering::Relaxed));
                    let answer = echo(address, &msg).unwrap_or_else(|error| panic!("{msg}: {error}"));
                    assert!(is_echo(&answer, &msg), "{msg}: {answer:?}");
                }
            });
        }
        for _ in 0..10 {
            let before = made.load(Ordering::Relaxed);
            let mut successor = Service::start(&socket, &flags);
            service.terminate();
            service.ended();
            std::mem::swap(&mut service, &mut successor);
            // Each has some calls of its own, unless the callers are gone.
            while made.load(Ordering::Relaxed) < before + 50 && !over.load(Ordering::Relaxed) {
                thread::yield_now();
            }
        }
        over.store(true, Ordering::Relaxed);
    });
    assert!(made.load(Ordering::Relaxed) >= 500);
}

#[test]
fn takes_no_socket_that_was_meant_for_another_process_and_none_where_there_is_none() {
    let socket = TcpListener::bind("127.0.0.1:0").unwrap();
    for variables in [
        "LISTEN_PID=1 LISTEN_FDS=1",
        "LISTEN_FDS=1",
        "LISTEN_PID= LISTEN_FDS=1",
        "LISTEN_PID=$$ LISTEN_FDS=0",
        "LISTEN_PID=$$",
    ] {
        let service = Service::of(&mut command(&socket, variables, &["--listen", "127.0.0.1:0"]));
        let line = &service.first_line;
        assert!(line.contains("listening=http://127.0.0.1:"), "{line}");
        assert!(
            !line.contains(&format!(":{}", socket.local_addr().unwrap().port())) && !line.contains("socket="),
            "{line}"
        );
    }
}

#[test]
fn says_what_is_wrong_with_what_it_is_handed() {
    let refused = |socket: OwnedFd, variables: &str| {
        let Output { status, stdout, stderr } =
            command(&socket, variables, &["--listen", "127.0.0.1:0"]).output().unwrap();
        assert_eq!((status.code(), String::from_utf8(stdout).unwrap().as_str()), (Some(1), ""));
        String::from_utf8(stderr).unwrap()
    };
    let listener = || OwnedFd::from(TcpListener::bind("127.0.0.1:0").unwrap());
    let connected = {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        OwnedFd::from(TcpStream::connect(listener.local_addr().unwrap()).unwrap())
    };
    let pair = UnixStream::pair().unwrap();
    for no_listener in [
        connected,
        pair.0.into(),
        UdpSocket::bind("127.0.0.1:0").unwrap().into(),
        UnixDatagram::unbound().unwrap().into(),
        fs::File::open("/dev/null").unwrap().into(),
    ] {
        assert_eq!(
            refused(no_listener, FOR_IT),
            "error: the descriptor 3 that LISTEN_FDS hands over is no listening socket; hand over a stream socket that listens, TCP or Unix (in \
             a .socket unit ListenStream=, and Accept=no)\n"
        );
    }
    assert_eq!(
        refused(listener(), "LISTEN_PID=$$ LISTEN_FDS=2"),
        "error: LISTEN_FDS hands over 2 sockets, and this service listens on one, which both faces share; leave one ListenStream= in its .socket \
         unit\n"
    );
    assert_eq!(
        refused(listener(), "LISTEN_PID=$$ LISTEN_FDS=one"),
        "error: LISTEN_FDS is \"one\", and no number of sockets; set it to 1, or unset it\n"
    );
}

#[test]
fn tells_its_supervisor_that_it_serves_and_that_it_stops() {
    let file = std::env::temp_dir().join(format!("echo-notify-{}", std::process::id()));
    let name = format!("echo-notify-{}", std::process::id());
    let in_a_folder = UnixDatagram::bind(&file).unwrap();
    let abstract_one = UnixDatagram::bind_addr(&UnixAddress::from_abstract_name(&name).unwrap()).unwrap();
    for (supervisor, address) in [(in_a_folder, file.display().to_string()), (abstract_one, format!("@{name}"))] {
        supervisor.set_read_timeout(Some(LONG)).unwrap();
        let told = || {
            let mut state = [0; 64];
            let length = supervisor.recv(&mut state).unwrap();
            String::from_utf8_lossy(&state[..length]).into_owned()
        };
        let socket = TcpListener::bind("127.0.0.1:0").unwrap();
        let at = socket.local_addr().unwrap();
        let mut service = Service::of(command(&socket, FOR_IT, &[]).env("NOTIFY_SOCKET", &address));
        assert_eq!(told(), "READY=1\n");
        // A call that keeps the drain waiting: the supervisor is told when it begins, not when it is over.
        let mut unfinished = TcpStream::connect(at).unwrap();
        unfinished.write_all(b"GET /echo?msg=hello HTTP/1.1\r\nhost: a\r\n\r\n").unwrap();
        let mut answer = [0; 1];
        unfinished.read_exact(&mut answer).unwrap();
        service.terminate();
        assert_eq!(told(), "STOPPING=1\n");
        service.ended();
        supervisor.set_nonblocking(true).unwrap();
        assert_eq!(supervisor.recv(&mut answer).unwrap_err().kind(), ErrorKind::WouldBlock);
    }
    fs::remove_file(&file).unwrap();
}

#[test]
fn serves_also_where_its_supervisor_cannot_be_told() {
    let socket = TcpListener::bind("127.0.0.1:0").unwrap();
    for address in ["/nobody/listens/here", "", "vsock:2:1234", "@"] {
        let flags = ["--log", "debug"];
        let mut service = Service::of(command(&socket, FOR_IT, &flags).env("NOTIFY_SOCKET", address));
        assert!(is_echo(&echo(socket.local_addr().unwrap(), "hello").unwrap(), "hello"), "{address}");
        service.terminate();
        let log = service.ended();
        assert_eq!(log.matches("the supervisor was not told").count(), if address.is_empty() { 0 } else { 2 }, "{log}");
    }
}
