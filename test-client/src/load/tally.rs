//! What came of many calls: counted by outcome, by instance and by second. Each thread has its own; they are added up at
//! the end.

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use super::{caller::Answer, latency::Latencies, outcome::Outcome, seconds::Seconds};

/// How many different outcomes, and how many instances, are told apart: a bound for peers that make them up.
const DIFFERENT: usize = 100;

/// A call that has ended.
pub struct Ended {
    /// When it was to start: in a closed loop, when it started.
    pub intended: Instant,
    /// When it started.
    pub started: Instant,
    /// When it ended.
    pub at: Instant,
    /// What came of it.
    pub answer: Answer,
}

/// What came of many calls.
#[derive(Clone)]
pub struct Tally {
    /// From when on calls count.
    since: Instant,
    /// How long the calls took that went well, from their intended start.
    pub ok: Latencies,
    /// The same of all others.
    pub failed: Latencies,
    /// How much later than intended they started.
    pub lag: Latencies,
    /// How many there are of each outcome.
    pub outcomes: HashMap<Outcome, u64>,
    /// The same calls by who answered.
    pub instances: HashMap<String, Instance>,
    /// The same calls by the second.
    pub seconds: Seconds,
    /// Whether there was a connection for any call, those of the warm-up included.
    pub any_sent: bool,
    /// Whether any answer said that what `rpc-behavior` asks for was not done, those of the warm-up included.
    pub ignores_behavior: bool,
    /// Calls that could not start at all.
    pub not_started: u64,
    /// Calls that had no end a second after their deadline.
    pub lost: u64,
    /// Calls that were still under way when Ctrl-C came.
    pub unfinished: u64,
    /// Calls that waited for another one to end, since too many were in flight.
    pub queued: u64,
    /// How much of its time the busiest thread had something to do, from 0 to 1.
    pub busy: f64,
    /// When the last call started, from the beginning.
    pub last_start: Duration,
    /// When the last call ended, from the beginning.
    pub last_end: Duration,
}

/// What one instance answered.
#[derive(Clone)]
pub struct Instance {
    /// How long it took, failures included.
    pub latencies: Latencies,
    /// How many of the answers were failures.
    pub errors: u64,
}

impl Tally {
    /// Counts calls that were to start at `since` or later.
    pub fn new(since: Instant) -> Self {
        Tally {
            since,
            ok: Latencies::fine(),
            failed: Latencies::fine(),
            lag: Latencies::fine(),
            outcomes: HashMap::new(),
            instances: HashMap::new(),
            seconds: Seconds::default(),
            any_sent: false,
            ignores_behavior: false,
            not_started: 0,
            lost: 0,
            unfinished: 0,
            queued: 0,
            busy: 0.0,
            last_start: Duration::ZERO,
            last_end: Duration::ZERO,
        }
    }

    /// Whether a call that was to start at `intended` counts; those of the warm-up do not.
    pub fn counts(&self, intended: Instant) -> bool {
        intended >= self.since
    }

    /// Takes one more.
    pub fn record(&mut self, ended: Ended) {
        if !self.counts(ended.intended) {
            return;
        }
        let Ended { intended, started, at, answer } = ended;
        let latency = at - intended;
        let is_ok = answer.outcome == Outcome::OK;
        if is_ok { &mut self.ok } else { &mut self.failed }.record(latency);
        self.lag.record(started - intended);
        self.last_start = self.last_start.max(started - self.since);
        self.last_end = self.last_end.max(at - self.since);
        self.seconds.record(intended - self.since, at - self.since, &answer.outcome);
        if let Some(name) = &answer.served_by {
            self.instance(name.as_bytes()).record(latency, is_ok);
        }
        self.count(answer.outcome, 1);
    }

    /// Takes all of `other`.
    pub fn add(&mut self, other: Tally) {
        self.ok.add(&other.ok);
        self.failed.add(&other.failed);
        self.lag.add(&other.lag);
        other.outcomes.into_iter().for_each(|(outcome, calls)| self.count(outcome, calls));
        for (name, instance) in other.instances {
            self.instance(name.as_bytes()).add(&instance);
        }
        self.seconds.add(&other.seconds);
        self.any_sent |= other.any_sent;
        self.ignores_behavior |= other.ignores_behavior;
        self.not_started += other.not_started;
        self.lost += other.lost;
        self.unfinished += other.unfinished;
        self.queued += other.queued;
        self.busy = self.busy.max(other.busy);
        self.last_start = self.last_start.max(other.last_start);
        self.last_end = self.last_end.max(other.last_end);
    }

    fn count(&mut self, outcome: Outcome, calls: u64) {
        let known = self.outcomes.len() < DIFFERENT || self.outcomes.contains_key(&outcome);
        *self.outcomes.entry(if known { outcome } else { Outcome::OTHERS }).or_default() += calls;
    }

    fn instance(&mut self, name: &[u8]) -> &mut Instance {
        let name = String::from_utf8_lossy(name);
        let known = self.instances.len() < DIFFERENT || self.instances.contains_key(name.as_ref());
        let name = if known { name.as_ref() } else { "(others)" };
        if !self.instances.contains_key(name) {
            self.instances.insert(name.to_owned(), Instance { latencies: Latencies::coarse(), errors: 0 });
        }
        self.instances.get_mut(name).expect("it has just been looked for")
    }
}

impl Instance {
    fn record(&mut self, latency: Duration, is_ok: bool) {
        self.latencies.record(latency);
        self.errors += u64::from(!is_ok);
    }

    fn add(&mut self, other: &Instance) {
        self.latencies.add(&other.latencies);
        self.errors += other.errors;
    }
}
