//! When HTTP/2 PINGs go out (gRFC A8). A link that is dead is the kernel's to find; they find a process that is.

use std::{
    future::{pending, poll_fn},
    sync::{Arc, atomic::Ordering},
    task::Poll,
    time::Duration,
};

use bytes::Bytes;
use h2::{Ping, PingPong, client};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    time::{Instant, sleep_until, timeout},
};

use super::seen::Seen;
use crate::status::Cause;

use crate::deadline::FOREVER;

/// Between PINGs while calls are open, and for the answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Keepalive {
    pub(crate) interval: Duration,
    pub(crate) answer: Duration,
}

/// Exactly 5 min jitters into a strike: grpc-go, grpc-java and C-core count PINGs under 5 min without HEADERS or DATA of theirs, and
/// close the connection at the third or fourth.
const BESIDE: Duration = Duration::from_secs(10);

/// How a connection ends on which a PING was not answered.
const NO_ANSWER: &str = "no answer to keepalive";

const ANSWER: Duration = Duration::from_secs(20);
/// Whoever asks that often wants to know soon.
const SOON: Duration = Duration::from_secs(3);
const OFTEN: Duration = Duration::from_secs(60);

impl Default for Keepalive {
    /// Every 5 min.
    fn default() -> Self {
        Keepalive::every(Duration::from_secs(300))
    }
}

impl Keepalive {
    /// The shortest interval.
    pub const SHORTEST: Duration = Duration::from_secs(10);

    /// A PING about every `interval`; where that is shorter than [`SHORTEST`](Self::SHORTEST), as often as that.
    pub fn every(interval: Duration) -> Self {
        let interval = interval.clamp(Self::SHORTEST, FOREVER);
        let is_often = interval < OFTEN;
        Keepalive {
            interval: if is_often { interval } else { interval + BESIDE },
            answer: if is_often { SOON } else { ANSWER },
        }
    }

    /// Half as often, for a peer that found it too often.
    pub(crate) fn doubled(self) -> Self {
        Keepalive { interval: (self.interval * 2).min(FOREVER), ..self }
    }
}

/// Runs a connection to its end, which comes also where a PING is not answered.
pub(super) async fn keep<IO>(
    mut connection: client::Connection<IO, Bytes>,
    keepalive: Option<Keepalive>,
    seen: Arc<Seen>,
) where
    IO: AsyncRead + AsyncWrite + Unpin,
{
    let pings = connection.ping_pong().zip(keepalive);
    let unanswered = async {
        match pings {
            Some((pings, keepalive)) => silence(pings, keepalive, &seen).await,
            None => pending().await,
        }
        // Before the byte stream is dropped, which else would say how the connection ended.
        let _ = seen.end.set(Cause::ConnectionLost(NO_ANSWER));
    };
    tokio::select! {
        biased;
        _ = connection => {}
        () = unanswered => {}
    }
}

/// Returns once a PING was not answered in time. Part of the connection's own task, which a call that begins wakes.
async fn silence(mut pings: PingPong, Keepalive { interval, answer }: Keepalive, seen: &Seen) {
    loop {
        let has_calls = || seen.under_way.load(Ordering::Relaxed) > 0;
        let due = || seen.heard_at() + interval;
        poll_fn(|_| if has_calls() { Poll::Ready(()) } else { Poll::Pending }).await;
        sleep_until(due()).await;
        if !has_calls() || due() > Instant::now() {
            continue;
        }
        match timeout(answer, pings.ping(Ping::opaque())).await {
            Ok(Ok(_)) => {}
            // The connection is over.
            Ok(Err(_)) => pending().await,
            Err(_) => return,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_clear_of_the_five_minutes_that_servers_count_and_asks_no_more_often_than_every_ten_seconds() {
        let every = |secs| {
            let Keepalive { interval, answer } = Keepalive::every(Duration::from_secs(secs));
            (interval.as_secs(), answer.as_secs())
        };
        assert_eq!(every(300), (310, 20));
        assert_eq!(every(60), (70, 20));
        assert_eq!(every(59), (59, 3));
        assert_eq!(every(1), (10, 3));
        assert_eq!(every(u64::MAX), (FOREVER.as_secs() + 10, 20));
        assert_eq!(Keepalive::every(Duration::MAX).doubled().interval, FOREVER);
    }
}
