//! An example as a user runs it: a process of its own, asked from outside.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::TcpStream,
    path::PathBuf,
    process::{Child, ChildStdout, Command, ExitStatus, Stdio},
    sync::mpsc::{self, RecvTimeoutError},
    thread,
    time::Duration,
};

use rustix::process::{Pid, Signal, kill_process};

/// Twice the drain timeout that the examples have: one that is not over by then does not end.
const MUST_END_WITHIN: Duration = Duration::from_secs(20);

/// An example, killed when the test ends.
pub struct Example {
    child: Child,
    log: BufReader<ChildStdout>,
    pub address: String,
}

impl Example {
    pub fn start(name: &str, argv: &[&str]) -> Self {
        Example::start_by(Command::new(program(name)).args(argv))
    }

    /// The same with SIGHUP ignored from the start, as `nohup` starts a program.
    pub fn start_without_hangup(name: &str, argv: &[&str]) -> Self {
        let mut shell = Command::new("sh");
        shell.args(["-c", "trap '' HUP; exec \"$0\" \"$@\""]).arg(program(name));
        Example::start_by(shell.args(argv))
    }

    fn start_by(command: &mut Command) -> Self {
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let log = BufReader::new(child.stdout.take().unwrap());
        // Made first, so that the process ends also when what follows does not hold.
        let mut example = Example { child, log, address: String::new() };
        example.address = example.next_address();
        example
    }

    /// The address in the next line of the log that says where it listens.
    pub fn next_address(&mut self) -> String {
        let line = self.line_with("http://");
        let (_, address) = line.trim().split_once("http://").unwrap();
        address.trim_end_matches(['"', '}']).to_owned()
    }

    /// The next line of the log that has `text` in it, waited for; the lines before it are lost.
    pub fn line_with(&mut self, text: &str) -> String {
        let mut lines = self.log.by_ref().lines().map(Result::unwrap);
        lines.find(|line| line.contains(text)).expect(text)
    }

    pub fn get(&self, path: &str) -> String {
        get(&self.address, path)
    }

    /// SIGTERM.
    pub fn terminate(&self) {
        self.signal(Signal::TERM);
    }

    pub fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// How it ended, and the rest of its log. One that does not end is killed, and its status says so.
    pub fn ended(mut self) -> (ExitStatus, String) {
        let pid = Pid::from_child(&self.child);
        let (ended, has_ended) = mpsc::channel::<()>();
        thread::spawn(move || {
            if has_ended.recv_timeout(MUST_END_WITHIN) == Err(RecvTimeoutError::Timeout) {
                let _ = kill_process(pid, Signal::KILL);
            }
        });
        let status = self.child.wait().unwrap();
        drop(ended);
        let mut log = String::new();
        self.log.read_to_string(&mut log).unwrap();
        (status, log)
    }
}

/// target/<profile>/deps/this-test → target/<profile>/examples/<name>, which `cargo test` has built.
pub fn program(name: &str) -> PathBuf {
    let this = std::env::current_exe().unwrap();
    this.parent().unwrap().parent().unwrap().join("examples").join(name)
}

/// What `GET path` is answered at `address`, with its head.
pub fn get(address: &str, path: &str) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    write!(stream, "GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

impl Drop for Example {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
