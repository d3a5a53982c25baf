//! An example as a user runs it: a process of its own, asked from outside.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::TcpStream,
    path::PathBuf,
    process::{Child, ChildStdout, Command, ExitStatus, Stdio},
};

/// An example, killed when the test ends.
pub struct Example {
    child: Child,
    log: BufReader<ChildStdout>,
    pub address: String,
}

impl Example {
    pub fn start(name: &str, argv: &[&str]) -> Self {
        // target/<profile>/deps/this-test → target/<profile>/examples/<name>, which `cargo test` has built.
        let this = std::env::current_exe().unwrap();
        let program: PathBuf = this.parent().unwrap().parent().unwrap().join("examples").join(name);
        let mut child = Command::new(program).args(argv).stdout(Stdio::piped()).spawn().unwrap();
        let log = BufReader::new(child.stdout.take().unwrap());
        // Made first, so that the process ends also when what follows does not hold.
        let mut example = Example { child, log, address: String::new() };
        let mut first = String::new();
        example.log.read_line(&mut first).unwrap();
        let (_, address) = first.trim().split_once("http://").expect("the first line says where it listens");
        example.address = address.trim_end_matches(['"', '}']).to_owned();
        example
    }

    pub fn get(&self, path: &str) -> String {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        write!(stream, "GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    }

    /// SIGTERM.
    pub fn terminate(&self) {
        let pid = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
    }

    /// How it ended, and the rest of its log.
    pub fn ended(mut self) -> (ExitStatus, String) {
        let status = self.child.wait().unwrap();
        let mut log = String::new();
        self.log.read_to_string(&mut log).unwrap();
        (status, log)
    }
}

impl Drop for Example {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
