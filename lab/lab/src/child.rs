//! One running service as a child process: its address, its log, and every way to end it. Dropped, it is killed.

use std::{
    net::{Ipv4Addr, SocketAddr, TcpListener},
    os::fd::OwnedFd,
    process::ExitStatus,
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, anyhow, bail};
use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process, waitid};
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::{self, ChildStdin, ChildStdout},
    sync::broadcast::{Receiver, Sender, channel, error::RecvError},
    time::timeout,
};

use crate::program::Program;

/// How long a service may take until it listens.
const START: Duration = Duration::from_secs(10);
/// How long a service may take to end: longer than its drain timeout, which is 10 s.
const EXIT: Duration = Duration::from_secs(15);
/// A process stands still within a millisecond or so.
const FREEZE: Duration = Duration::from_secs(1);
/// Lines of a child's log that a slow reader may be behind; older ones are dropped, so that a child never waits for us.
const LINES: usize = 1024;

/// How soon after the answer to its last call a draining service exits: idle connections, Watches and silent peers hold it back
/// no longer (the contract, on drains).
pub const EXIT_AFTER_LAST_CALL: Duration = Duration::from_millis(250);

/// A running service.
pub struct Child {
    name: &'static str,
    process: process::Child,
    /// Held, for the child ends when it is dropped (see `tie`); `wait` would drop it.
    _tie: Option<ChildStdin>,
    address: SocketAddr,
    /// Never read, but copied: a copy hears what is said from then on. Without a sender here, the log ends with the child.
    lines: Receiver<String>,
    from_start: Option<Receiver<String>>,
}

impl Child {
    /// Starts `service` (`service-a` or `service-b`) and returns once it listens.
    ///
    /// Errors: it ended instead. It has then said why on standard error, which is the lab's too.
    pub async fn start(program: &Program, service: &'static str, flags: &[&str]) -> anyhow::Result<Child> {
        Child::of(program.command(service).args(flags), service).await
    }

    /// The same, on a listening socket that it is handed, as systemd does it.
    pub async fn start_with_socket(
        program: &Program,
        service: &'static str,
        socket: &TcpListener,
        flags: &[&str],
    ) -> anyhow::Result<Child> {
        let socket = OwnedFd::from(socket.try_clone()?);
        Child::of(program.command_with_socket(service, socket).args(flags), service).await
    }

    async fn of(command: &mut process::Command, service: &'static str) -> anyhow::Result<Child> {
        let mut process = command.spawn().with_context(|| format!("cannot start {service}"))?;
        let tie = process.stdin.take();
        let output = process.stdout.take().context("the child has no standard output")?;
        let (sender, mut log) = channel(LINES);
        let from_start = Some(log.resubscribe());
        tokio::spawn(read(output, sender));
        let listens = find(&mut log, |line| value(line, "listening=http://").and_then(|address| address.parse().ok()));
        let address = tokio::select! {
            found = timeout(START, listens) => found.with_context(|| format!("{service} does not say where it listens"))?,
            _ = process.wait() => None,
        };
        let address = address.ok_or_else(|| anyhow!("{service} did not start"))?;
        Ok(Child { name: service, process, _tie: tie, address, lines: log, from_start })
    }

    /// The same at that address.
    pub async fn start_at(
        program: &Program,
        service: &'static str,
        listen: SocketAddr,
        flags: &[&str],
    ) -> anyhow::Result<Child> {
        Child::start(program, service, &[&["--listen", &listen.to_string()], flags].concat()).await
    }

    /// The same on a free port of 127.0.0.1.
    pub async fn start_on_free_port(program: &Program, service: &'static str, flags: &[&str]) -> anyhow::Result<Child> {
        Child::start_at(program, service, (Ipv4Addr::LOCALHOST, 0).into(), flags).await
    }

    /// Which service it is.
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The same as a URL.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Its process id; `None` once it has ended.
    pub fn pid(&self) -> Option<u32> {
        self.process.id()
    }

    /// Its log from the first line on; the second time, from now on.
    pub fn log(&mut self) -> Receiver<String> {
        self.from_start.take().unwrap_or_else(|| self.log_from_now())
    }

    /// Its log from now on, for what is still to come.
    pub fn log_from_now(&self) -> Receiver<String> {
        self.lines.resubscribe()
    }

    /// SIGKILL, and waits until it is gone. Works on a frozen child too; one that is gone already stays gone.
    pub async fn kill(&mut self) -> anyhow::Result<()> {
        self.signal(Signal::KILL)?;
        self.exited().await.map(drop)
    }

    /// SIGTERM: it is to drain, and then to exit.
    pub fn terminate(&self) -> anyhow::Result<()> {
        self.signal(Signal::TERM)
    }

    /// SIGINT, as Ctrl-C sends it: the same.
    pub fn interrupt(&self) -> anyhow::Result<()> {
        self.signal(Signal::INT)
    }

    /// SIGSTOP, and waits until it stands still: its connections stay, and nothing is answered.
    pub fn freeze(&self) -> anyhow::Result<()> {
        self.signal(Signal::STOP)?;
        // The signal is sent before every thread has stopped, and one of them might still answer a call.
        let until = Instant::now() + FREEZE;
        while Instant::now() < until {
            let Some(pid) = self.id() else { bail!("{} has ended", self.name) };
            // The report stays there to be read again, where a child is frozen that is frozen already.
            let stopped = WaitIdOptions::STOPPED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
            if waitid(WaitId::Pid(pid), stopped)?.is_some() {
                return Ok(());
            }
            thread::sleep(Duration::from_millis(1));
        }
        bail!("{} does not freeze", self.name)
    }

    /// SIGCONT: it goes on where it was.
    pub fn thaw(&self) -> anyhow::Result<()> {
        self.signal(Signal::CONT)
    }

    /// Waits, at most 15 s, until it has ended, and says how.
    pub async fn exited(&mut self) -> anyhow::Result<ExitStatus> {
        let ended = timeout(EXIT, self.process.wait()).await;
        Ok(ended.with_context(|| format!("{} does not end", self.name))??)
    }

    /// Waits without a bound until it ends by itself, and says how, if the system knows.
    pub async fn ended(&mut self) -> Option<ExitStatus> {
        self.process.wait().await.ok()
    }

    fn signal(&self, signal: Signal) -> anyhow::Result<()> {
        self.id()
            .map_or(Ok(()), |pid| kill_process(pid, signal))
            .with_context(|| format!("cannot signal {}", self.name))
    }

    /// Without an id it has ended, and its number may be another process's by now.
    fn id(&self) -> Option<Pid> {
        self.pid().and_then(|pid| i32::try_from(pid).ok()).and_then(Pid::from_raw)
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        let _ = self.process.start_kill();
        // Short, and worth it: when the lab says that it is done, its ports are free.
        let until = Instant::now() + Duration::from_secs(1);
        while matches!(self.process.try_wait(), Ok(None)) && Instant::now() < until {
            thread::sleep(Duration::from_millis(1));
        }
    }
}

async fn read(output: ChildStdout, lines: Sender<String>) {
    let mut output = BufReader::new(output).lines();
    while let Ok(Some(line)) = output.next_line().await {
        // It reads on, also while there is no receiver: a full pipe would stop the child.
        let _ = lines.send(line);
    }
}

/// The first thing that `find` sees in the log; `None` when the log is over.
async fn find<T>(log: &mut Receiver<String>, find: impl Fn(&str) -> Option<T>) -> Option<T> {
    loop {
        match log.recv().await {
            Ok(line) => match find(&line) {
                Some(found) => return Some(found),
                None => continue,
            },
            Err(RecvError::Lagged(_)) => continue,
            Err(RecvError::Closed) => return None,
        }
    }
}

/// Waits, for a bounded time, for a line that has `text` in it, such as `state=draining`.
pub async fn line_with(log: &mut Receiver<String>, text: &str) -> anyhow::Result<String> {
    let line = find(log, |line| says(line, text).then(|| line.to_owned()));
    match timeout(START, line).await {
        Ok(Some(line)) => Ok(line),
        _ => bail!("the log never said {text}"),
    }
}

/// Whether every `key=value` of `text` stands in a log line, of either format.
fn says(line: &str, text: &str) -> bool {
    let in_json = |(key, value): (&str, &str)| {
        line.contains(&format!("\"{key}\":\"{value}\"")) || line.contains(&format!("\"{key}\":{value}"))
    };
    line.contains(text) || text.split(' ').all(|word| word.split_once('=').is_some_and(in_json))
}

/// The word after `key` in a log line, such as `code=` or `listening=http://`; of either format.
pub fn value<'a>(line: &'a str, key: &str) -> Option<&'a str> {
    if let Some((_, rest)) = line.split_once(key) {
        return rest.split_whitespace().next();
    }
    let (name, start) = key.split_once('=')?;
    let (_, rest) = line.split_once(&format!("\"{name}\":"))?;
    rest.trim_start_matches('"').strip_prefix(start)?.split(['"', ',', '}']).next()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_a_line_of_either_format() {
        let text =
            "2026-02-04T21:20:40.123Z INFO service=A listening=http://127.0.0.1:8080 state=draining in_flight=12";
        let json = r#"{"service":"A","listening":"http://127.0.0.1:8080","state":"draining","in_flight":12}"#;
        for line in [text, json] {
            assert_eq!(value(line, "listening=http://"), Some("127.0.0.1:8080"));
            assert_eq!(value(line, "in_flight="), Some("12"));
            assert_eq!(value(line, "code="), None);
            assert!(says(line, "state=draining in_flight=12") && !says(line, "state=drained"), "{line}");
        }
    }
}
