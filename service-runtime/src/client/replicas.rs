//! The replicas that there are now, and which of them gets a call: of two that are ready, the one with the fewest calls in
//! flight; in turn where they are equal.
//!
//! A replica that is not ready gets no calls, one that keeps failing none while another is ready, and one that has failed
//! this very call the next attempt only where there is no other.

use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use tokio::sync::{Notify, watch};

use super::{
    Backoff, Dial, Endpoint,
    connection::Connection,
    outlier::Outliers,
    peer_log::PeerLog,
    replica::Replica,
    subchannel::{Connect, Failure, State, Subchannel},
    subset::Subset,
};
use crate::{address::Address, identity::Peer};

/// The replicas that there are, now.
pub(crate) struct Replicas {
    config: ReplicaConfig,
    set: Mutex<Arc<[Arc<Replica>]>>,
    /// What a name without an address means; `None` until it has been looked up.
    unresolved: Mutex<Option<Failure>>,
    /// A replica's state has changed, or the set has.
    pub changed: watch::Sender<()>,
    trouble: Arc<Notify>,
    turn: AtomicUsize,
}

/// What all replicas of a peer are made with.
pub(crate) struct ReplicaConfig {
    pub peer: Peer,
    pub dialer: Arc<dyn Dial>,
    /// For the byte stream, preface and SETTINGS together.
    pub connect_timeout: Duration,
    pub max_backoff: Duration,
    pub log: Arc<PeerLog>,
    pub outliers: Arc<Outliers>,
    pub subset: Subset,
}

/// Where a call goes.
pub(crate) enum Choice {
    /// There.
    Ready(Arc<Replica>, Connection),
    /// As soon as a try that is under way has ended.
    Wait,
    /// Nowhere.
    Failed(Failure),
}

impl Replicas {
    pub fn new(config: ReplicaConfig) -> Self {
        Replicas {
            config,
            set: Mutex::new(Arc::new([])),
            unresolved: Mutex::default(),
            changed: watch::Sender::new(()),
            trouble: Arc::default(),
            turn: AtomicUsize::default(),
        }
    }

    /// Replicas that are there from the start to the end.
    #[cfg(any(test, feature = "harness"))]
    pub fn fixed(config: ReplicaConfig, replicas: impl IntoIterator<Item = (Endpoint, Backoff)>) -> Self {
        let all = Replicas::new(config);
        let made = replicas.into_iter().map(|(endpoint, backoff)| Arc::new(all.make_with(endpoint, backoff)));
        *lock(&all.set) = made.collect();
        all
    }

    /// These are the addresses now. Replicas that stay keep their connections; calls in flight on others may finish.
    pub fn replace(&self, found: &[Endpoint], unresolved: Failure) {
        let mut addresses: Vec<Address> = found.iter().map(|endpoint| endpoint.address.clone()).collect();
        addresses.sort();
        addresses.dedup();
        let chosen = self.config.subset.choose(addresses);
        let old = self.set();
        let replica = |address: &Address| {
            let kept = old.iter().find(|replica| replica.endpoint.address == *address).cloned();
            let endpoint = || found.iter().find(|endpoint| endpoint.address == *address).cloned();
            kept.or_else(|| endpoint().map(|endpoint| Arc::new(self.make(endpoint))))
        };
        let new: Arc<[_]> = chosen.iter().filter_map(replica).collect();
        *lock(&self.unresolved) = Some(unresolved);
        *lock(&self.set) = new;
        self.changed.send_replace(());
    }

    /// Returns when a connection was lost or could not be made: perhaps the addresses have changed.
    pub async fn trouble(&self) {
        self.trouble.notified().await;
    }

    fn make(&self, endpoint: Endpoint) -> Replica {
        self.make_with(endpoint, Backoff::new(self.config.max_backoff))
    }

    fn make_with(&self, endpoint: Endpoint, backoff: Backoff) -> Replica {
        let ReplicaConfig { peer, dialer, connect_timeout, log, outliers, .. } = &self.config;
        let (changed, trouble) = (self.changed.clone(), self.trouble.clone());
        let on_change = move |state: &State| {
            changed.send_replace(());
            if !matches!(state, State::Ready(_)) {
                trouble.notify_one();
            }
        };
        let connect = Connect { timeout: *connect_timeout, backoff };
        let subchannel = Subchannel::new(dialer.clone(), &endpoint, connect, log.clone(), peer.clone(), on_change);
        let outlier = outliers.of(&endpoint.address);
        Replica {
            peer: peer.clone(),
            url: endpoint.to_string().into(),
            endpoint,
            subchannel,
            in_flight: AtomicUsize::default(),
            outlier,
            outliers: outliers.clone(),
        }
    }

    pub fn set(&self) -> Arc<[Arc<Replica>]> {
        lock(&self.set).clone()
    }

    pub fn choose(&self, avoid: &[Address]) -> Choice {
        let set = self.set();
        let ready = |replica: &Replica| replica.subchannel.is_ready();
        let fresh = |replica: &Replica| !avoid.contains(&replica.endpoint.address);
        let well = |replica: &Replica| !replica.outlier.is_ejected();
        // A retry takes no turn: with two replicas, each call would begin where the last one failed.
        let turns = usize::from(avoid.is_empty());
        let chosen = self
            .of_two(&set, turns, |replica| fresh(replica) && ready(replica) && well(replica))
            .or_else(|| self.of_two(&set, turns, |replica| ready(replica) && well(replica)))
            .or_else(|| self.of_two(&set, turns, ready));
        let chosen = chosen.and_then(|replica| Some((replica.clone(), replica.subchannel.connection()?)));
        chosen.map_or_else(|| self.none_ready(&set), |(replica, connection)| Choice::Ready(replica, connection))
    }

    /// Two of those that are `fit`, the next in turn and any other; of these the one with fewer calls in flight, the first if they
    /// are equal. Looks at no more replicas than it has to: with a hundred, looking at all would cost as much as the call.
    fn of_two<'a>(
        &self,
        set: &'a [Arc<Replica>],
        turns: usize,
        fit: impl Fn(&Replica) -> bool,
    ) -> Option<&'a Arc<Replica>> {
        let begin = self.turn.load(Ordering::Relaxed);
        // Who is not fit is passed over, and its turn with it: else whoever comes next would have two.
        let next =
            |step| if turns == 0 { begin.wrapping_add(step) } else { self.turn.fetch_add(turns, Ordering::Relaxed) };
        let first = (0..set.len()).map(|step| next(step) % set.len()).find(|index| fit(&set[*index]))?;
        let from = first + rand::random_range(0..set.len());
        let mut others = (0..set.len()).map(|step| (from + step) % set.len()).filter(|index| *index != first);
        let in_flight = |index: usize| set[index].in_flight.load(Ordering::Relaxed);
        let second = others.find(|index| fit(&set[*index])).filter(|index| in_flight(*index) < in_flight(first));
        set.get(second.unwrap_or(first))
    }

    fn none_ready(&self, set: &[Arc<Replica>]) -> Choice {
        if set.is_empty() {
            return lock(&self.unresolved).map_or(Choice::Wait, Choice::Failed);
        }
        let mut worst: Option<Failure> = None;
        for replica in set {
            match replica.subchannel.failure() {
                None => return Choice::Wait,
                Some(failure) => worst = Some(worst.map_or(failure, |worst| worst.or_worse(failure))),
            }
        }
        worst.map_or(Choice::Wait, Choice::Failed)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
