//! The log of a real A whose output takes little, or nothing, for a while: each line is whole, and those that are lost are counted.

use std::{
    fs::{self, File},
    io::{self, BufRead, BufReader, PipeReader, Read},
    net::SocketAddr,
    path::PathBuf,
    process::{ExitStatus, Stdio},
    time::{Duration, Instant},
};

use lab::{
    child::{line_with, value},
    http::{self, Ask},
    program::Program,
};
use rustix::process::{Pid, Resource, Rlimit, Signal, kill_process, prlimit};
use service_runtime::status::CODE_NAMES;
use tokio::process::{Child, ChildStdin};

use crate::faults::support::{self, Caller, Metadata};

/// A pipe holds 64 KiB, and a line has some 170 bytes: the lines of these calls do not fit into it.
const MANY: usize = 600;
/// What the last lines get to be written, and as much again for the exit on a machine that compiles meanwhile.
const END: Duration = Duration::from_secs(2);

struct Logging {
    process: Child,
    pid: Pid,
    /// Held, for the process ends when it is closed; waiting for the process would close it.
    _tie: ChildStdin,
}

impl Logging {
    /// Service A on a free port, which logs to `out`.
    fn to(out: impl Into<Stdio>) -> Self {
        Logging::at("127.0.0.1:0", out)
    }

    /// Service A at that address.
    fn at(listen: &str, out: impl Into<Stdio>) -> Self {
        let program = Program::at(env!("CARGO_BIN_EXE_lab")).with_defaults();
        let mut command = program.command("service-a");
        command.args(["--listen", listen, "--workers", "1"]).stdout(out);
        let mut process = command.spawn().unwrap();
        let pid = Pid::from_raw(process.id().unwrap().try_into().unwrap()).unwrap();
        let tie = process.stdin.take().unwrap();
        Logging { process, pid, _tie: tie }
    }

    /// Drains it, and returns how it ended, and after which time.
    async fn ended(mut self) -> (ExitStatus, Duration) {
        let began = Instant::now();
        kill_process(self.pid, Signal::TERM).unwrap();
        let status = tokio::time::timeout(END * 5, self.process.wait()).await.expect("it ends").unwrap();
        (status, began.elapsed())
    }
}

async fn call(address: SocketAddr, times: usize) {
    for _ in 0..times {
        let answer = http::ask(address, &Ask::get("/echo?msg=hello")).await.unwrap();
        assert_eq!(answer.status, 200, "{answer}");
    }
}

fn address(line: &str) -> SocketAddr {
    line.trim().split_once("listening=http://").expect(line).1.parse().unwrap()
}

/// How many calls a log tells of, and how many lines it says were lost. Each of its lines is whole.
fn counted(log: &str) -> (usize, usize) {
    assert!(log.ends_with('\n'), "{log:?}");
    let (mut calls, mut lost) = (0, 0);
    for line in log.lines() {
        // 2026-02-04T21:20:40.123Z
        let (time, rest) = line.split_once(' ').expect(line);
        assert!(time.len() == 24 && time.ends_with('Z') && !rest.contains("Z INFO"), "{line}");
        if let Some((_, count)) = rest.split_once("WARN log_lines_lost=") {
            lost += count.parse::<usize>().expect(line);
        } else if rest.contains("endpoint=/echo") {
            let (_, id) = rest.split_once(" request_id=").expect(line);
            assert!(id.len() == 16 && id.bytes().all(|byte| byte.is_ascii_hexdigit()), "{line}");
            calls += 1;
        }
    }
    (calls, lost)
}

/// A pipe whose writer does not wait, as whoever shares it may have made it, and service A with its address.
fn on_a_pipe_that_does_not_wait() -> (Logging, SocketAddr, BufReader<PipeReader>) {
    let (reader, writer) = io::pipe().unwrap();
    rustix::io::ioctl_fionbio(&writer, true).unwrap();
    let a = Logging::to(writer);
    let mut reader = BufReader::with_capacity(256, reader);
    let mut first = String::new();
    reader.read_line(&mut first).unwrap();
    (a, address(&first), reader)
}

#[tokio::test]
async fn every_line_reaches_a_slow_reader_of_a_pipe_that_does_not_wait() {
    let (a, address, mut reader) = on_a_pipe_that_does_not_wait();
    // Nothing is read meanwhile: the pipe is full, and has taken a part of a line.
    call(address, MANY).await;
    let read = tokio::task::spawn_blocking(move || {
        let mut log = String::new();
        reader.read_to_string(&mut log).unwrap();
        log
    });
    let (status, _) = a.ended().await;
    assert!(status.success(), "{status}");
    assert_eq!(counted(&read.await.unwrap()), (MANY, 0));
}

#[tokio::test]
async fn a_reader_who_never_reads_holds_the_exit_back_for_a_second_at_most() {
    let (a, address, reader) = on_a_pipe_that_does_not_wait();
    call(address, MANY).await;
    let (status, took) = a.ended().await;
    assert!(status.success() && took < END, "{status} {took:?}");
    drop(reader);
}

#[tokio::test]
async fn a_reader_who_goes_away_takes_the_log_along_and_nothing_else() {
    let (a, address, reader) = on_a_pipe_that_does_not_wait();
    call(address, 10).await;
    drop(reader);
    call(address, 10).await;
    let (status, took) = a.ended().await;
    assert!(status.success() && took < END, "{status} {took:?}");
}

/// A file of that name in the folder for temporary files, which goes when this is dropped.
struct Temporary(PathBuf);

impl Drop for Temporary {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

/// Service A, logging to a file, with its address.
async fn on_a_file(name: &str) -> (Logging, SocketAddr, Temporary) {
    let path = std::env::temp_dir().join(format!("{name}-{}.log", std::process::id()));
    let a = Logging::to(File::create(&path).unwrap());
    let log = Temporary(path);
    let until = Instant::now() + Duration::from_secs(30);
    loop {
        let text = fs::read_to_string(&log.0).unwrap();
        if text.ends_with('\n') {
            return (a, address(&text), log);
        }
        assert!(Instant::now() < until, "it does not say where it listens");
        tokio::task::yield_now().await;
    }
}

fn limit_files(pid: Pid, bytes: Option<u64>) {
    prlimit(Some(pid), Resource::Fsize, Rlimit { current: bytes, maximum: None }).unwrap();
}

#[tokio::test]
async fn a_file_that_may_not_grow_for_a_while_has_every_line_in_the_end() {
    let (a, address, log) = on_a_file("full-for-a-while").await;
    // Not the end of a line.
    limit_files(a.pid, Some(10_001));
    call(address, 250).await;
    // All that fits, of 250 lines of some 170 bytes.
    assert_eq!(fs::metadata(&log.0).unwrap().len(), 10_001);
    limit_files(a.pid, None);
    call(address, 10).await;
    let (status, _) = a.ended().await;
    assert!(status.success(), "{status}");
    assert_eq!(counted(&fs::read_to_string(&log.0).unwrap()), (260, 0));
}

#[tokio::test]
async fn lines_for_which_the_queue_has_no_room_are_counted_where_a_file_was_full() {
    let (a, address, log) = on_a_file("full-for-long").await;
    limit_files(a.pid, Some(10_001));
    // 8,192 are queued, and what goes out at once is some 400 more; two hundred connections at a time, for it is many calls.
    const CALLS: usize = 9_000;
    let ask = Ask::get("/echo?msg=hello");
    for _ in 0..CALLS / 200 {
        let calls = (0..200).map(|_| http::ask(address, &ask));
        for answer in futures_util::future::join_all(calls).await {
            assert_eq!(answer.unwrap().status, 200);
        }
    }
    limit_files(a.pid, None);
    let (status, _) = a.ended().await;
    assert!(status.success(), "{status}");
    let (calls, lost) = counted(&fs::read_to_string(&log.0).unwrap());
    assert!(calls + lost >= CALLS && lost > 0, "{calls} written, {lost} lost");
}

#[tokio::test]
#[cfg(target_os = "linux")]
async fn a_disk_that_stays_full_stops_nothing_but_the_log() {
    let socket = std::env::temp_dir().join(format!("full-disk-{}.sock", std::process::id()));
    let full = File::options().write(true).open("/dev/full").unwrap();
    let a = Logging::at(&format!("unix:{}", socket.display()), full);
    let until = Instant::now() + Duration::from_secs(30);
    while tokio::net::UnixStream::connect(&socket).await.is_err() {
        assert!(Instant::now() < until, "it does not listen");
        tokio::task::yield_now().await;
    }
    let (status, took) = a.ended().await;
    assert!(status.success() && took < END, "{status} {took:?}");
}

#[tokio::test]
async fn what_fails_by_the_services_doing_is_a_warning_and_nothing_else_is() {
    let mut a = support::a(&[support::OBEYS, "--workers", "1"]).await;
    let mut log = a.log();
    let caller = Caller::of(&a);
    let warnings = ["UNKNOWN", "DEADLINE_EXCEEDED", "INTERNAL", "UNAVAILABLE", "DATA_LOSS"];
    for (number, name) in CODE_NAMES.iter().enumerate() {
        let behavior = format!("error-code-{number}");
        let metadata: Metadata<'_> = if number == 0 { &[] } else { &[("rpc-behavior", &behavior)] };
        caller.both(metadata).await;
        for _face in 0..2 {
            let line = line_with(&mut log, &format!(" code={name} ")).await.unwrap();
            let level = if warnings.contains(name) { "WARN" } else { "INFO" };
            assert_eq!(line.split(' ').nth(1), Some(level), "{line}");
        }
    }
}

#[tokio::test]
async fn the_filter_warn_shows_what_is_broken_and_nothing_else() {
    let flags = ["--log", "warn", "--workers", "1", "--service-a", "127.0.0.1:1"];
    let mut b = support::start("service-b", &flags).await;
    let mut log = b.log();
    http::ask(b.address(), &Ask::get("/health")).await.unwrap();
    http::ask(b.address(), &Ask::get("/call-echo")).await.unwrap();
    http::ask(b.address(), &Ask::get("/call-echo?msg=hello")).await.unwrap();
    let first = line_with(&mut log, "endpoint=").await.unwrap();
    let expected = "WARN service=B endpoint=/call-echo status=error error=\"Service A is unavailable: cannot connect\"";
    assert!(first.contains(expected) && first.contains("code=UNAVAILABLE"), "{first}");
}

#[tokio::test]
async fn a_process_that_stood_still_says_so() {
    let mut a = support::a(&["--workers", "1"]).await;
    let b = support::b(&a, &["--service-a-timeout", "1500ms"]).await;
    let mut log = a.log();
    a.freeze().unwrap();
    // It stands still for as long as this call takes.
    let answer = Caller::of(&b).call(&[]).await;
    assert_eq!(answer.reason, "SERVICE_A_TIMEOUT", "{answer:?}");
    a.thaw().unwrap();
    let line = line_with(&mut log, " stopped_ms=").await.unwrap();
    let stopped: u64 = value(&line, " stopped_ms=").unwrap().parse().unwrap();
    // It looks at its clock every 250 ms, and was frozen at any moment between two looks.
    assert!(stopped >= 1000 && line.contains(" WARN service=A "), "{line}");
}
