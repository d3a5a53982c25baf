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

use tokio::sync::Notify;

use super::{
    Backoff, Dial, Endpoint, Keepalive,
    changes::Changes,
    line::Line,
    outlier::Outliers,
    peer_log::PeerLog,
    pool::Total,
    replica::{Attempt, Replica},
    state::{Failure, State},
    subchannel::{Connect, Subchannel},
    subset::Subset,
};
use crate::{address::Address, identity::Peer};

/// The replicas that there are, now.
pub(crate) struct Replicas {
    config: ReplicaConfig,
    set: Mutex<Arc<[Arc<Replica>]>>,
    /// What a name without an address means; `None` until it has been looked up.
    unresolved: Mutex<Option<Failure>>,
    /// Calls that wait.
    pub line: Line<Result<Attempt, Failure>>,
    changes: Arc<Changes>,
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
    pub keepalive: Option<Keepalive>,
    /// The most connections to one replica.
    pub connections: usize,
    pub total: Arc<Total>,
    pub log: Arc<PeerLog>,
    pub outliers: Arc<Outliers>,
    pub subset: Subset,
}

/// Where a call goes.
pub(crate) enum Choice {
    /// There.
    Ready(Attempt),
    /// As soon as a try that is under way has ended.
    Wait,
    /// As soon as a stream is free.
    Full,
    /// Nowhere.
    Failed(Failure),
}

impl Replicas {
    pub fn new(config: ReplicaConfig) -> Self {
        let changes = Arc::new(Changes::default());
        Replicas {
            line: Line::new(changes.clone()),
            changes,
            config,
            set: Mutex::new(Arc::new([])),
            unresolved: Mutex::default(),
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
        self.changes.happened();
    }

    /// Returns when a connection was lost or could not be made: perhaps the addresses have changed.
    pub async fn trouble(&self) {
        self.trouble.notified().await;
    }

    fn make(&self, endpoint: Endpoint) -> Replica {
        self.make_with(endpoint, Backoff::new(self.config.max_backoff))
    }

    fn make_with(&self, endpoint: Endpoint, backoff: Backoff) -> Replica {
        let config = &self.config;
        let connect = Connect {
            peer: config.peer.clone(),
            timeout: config.connect_timeout,
            backoff,
            keepalive: config.keepalive,
            connections: config.connections,
            total: config.total.clone(),
            log: config.log.clone(),
            changes: self.changes.clone(),
        };
        let trouble = self.trouble.clone();
        let subchannel = Subchannel::new(config.dialer.clone(), &endpoint, connect, move || trouble.notify_one());
        let outlier = config.outliers.of(&endpoint.address);
        Replica {
            peer: config.peer.clone(),
            url: endpoint.to_string().into(),
            endpoint,
            subchannel,
            in_flight: AtomicUsize::default(),
            outlier,
            outliers: config.outliers.clone(),
            changes: self.changes.clone(),
        }
    }

    pub fn set(&self) -> Arc<[Arc<Replica>]> {
        lock(&self.set).clone()
    }

    /// A replica for a call, and a stream to it. Where there is none, whoever can do something about it is told so.
    pub fn choose(&self, avoid: &[Address]) -> Choice {
        let set = self.set();
        let has_room = |replica: &Replica| replica.subchannel.has_room();
        let fresh = |replica: &Replica| !avoid.contains(&replica.endpoint.address);
        let well = |replica: &Replica| !replica.outlier.is_ejected();
        // A retry takes no turn: with two replicas, each call would begin where the last one failed.
        let turns = usize::from(avoid.is_empty());
        let chosen = self
            .of_two(&set, turns, |replica| fresh(replica) && has_room(replica) && well(replica))
            .or_else(|| self.of_two(&set, turns, |replica| has_room(replica) && well(replica)))
            .or_else(|| self.of_two(&set, turns, has_room));
        match chosen.and_then(Replica::reserve) {
            Some(attempt) => Choice::Ready(attempt),
            None => self.none_has_room(&set),
        }
    }

    /// Gives calls that wait their turn, whenever something has changed.
    pub async fn serve_line(&self) {
        loop {
            self.changes.next().await;
            self.line.serve(|avoid| match self.choose(avoid) {
                Choice::Ready(attempt) => Some(Ok(attempt)),
                Choice::Failed(failure) => Some(Err(failure)),
                Choice::Wait | Choice::Full => None,
            });
        }
    }

    /// The calls that all replicas which are connected take at once with all the connections that they may have; `None` where
    /// none is.
    pub fn most_streams(&self) -> Option<usize> {
        let set = self.set();
        let each = set.iter().filter_map(|replica| replica.subchannel.most_streams());
        each.reduce(usize::saturating_add)
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

    fn none_has_room(&self, set: &[Arc<Replica>]) -> Choice {
        if set.is_empty() {
            return lock(&self.unresolved).map_or(Choice::Wait, Choice::Failed);
        }
        let mut worst: Option<Failure> = None;
        let (mut is_connecting, mut is_full) = (false, false);
        for replica in set {
            match replica.subchannel.state() {
                State::TransientFailure(failure) => {
                    worst = Some(worst.map_or(failure, |worst| worst.or_worse(failure)));
                    continue;
                }
                State::Connecting => is_connecting = true,
                State::Ready => is_full = true,
            }
            replica.subchannel.want();
        }
        match worst {
            _ if is_full => Choice::Full,
            Some(failure) if !is_connecting => Choice::Failed(failure),
            _ => Choice::Wait,
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
