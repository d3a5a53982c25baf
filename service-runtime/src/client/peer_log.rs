//! One log line a change, replica and process, however many workers there are. Not on the way of any call.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio::time::Instant;
use tracing::{info, warn};

use super::Endpoint;
use crate::{address::Address, deadline::millis, identity::Peer, status::Cause};

/// The most addresses that are remembered besides those that are connected: names may change theirs all day.
const REMEMBERED: usize = 4096;

/// What has been said of the replicas of one peer.
#[derive(Debug, Default)]
pub(crate) struct PeerLog(Mutex<HashMap<Address, ReplicaLog>>);

#[derive(Debug)]
struct ReplicaLog {
    /// Connections of all workers.
    ready: usize,
    /// What the log said last; nothing before the first try has ended.
    said: Option<bool>,
    since: Instant,
}

/// A connection, until it is dropped.
pub(crate) struct Ready {
    log: Arc<PeerLog>,
    address: Address,
}

impl PeerLog {
    /// A worker has connected.
    pub fn ready(self: &Arc<Self>, peer: &Peer, endpoint: &Endpoint) -> Ready {
        let mut all = self.all();
        forget_some(&mut all);
        let replica = all.entry(endpoint.address.clone()).or_insert_with(ReplicaLog::new);
        replica.ready += 1;
        if let Some(after_ms) = replica.changed(true) {
            info!(peer = peer.name(), state = "ready", after_ms, url = %endpoint);
        }
        Ready { log: self.clone(), address: endpoint.address.clone() }
    }

    /// A worker could not connect.
    pub fn failed(&self, peer: &Peer, endpoint: &Endpoint, cause: Cause) {
        let mut all = self.all();
        forget_some(&mut all);
        let is_first = all.values().all(|replica| replica.said.is_none());
        let replica = all.entry(endpoint.address.clone()).or_insert_with(ReplicaLog::new);
        if replica.ready > 0 {
            return;
        }
        match replica.changed(false) {
            Some(_) if is_first => info!("{} is not up yet; will keep trying", peer.name()),
            Some(after_ms) => {
                let cause = format!("connect {}: {cause}", endpoint.address);
                warn!(peer = peer.name(), state = "transient_failure", after_ms, cause, url = %endpoint);
            }
            None => {}
        }
    }

    fn all(&self) -> MutexGuard<'_, HashMap<Address, ReplicaLog>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn forget_some(all: &mut HashMap<Address, ReplicaLog>) {
    if all.len() >= REMEMBERED {
        all.retain(|_, replica| replica.ready > 0);
    }
}

impl Drop for Ready {
    fn drop(&mut self) {
        if let Some(replica) = self.log.all().get_mut(&self.address) {
            replica.ready -= 1;
        }
    }
}

impl ReplicaLog {
    fn new() -> Self {
        ReplicaLog { ready: 0, said: None, since: Instant::now() }
    }

    /// The milliseconds since the last change, if this is one.
    fn changed(&mut self, ready: bool) -> Option<u64> {
        if self.said.replace(ready) == Some(ready) {
            return None;
        }
        Some(millis(std::mem::replace(&mut self.since, Instant::now()).elapsed()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn remembers_no_end_of_addresses_but_all_that_are_connected() {
        let (log, peer) = (Arc::new(PeerLog::default()), Peer::new("service-a"));
        let endpoint = |n: u32| Endpoint {
            target: "service-a:1".parse().unwrap(),
            address: (std::net::Ipv4Addr::from(n), 1).into(),
        };
        let _ready = log.ready(&peer, &endpoint(0));
        (1..10_000).for_each(|n| log.failed(&peer, &endpoint(n), Cause::Unreachable("connection refused")));
        assert!(log.all().len() <= REMEMBERED);
        assert_eq!(log.all()[&endpoint(0).address].ready, 1);
    }

    #[test]
    fn logs_a_change_once() {
        let mut replica = ReplicaLog::new();
        let changes = [true, true, false, false, true].map(|ready| replica.changed(ready).is_some());
        assert_eq!(changes, [true, false, true, false, true]);
    }
}
