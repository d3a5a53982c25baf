//! A process to be ended, in four ways: A and B, by both signals.

use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};

use futures_util::future::join_all;
use lab::{
    child::{Child, line_with},
    http::{self, Ask},
    program::Program,
    raw::{ConnectionConfig, Ended, Fate, RawConnection},
};
use tokio::sync::broadcast::Receiver;

/// The contract: peers without a call hold the exit back no longer than that, after the last call.
pub const IDLE: Duration = Duration::from_millis(250);
/// What a bound adds to the contract's figure: its ε is 50 ms on an idle machine, and here four processes of each test, and
/// other tests, run on cores that may also compile.
pub const SLACK: Duration = Duration::from_millis(450);
/// Longer than any drain here.
pub const ENDS_WITHIN: Duration = Duration::from_secs(14);

/// A running service, and what it is to be ended by.
pub struct Process {
    pub child: Child,
    log: Receiver<String>,
    interrupt: bool,
    _a: Option<Child>,
}

/// Plays a case on A and on B, with SIGTERM and with SIGINT, side by side.
pub async fn on_each(flags: &[&str], case: impl AsyncFn(Process)) {
    let ways = [("service-a", false), ("service-a", true), ("service-b", false), ("service-b", true)];
    join_all(ways.map(async |(service, interrupt)| case(Process::start(service, interrupt, flags).await).await)).await;
}

impl Process {
    async fn start(service: &'static str, interrupt: bool, flags: &[&str]) -> Process {
        let program = Program::at(env!("CARGO_BIN_EXE_lab")).with_defaults();
        let common = ["--listen", "127.0.0.1:0", "--fault-injection"];
        let a = match service {
            "service-b" => Some(Child::start(&program, "service-a", &common).await.unwrap()),
            _ => None,
        };
        let url = a.as_ref().map(Child::url);
        let to_a: Vec<&str> = url.iter().flat_map(|url| ["--service-a-timeout", "1m", "--service-a", url]).collect();
        let child = Child::start(&program, service, &[&common, &to_a[..], flags].concat()).await.unwrap();
        let question = Ask::get(if service == "service-a" { "/echo?msg=x" } else { "/call-echo?msg=x" });
        for answer in http::ask_every_worker(child.address(), &question).await {
            assert_eq!(answer.unwrap().status, 200);
        }
        let log = child.log_from_now();
        Process { child, log, interrupt, _a: a }
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.child.address()
    }

    /// A caller with a connection.
    pub async fn caller(&self, config: ConnectionConfig) -> RawConnection {
        RawConnection::connect(self.address(), config).await.unwrap()
    }

    /// A caller whose call the process has read, and is to behave so.
    pub async fn call(&self, config: ConnectionConfig, behavior: &str) -> RawConnection {
        let mut caller = self.caller(config).await;
        caller.call(self.child.name(), "hello", &[("rpc-behavior", behavior)]).await.unwrap();
        caller.heard().await.unwrap();
        caller
    }

    /// Signals it, and says when.
    pub fn signal(&self) -> Instant {
        let now = Instant::now();
        if self.interrupt { self.child.interrupt() } else { self.child.terminate() }.unwrap();
        now
    }

    /// Returns once it has taken the signal.
    pub async fn drains(&mut self) {
        self.logs("state=draining").await;
    }

    /// The next line of its log with this text.
    pub async fn logs(&mut self, text: &str) -> String {
        line_with(&mut self.log, text).await.unwrap()
    }

    /// When it has ended, with exit code 0 and after it cut this number of calls.
    pub async fn exits(mut self, calls_cut: usize) -> Instant {
        let status = self.child.exited().await.unwrap();
        let at = Instant::now();
        assert!(status.success(), "{} {status}", self.child.name());
        let drained = self.logs("state=drained").await;
        let cut = format!("calls_cut={calls_cut}");
        assert!(drained.ends_with(&cut), "{}: {drained}, expected {cut}", self.child.name());
        at
    }

    /// The same, soon after `last`: the signal, or the last call's end.
    pub async fn exits_soon_after(self, last: Instant) {
        let name = self.child.name();
        let after = self.exits(0).await.saturating_duration_since(last);
        assert!(after <= IDLE + SLACK, "{name} after {after:?}");
    }
}

/// What became of the only call on a connection, and when, if it was answered.
pub async fn fate(caller: RawConnection) -> (Fate, Option<Instant>) {
    let ended = caller.ended(ENDS_WITHIN).await;
    (fates(&ended).pop().unwrap(), ended.last_answer())
}

/// What became of each call on it.
pub fn fates(ended: &Ended) -> Vec<Fate> {
    ended.calls.iter().map(|call| ended.fate(call)).collect()
}
