//! What a caller may be in the middle of when its server gets SIGTERM, and what must come of both.

use std::{
    fmt,
    time::{Duration, Instant},
};

use anyhow::Context as _;
use hostile_peer::frame::PREFACE;
use tokio::{io::AsyncWriteExt, net::TcpStream, time::timeout};

use crate::{
    child::{Child, EXIT_AFTER_LAST_CALL},
    program::{Program, STOCK_TONIC},
    raw::{ConnectionConfig, Fate, Plain, RawConnection},
    watch::Watch,
};

/// Beyond the contract's bound, for a busy machine.
const SLACK: Duration = Duration::from_millis(500);
/// How long is waited for the end of the server, and of what its peer was doing.
const EXIT_TIMEOUT: Duration = Duration::from_secs(6);
/// Where the drain timeout is to pass, for calls of a second.
const DRAIN_TIMEOUT: Duration = Duration::from_millis(500);

/// One state, and what must come of it.
#[derive(Debug)]
pub struct Drain {
    /// Its name.
    pub name: &'static str,
    /// One sentence: what the server is in the middle of.
    pub does: &'static str,
    /// When the server must have ended.
    pub exits: Exits,
    state: State,
}

/// When a server ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exits {
    /// Within 250 ms of the signal.
    AtOnce,
    /// Within 250 ms of the last byte of its call's answer, which is whole.
    AfterItsCall,
    /// When the drain timeout is over: its call is cut.
    AtTheDrainTimeout,
}

#[derive(Clone, Copy, Debug)]
enum State {
    Says(&'static [u8]),
    Watches,
    KeepsHttp1,
    Idles(ConnectionConfig),
    /// With a call of a second.
    Calls(ConnectionConfig),
    /// With a call that is answered at once, at length.
    Reads(ConnectionConfig),
}

const SLOWLY: ConnectionConfig =
    ConnectionConfig { window: 1024, pause: Some(Duration::from_millis(30)), ..ConnectionConfig::DEFAULT };
const NOT_AT_ALL: ConnectionConfig = ConnectionConfig { window: 1024, pause: None, ..ConnectionConfig::DEFAULT };

/// Every one of them.
#[rustfmt::skip]
pub const DRAINS: &[Drain] = &[
    drain("drain-silent", "a peer that has said nothing", Exits::AtOnce, State::Says(b"")),
    drain("drain-half-preface", "a peer that has sent ten bytes of the preface", Exits::AtOnce, State::Says(PREFACE.split_at(10).0)),
    drain("drain-idle", "a connection without a call", Exits::AtOnce, State::Idles(ConnectionConfig::DEFAULT)),
    drain("drain-idle-deaf", "the same, whose peer answers no PING", Exits::AtOnce, State::Idles(ConnectionConfig::WITHOUT_PING_ACKS)),
    drain("drain-http1", "a kept HTTP/1.1 connection", Exits::AtOnce, State::KeepsHttp1),
    drain("drain-watch", "an open health Watch, which is told", Exits::AtOnce, State::Watches),
    drain("drain-call", "a call", Exits::AfterItsCall, State::Calls(ConnectionConfig::DEFAULT)),
    drain("drain-call-deaf", "the same, whose peer answers no PING", Exits::AfterItsCall, State::Calls(ConnectionConfig::WITHOUT_PING_ACKS)),
    drain("drain-slow-reader", "a peer that takes its answer slowly", Exits::AfterItsCall, State::Reads(SLOWLY)),
    drain("drain-never-reads", "a peer that does not take its answer", Exits::AtTheDrainTimeout, State::Reads(NOT_AT_ALL)),
    drain("drain-long-call", "a call longer than the drain timeout", Exits::AtTheDrainTimeout, State::Calls(ConnectionConfig::DEFAULT)),
];

const fn drain(name: &'static str, does: &'static str, exits: Exits, state: State) -> Drain {
    Drain { name, does, exits, state }
}

/// What came of it.
#[derive(Debug, Default)]
pub struct DrainOutcome {
    /// From the signal to the process's end; `None` if it went on.
    exited: Option<Duration>,
    /// From the signal to the last byte of the call's answer, if there was a call and it was answered.
    answered: Option<Duration>,
    call: Option<Fate>,
    /// Whether a Watch saw NOT_SERVING and UNAVAILABLE.
    watch_ended: Option<bool>,
}

impl Drain {
    /// Does it to an A, a B and a stock tonic B, which gives no health service and no HTTP/1.1: `None` there.
    ///
    /// Errors: one does not start, or the state cannot be reached.
    pub async fn run(&self, program: &Program) -> anyhow::Result<[Option<DrainOutcome>; 3]> {
        let behavior: &[&str] =
            if matches!(self.state, State::Calls(_)) { &["--rpc-behavior", "sleep-1"] } else { &[] };
        let timeout = format!("{}ms", DRAIN_TIMEOUT.as_millis());
        let limit: &[&str] = if self.exits == Exits::AtTheDrainTimeout { &["--drain-timeout", &timeout] } else { &[] };
        let behind = Child::start_on_free_port(program, "service-a", behavior).await?;
        let to_a = ["--service-a", &behind.url()];
        let a = self.end(Child::start_on_free_port(program, "service-a", &[limit, behavior].concat()).await?);
        let b = self.end(Child::start_on_free_port(program, "service-b", &[limit, &to_a].concat()).await?);
        if matches!(self.state, State::Watches | State::KeepsHttp1) {
            let (a, b) = tokio::try_join!(a, b)?;
            return Ok([Some(a), Some(b), None]);
        }
        let stock = self.end(Child::start_on_free_port(program, STOCK_TONIC, &to_a).await?);
        let (a, b, stock) = tokio::try_join!(a, b, stock)?;
        Ok([a, b, stock].map(Some))
    }

    /// A mark and a cell of the table.
    pub fn judge(&self, outcome: Option<&DrainOutcome>) -> (char, String) {
        match outcome {
            None => ('–', String::new()),
            Some(outcome) => (if self.is_met(outcome) { '✓' } else { '✗' }, outcome.to_string()),
        }
    }

    async fn end(&self, mut server: Child) -> anyhow::Result<DrainOutcome> {
        let held = self.state.hold(&server).await.with_context(|| format!("{}: {}", server.name(), self.name))?;
        let signalled = Instant::now();
        server.terminate()?;
        let exits = async { timeout(EXIT_TIMEOUT, server.ended()).await.is_ok().then(|| signalled.elapsed()) };
        let (exited, outcome) = match held {
            // It stays as it is for as long as the server may take.
            Held::Says(peer) => (exits.await, DrainOutcome::of(peer)),
            Held::KeepsHttp1(peer) => (exits.await, DrainOutcome::of(peer)),
            Held::Calls(caller) => tokio::join!(exits, DrainOutcome::of_a_caller(caller, signalled)),
            Held::Watches(watch) => tokio::join!(exits, DrainOutcome::of_a_watch(watch)),
        };
        Ok(DrainOutcome { exited, ..outcome })
    }

    /// Whether that is what must come.
    fn is_met(&self, outcome: &DrainOutcome) -> bool {
        let Some(exited) = outcome.exited else { return false };
        let soon_after = |from: Duration| exited <= from + EXIT_AFTER_LAST_CALL + SLACK;
        outcome.watch_ended != Some(false)
            && match self.exits {
                Exits::AtOnce => soon_after(Duration::ZERO),
                Exits::AfterItsCall => outcome.answered.is_some_and(soon_after),
                Exits::AtTheDrainTimeout => exited >= DRAIN_TIMEOUT && soon_after(DRAIN_TIMEOUT),
            }
            && outcome.call.as_ref().is_none_or(|call| (*call == Fate::Whole) == (self.exits == Exits::AfterItsCall))
    }
}

/// A server's peer, in its state.
enum Held {
    Says(TcpStream),
    Watches(Watch),
    KeepsHttp1(Plain),
    Calls(RawConnection),
}

impl State {
    async fn hold(self, server: &Child) -> anyhow::Result<Held> {
        let at = server.address();
        Ok(match self {
            State::Says(bytes) => {
                let mut peer = TcpStream::connect(at).await?;
                peer.write_all(bytes).await?;
                Held::Says(peer)
            }
            State::Watches => Held::Watches(Watch::open(at).await?),
            State::KeepsHttp1 => {
                let mut peer = Plain::connect(at).await?;
                peer.ask(server.name(), "hello", "").await?;
                peer.answer().await?;
                Held::KeepsHttp1(peer)
            }
            State::Idles(config) => Held::Calls(called(server, config, None).await?),
            State::Calls(config) => Held::Calls(called(server, config, Some("hello")).await?),
            State::Reads(config) => Held::Calls(called(server, config, Some(&"long".repeat(4096))).await?),
        })
    }
}

/// A connection on which the server has read everything, a call of this text included.
async fn called(server: &Child, config: ConnectionConfig, msg: Option<&str>) -> anyhow::Result<RawConnection> {
    let mut caller = RawConnection::connect(server.address(), config).await?;
    if let Some(msg) = msg {
        caller.call(server.name(), msg, &[]).await?;
    }
    caller.heard().await?;
    Ok(caller)
}

impl DrainOutcome {
    /// Of a peer that only looks.
    fn of<T>(peer: T) -> DrainOutcome {
        drop(peer);
        DrainOutcome::default()
    }

    async fn of_a_caller(caller: RawConnection, signalled: Instant) -> DrainOutcome {
        let ended = caller.ended(EXIT_TIMEOUT).await;
        let answered = ended.last_answer().map(|at| at.saturating_duration_since(signalled));
        DrainOutcome { answered, call: ended.calls.first().map(|call| ended.fate(call)), ..DrainOutcome::default() }
    }

    async fn of_a_watch(watch: Watch) -> DrainOutcome {
        let ended = timeout(EXIT_TIMEOUT, watch.end()).await.is_ok_and(|end| end.is_drained());
        DrainOutcome { watch_ended: Some(ended), ..DrainOutcome::default() }
    }
}

impl fmt::Display for Drain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.exits {
            Exits::AtOnce => "exit within 250 ms",
            Exits::AfterItsCall => "its answer whole · exit 250 ms later",
            Exits::AtTheDrainTimeout => "cut after the drain timeout, 500 ms",
        })
    }
}

impl fmt::Display for DrainOutcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.call, self.watch_ended) {
            (Some(Fate::Whole), _) => f.write_str("its answer whole · ")?,
            (Some(_), _) => f.write_str("no answer · ")?,
            (_, Some(true)) => f.write_str("NOT_SERVING, UNAVAILABLE · ")?,
            (_, Some(false)) => f.write_str("not told · ")?,
            _ => {}
        }
        match self.exited {
            Some(exited) => write!(f, "exit after {} ms", exited.as_millis()),
            None => write!(f, "goes on after {} s", EXIT_TIMEOUT.as_secs()),
        }
    }
}
