//! Callers who come too late, or just not.

use std::time::{Duration, Instant};

use tokio::{task::JoinHandle, time::sleep};

use super::{peers::DRAIN_END_TIMEOUT, tally::Tally};
use crate::{
    child::Child,
    raw::{ConnectionConfig, Ended, RawConnection},
};

/// Between two calls of one caller: a load, and not the one that is asked about.
const PACE: Duration = Duration::from_millis(2);

/// Callers who go on calling until a GOAWAY comes: one on a connection of its own, one on a new one for each call.
pub struct Newcomers {
    steady: JoinHandle<Ended>,
    newly: JoinHandle<Vec<Ended>>,
}

impl Newcomers {
    pub fn start(service: &Child) -> Self {
        let name = service.name();
        let at = service.address();
        let steady = async move {
            let Ok(mut caller) = RawConnection::connect(at, ConnectionConfig::DEFAULT).await else {
                unreachable!("it listens")
            };
            while !caller.is_told_to_go() && caller.call(name, "steady", &[]).await.is_ok() {
                if !caller.read_for(PACE).await.unwrap_or_default() {
                    break;
                }
            }
            caller.ended(DRAIN_END_TIMEOUT).await
        };
        let newly = async move {
            let mut all = Vec::new();
            while let Ok(mut caller) = RawConnection::connect(at, ConnectionConfig::DEFAULT).await {
                if caller.call(name, "newly", &[]).await.is_ok() {
                    // One that has its answer leaves; the others wait for a GOAWAY.
                    let within = if caller.answered().await.is_ok() { Duration::ZERO } else { DRAIN_END_TIMEOUT };
                    all.push(caller.ended(within).await);
                }
                sleep(PACE).await;
            }
            all
        };
        Newcomers { steady: tokio::spawn(steady), newly: tokio::spawn(newly) }
    }

    pub async fn end(self, signalled: Instant) -> Tally {
        let mut tally = Tally::new(signalled);
        match tokio::join!(self.steady, self.newly) {
            (Ok(steady), Ok(newly)) => {
                tally.calls_and_close("steady caller", &steady);
                newly.iter().for_each(|ended| tally.calls("new connection", ended));
            }
            _ => tally.wrong.push("a caller has panicked".into()),
        }
        tally
    }
}
