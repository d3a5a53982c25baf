//! One log line a change, replica and process, however many workers there are. Not on the way of any call.

use std::{
    collections::HashMap,
    net::SocketAddr,
    sync::{Mutex, MutexGuard, PoisonError},
};

use tokio::time::Instant;
use tracing::{info, warn};

use super::{Endpoint, Peer};
use crate::status::Cause;

/// So many addresses are remembered, and all that are connected: names may change theirs all day.
const REMEMBERED: usize = 4096;

/// What has been said of the replicas.
#[derive(Default)]
pub(super) struct PeerLog(Mutex<HashMap<(&'static str, SocketAddr), Seen>>);

struct Seen {
    /// Workers that are connected.
    ready: usize,
    /// What the log said last; nothing before the first try has ended.
    said: Option<bool>,
    since: Instant,
}

/// A worker that is connected, until it is dropped.
pub(super) struct Ready<'a> {
    log: &'a PeerLog,
    key: (&'static str, SocketAddr),
}

impl PeerLog {
    /// A worker has connected.
    pub fn ready(&self, peer: Peer, endpoint: &Endpoint) -> Ready<'_> {
        let key = (peer.name, endpoint.address);
        let mut all = self.all();
        forget_some(&mut all);
        let seen = all.entry(key).or_insert_with(Seen::new);
        seen.ready += 1;
        if let Some(after_ms) = seen.changed(true) {
            info!(peer = peer.name, state = "ready", after_ms, url = %endpoint);
        }
        Ready { log: self, key }
    }

    /// A worker could not connect.
    pub fn failed(&self, peer: Peer, endpoint: &Endpoint, cause: Cause) {
        let mut all = self.all();
        forget_some(&mut all);
        let first = all.iter().all(|((name, _), seen)| *name != peer.name || seen.said.is_none());
        let seen = all.entry((peer.name, endpoint.address)).or_insert_with(Seen::new);
        if seen.ready > 0 {
            return;
        }
        match seen.changed(false) {
            Some(_) if first => info!("{} is not up yet; will keep trying", peer.name),
            Some(after_ms) => {
                let cause = format!("connect {}: {cause}", endpoint.address);
                warn!(peer = peer.name, state = "transient_failure", after_ms, cause, url = %endpoint);
            }
            None => {}
        }
    }

    fn all(&self) -> MutexGuard<'_, HashMap<(&'static str, SocketAddr), Seen>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn forget_some(all: &mut HashMap<(&'static str, SocketAddr), Seen>) {
    if all.len() >= REMEMBERED {
        all.retain(|_, seen| seen.ready > 0);
    }
}

impl Drop for Ready<'_> {
    fn drop(&mut self) {
        if let Some(seen) = self.log.all().get_mut(&self.key) {
            seen.ready -= 1;
        }
    }
}

impl Seen {
    fn new() -> Self {
        Seen { ready: 0, said: None, since: Instant::now() }
    }

    /// The milliseconds since the last change, if this is one.
    fn changed(&mut self, ready: bool) -> Option<u64> {
        if self.said.replace(ready) == Some(ready) {
            return None;
        }
        let after = std::mem::replace(&mut self.since, Instant::now()).elapsed();
        u64::try_from(after.as_millis()).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn remembers_no_end_of_addresses_but_all_that_are_connected() {
        let (log, peer) = (PeerLog::default(), Peer { name: "service-a" });
        let endpoint = |n: u32| Endpoint {
            target: "service-a:1".parse().unwrap(),
            address: (std::net::Ipv4Addr::from(n), 1).into(),
        };
        let _ready = log.ready(peer, &endpoint(0));
        (1..10_000).for_each(|n| log.failed(peer, &endpoint(n), Cause::Unreachable("connection refused")));
        assert!(log.all().len() <= REMEMBERED);
        assert_eq!(log.all()[&("service-a", endpoint(0).address)].ready, 1);
    }

    #[test]
    fn logs_a_change_once() {
        let mut seen = Seen::new();
        let changes = [true, true, false, false, true].map(|ready| seen.changed(ready).is_some());
        assert_eq!(changes, [true, false, true, false, true]);
    }
}
