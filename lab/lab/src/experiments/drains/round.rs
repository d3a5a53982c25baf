//! One round: a process, everybody it serves, a signal, and what became of all.

use std::time::{Duration, Instant};

use anyhow::Context as _;
use tokio::{sync::broadcast::Receiver, time::sleep};

use super::{
    newcomers::Newcomers,
    peers::{CallingPeers, IdlePeers},
    tally::{Tally, idle_bound},
};
use crate::{
    child::{Child, EXIT_AFTER_LAST_CALL, line_with},
    http::{self, Ask},
    program::Program,
};

/// The service's `--drain-timeout`; no call of a round takes as long.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(4);

/// What is asked of a round.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Kind {
    service: &'static str,
    interrupt: bool,
    /// 64 calls in flight and a slow reader, or no call at all.
    calls: bool,
}

impl Kind {
    /// A and B in turns, both signals in turns.
    pub fn of(number: usize, calls: bool) -> Self {
        let service = if number.is_multiple_of(2) { "service-a" } else { "service-b" };
        Kind { service, interrupt: number / 2 % 2 == 1, calls }
    }

    /// Such as `service-a SIGTERM, 64 calls`.
    pub fn name(self) -> String {
        let signal = if self.interrupt { "SIGINT" } else { "SIGTERM" };
        format!("{} {signal}, {}", self.service, if self.calls { "64 calls" } else { "no call" })
    }
}

/// What became of it.
pub struct Round {
    /// Calls that were answered whole.
    pub whole: usize,
    /// Calls sent after the signal, of which the process said that it had not looked at them.
    pub unprocessed: usize,
    /// Calls that were lost.
    pub lost: usize,
    /// From the last answer, or the signal, to the exit.
    pub exit_after: Duration,
    /// What was not as it must be.
    pub wrong: Vec<String>,
}

/// Plays round `number` of a kind. Errors: it could not be set up.
pub async fn play(program: &Program, kind: Kind, number: usize, a: &str) -> anyhow::Result<Round> {
    let mut service = start(program, kind.service, a).await?;
    ready(&service).await?;
    let log = service.log_from_now();
    let idle = IdlePeers::gather(&service).await.context("idle peers")?;
    let tally = if kind.calls {
        let mut calling = CallingPeers::gather(&service, number).await.context("calls")?;
        let newcomers = Newcomers::start(&service);
        // Anywhere in the course of the calls, the very beginning included.
        sleep(Duration::from_millis(number as u64 % 10 * 10)).await;
        calling.at_the_last_moment(&service).await?;
        let signalled = signal(&service, kind)?;
        let (idle, calling, newcomers) =
            tokio::join!(idle.ends(signalled), calling.ends(signalled), newcomers.end(signalled));
        idle.and(calling).and(newcomers)
    } else {
        let signalled = signal(&service, kind)?;
        idle.ends(signalled).await
    };
    judge(&mut service, log, tally).await
}

/// A process to be ended.
async fn start(program: &Program, service: &'static str, a: &str) -> anyhow::Result<Child> {
    let timeout = format!("{}ms", DRAIN_TIMEOUT.as_millis());
    let flags = ["--fault-injection", "--drain-timeout", &timeout];
    let to_a: &[&str] = if service == "service-b" { &["--service-a", a] } else { &[] };
    Child::start_on_free_port(program, service, &[&flags, to_a].concat()).await
}

/// Every worker of B is connected to A: a round is about the end, not about the beginning.
async fn ready(service: &Child) -> anyhow::Result<()> {
    let question = Ask::get(if service.name() == "service-a" { "/echo?msg=x" } else { "/call-echo?msg=x" });
    let answers = http::ask_every_worker(service.address(), &question).await;
    for answer in answers {
        anyhow::ensure!(answer?.status == 200, "{} is not ready", service.name());
    }
    Ok(())
}

fn signal(service: &Child, kind: Kind) -> anyhow::Result<Instant> {
    // Taken before: a call that is sent between the two may be answered or not.
    let now = Instant::now();
    if kind.interrupt { service.interrupt() } else { service.terminate() }.map(|()| now)
}

async fn judge(service: &mut Child, mut log: Receiver<String>, tally: Tally) -> anyhow::Result<Round> {
    let code = service.exited().await?.code();
    let exited = Instant::now();
    let Tally { signalled, last_answer, whole, unprocessed, lost, mut wrong } = tally;
    let mut must = |held: bool, what: String| {
        if !held {
            wrong.push(what);
        }
    };
    must(code == Some(0), format!("exit code: {code:?}"));
    let drained = line_with(&mut log, "state=drained").await;
    let drained = drained.unwrap_or_else(|error| error.to_string());
    must(drained.contains("calls_cut=0"), format!("the log says: {drained}"));
    let exit_after = exited.saturating_duration_since(last_answer);
    must(exit_after <= idle_bound(), format!("late exit: {} ms after the last answer", exit_after.as_millis()));
    let in_all = exited.saturating_duration_since(signalled);
    must(
        in_all <= DRAIN_TIMEOUT + EXIT_AFTER_LAST_CALL,
        format!("late exit: {} ms after the signal", in_all.as_millis()),
    );
    Ok(Round { whole, unprocessed, lost, exit_after, wrong })
}
