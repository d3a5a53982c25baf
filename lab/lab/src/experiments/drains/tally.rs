//! What the peers of a process saw of its end, and what of it was not as it must be.

use std::time::{Duration, Instant};

use crate::{
    child::EXIT_AFTER_LAST_CALL,
    raw::{Ended, Fate},
};

/// What is added to the contract's bound, for several rounds share two cores, each with a process that starts.
const SLACK: Duration = Duration::from_millis(250);

/// What they saw.
pub struct Tally {
    /// When the signal was sent.
    pub signalled: Instant,
    /// The last answer, or the signal if there was none after it.
    pub last_answer: Instant,
    /// Calls that were answered whole.
    pub whole: usize,
    /// Calls sent after the signal that were not looked at.
    pub unprocessed: usize,
    /// Calls sent before the signal that were not answered whole, and later ones that were neither answered nor disowned.
    pub lost: usize,
    /// What was not as it must be, lost calls included.
    pub wrong: Vec<String>,
}

impl Tally {
    /// Nothing yet.
    pub fn new(signalled: Instant) -> Self {
        Tally { signalled, last_answer: signalled, whole: 0, unprocessed: 0, lost: 0, wrong: Vec::new() }
    }

    /// Both together.
    pub fn and(mut self, other: Tally) -> Tally {
        self.last_answer = self.last_answer.max(other.last_answer);
        self.whole += other.whole;
        self.unprocessed += other.unprocessed;
        self.lost += other.lost;
        self.wrong.extend(other.wrong);
        self
    }

    /// Notes what is wrong unless it held.
    pub fn must(&mut self, held: bool, what: &str) {
        if !held {
            self.wrong.push(what.to_owned());
        }
    }

    /// Counts the calls of a connection.
    pub fn calls(&mut self, who: &str, ended: &Ended) {
        for call in &ended.calls {
            match ended.fate(call) {
                Fate::Whole => self.answered(call.ended),
                Fate::Unprocessed if call.sent >= self.signalled => self.unprocessed += 1,
                Fate::Unprocessed => {
                    let before = (self.signalled - call.sent).as_micros();
                    let stream = call.stream;
                    let goaways = &ended.goaways;
                    let what =
                        format!("{who}: stream {stream}, sent {before} µs before the signal, not taken, {goaways:?}");
                    self.lost(what);
                }
                Fate::Lost(how) => self.lost(format!("{who}: lost, {how}")),
            }
        }
    }

    /// Counts a lost call.
    pub fn lost(&mut self, what: String) {
        self.lost += 1;
        self.wrong.push(what);
    }

    /// The same, and it must have been closed.
    pub fn calls_and_close(&mut self, who: &str, ended: &Ended) {
        self.calls(who, ended);
        self.must(ended.closed, &format!("{who}: the connection stays"));
    }

    /// Counts an answer.
    pub fn answered(&mut self, at: Option<Instant>) {
        self.whole += 1;
        self.last_answer = self.last_answer.max(at.unwrap_or(self.signalled));
    }

    /// A peer without a call must be gone soon after the signal.
    pub fn gone(&mut self, who: &str, at: Option<Instant>) {
        let after = at.map(|at| at.saturating_duration_since(self.signalled));
        self.must(after.is_some_and(|after| after <= idle_bound()), &format!("{who}: gone after {after:?}"));
    }
}

/// How soon an idle peer must be gone.
pub fn idle_bound() -> Duration {
    EXIT_AFTER_LAST_CALL + SLACK
}
