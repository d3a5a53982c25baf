//! Whom a process serves when the signal comes: peers that could hold it back, and callers whose calls must not be lost.

use std::time::{Duration, Instant};

use anyhow::Context as _;
use futures_util::future::join_all;
use hostile_peer::frame::PREFACE;
use tokio::{io::AsyncWriteExt, net::TcpStream};

use super::tally::Tally;
use crate::{
    child::Child,
    raw::{ConnectionConfig, Plain, RawConnection, closed},
    watch::Watch,
};

/// Connections, and calls on each: 64 calls in flight.
const CONNECTIONS: usize = 4;
const CALLS: usize = 16;
/// How long is waited for the end of a connection: no drain takes longer.
pub const DRAIN_END_TIMEOUT: Duration = Duration::from_secs(10);
/// A long text, and a window that lets it come in steps, each after a pause.
const LONG: usize = 16 * 1024;
const STEP: u32 = 2 * 1024;

/// Peers without a call.
pub struct IdlePeers {
    watch: Watch,
    http2: RawConnection,
    without_ping_acks: RawConnection,
    http1: Plain,
    silent: TcpStream,
    half: TcpStream,
}

impl IdlePeers {
    pub async fn gather(service: &Child) -> anyhow::Result<Self> {
        let name = service.name();
        let at = service.address();
        let mut http1 = Plain::connect(at).await?;
        http1.ask(name, "before", "").await?;
        http1.answer().await?;
        let mut http2 = RawConnection::connect(at, ConnectionConfig::DEFAULT).await?;
        let mut without_ping_acks = RawConnection::connect(at, ConnectionConfig::WITHOUT_PING_ACKS).await?;
        for caller in [&mut http2, &mut without_ping_acks] {
            caller.call(name, "before", &[]).await?;
            caller.answered().await?;
        }
        let mut half = TcpStream::connect(at).await?;
        half.write_all(&PREFACE[..PREFACE.len() / 2]).await?;
        Ok(IdlePeers {
            watch: Watch::open(at).await?,
            http2,
            without_ping_acks,
            http1,
            silent: TcpStream::connect(at).await?,
            half,
        })
    }

    pub async fn ends(self, signalled: Instant) -> Tally {
        let mut tally = Tally::new(signalled);
        let (watch, http2, without_ping_acks, http1, silent, half) = tokio::join!(
            self.watch.end(),
            self.http2.ended(DRAIN_END_TIMEOUT),
            self.without_ping_acks.ended(DRAIN_END_TIMEOUT),
            self.http1.closed(),
            closed(self.silent),
            closed(self.half),
        );
        tally.must(watch.is_drained(), &format!("Watch: {watch:?}"));
        tally.gone("Watch", watch.end.map(|(_, at)| at));
        for (who, ended) in [("idle HTTP/2", &http2), ("idle, answers no PING", &without_ping_acks)] {
            tally.must(!ended.goaways.is_empty(), &format!("{who}: no GOAWAY"));
            tally.gone(who, ended.closed.then_some(ended.at));
        }
        for (who, at) in [("idle HTTP/1.1", http1), ("silent", silent), ("half a preface", half)] {
            tally.gone(who, at);
        }
        tally
    }
}

/// Callers whose calls are in flight when the signal comes.
pub struct CallingPeers {
    callers: Vec<RawConnection>,
    without_ping_acks: RawConnection,
    slow: RawConnection,
    plain: Plain,
    /// Kept alive, and called again at the last moment.
    kept: Plain,
    fresh: Vec<RawConnection>,
}

impl CallingPeers {
    pub async fn gather(service: &Child, number: usize) -> anyhow::Result<Self> {
        let name = service.name();
        let at = service.address();
        let mut callers = Vec::new();
        for _ in 0..CONNECTIONS {
            callers.push(RawConnection::connect(at, ConnectionConfig::DEFAULT).await?);
        }
        let pause = Duration::from_millis(if (number / 4).is_multiple_of(2) { 20 } else { 70 });
        let slowly = ConnectionConfig { window: STEP, pause: Some(pause), ..ConnectionConfig::DEFAULT };
        let mut peers = CallingPeers {
            callers,
            without_ping_acks: RawConnection::connect(at, ConnectionConfig::WITHOUT_PING_ACKS).await?,
            slow: RawConnection::connect(at, slowly).await?,
            plain: Plain::connect(at).await?,
            kept: Plain::connect(at).await?,
            fresh: Vec::new(),
        };
        peers.kept.ask(name, "before", "").await?;
        peers.kept.answer().await?;
        for caller in peers.callers.iter_mut().skip(1) {
            call(caller, name).await?;
        }
        peers.slow.call(name, &"long".repeat(LONG / 4), &[]).await?;
        peers.without_ping_acks.call(name, "deaf", &[("rpc-behavior", "sleep-400ms")]).await?;
        peers.plain.ask(name, "plain", "sleep-300ms").await?;
        Ok(peers)
    }

    /// What the process can have no idea of yet when the signal comes: the calls are in the sockets' queues.
    pub async fn at_the_last_moment(&mut self, service: &Child) -> anyhow::Result<()> {
        let name = service.name();
        let at = service.address();
        self.fresh.push(RawConnection::connect(at, ConnectionConfig::DEFAULT).await?);
        for caller in [self.callers.first_mut(), self.fresh.first_mut()].into_iter().flatten() {
            call(caller, name).await?;
        }
        self.kept.ask(name, "kept", "sleep-100ms").await
    }

    pub async fn ends(mut self, signalled: Instant) -> Tally {
        let mut tally = Tally::new(signalled);
        let all = self.callers.into_iter().chain(self.fresh).map(|caller| caller.ended(DRAIN_END_TIMEOUT));
        let (all, without_ping_acks, slow, plain, kept) = tokio::join!(
            join_all(all),
            self.without_ping_acks.ended(DRAIN_END_TIMEOUT),
            self.slow.ended(DRAIN_END_TIMEOUT),
            self.plain.answer(),
            self.kept.answer(),
        );
        all.iter().for_each(|ended| tally.calls_and_close("in flight", ended));
        tally.calls_and_close("answers no PING", &without_ping_acks);
        tally.calls_and_close("slow reader", &slow);
        for (who, answer) in [("plain", plain), ("kept", kept)] {
            match answer.context(who) {
                // Whether it says that no other follows depends on what was first, the drain or the answer.
                Ok(answer) if answer.is_echo(who) => tally.answered(Some(answer.at)),
                Ok(answer) => tally.lost(format!("HTTP/1.1, {who}: {answer:?}")),
                Err(error) => tally.lost(format!("HTTP/1.1, {error:#}")),
            }
        }
        tally
    }
}

async fn call(caller: &mut RawConnection, service: &str) -> anyhow::Result<()> {
    for number in 0..CALLS {
        let behavior = format!("sleep-{}ms", 100 + 15 * number);
        caller.call(service, &format!("hello-{number}"), &[("rpc-behavior", &behavior)]).await?;
    }
    Ok(())
}
