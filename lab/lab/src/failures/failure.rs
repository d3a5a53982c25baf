//! What a failure is: how it comes about, and what a caller of B must get, and when.

use std::{fmt, ops::RangeInclusive, time::Duration};

use super::{
    outcome::{CallOutcome, Question},
    scene::Scene,
};

/// One way in which a call can fail, or fail to fail.
#[derive(Clone, Copy, Debug)]
pub struct Failure {
    /// The row of the contract.
    pub row: u8,
    /// Its name: the same in `lab break`, in the docs and in the tests.
    pub slug: &'static str,
    /// What is wrong, in a sentence.
    pub cause: &'static str,
    /// How it is made to happen.
    pub scene: Scene,
    /// What B is asked meanwhile.
    pub question: Question,
    /// What the caller must get.
    pub expected: Expected,
    /// And when.
    pub bound: Bound,
}

/// What the caller must get, on both faces.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Expected {
    /// The name of gRPC's code.
    pub code: &'static str,
    /// The HTTP status that a JSON caller gets.
    pub http: u16,
    /// The reason; empty for OK.
    pub reason: &'static str,
    /// The hop that decided; empty for OK.
    pub hop: &'static str,
}

/// How soon the answer must come, on an idle machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bound {
    /// Within that many milliseconds.
    Within(u64),
    /// When B's cap runs out, and not before.
    Cap,
    /// When B gives up connecting, at the latest.
    Connect,
    /// By the caller's deadline, which is that many milliseconds away, and not much before.
    Deadline(u64),
    /// When a keepalive of 10 s has had no answer for 3 s.
    Keepalive,
}

/// B's clocks.
#[derive(Clone, Copy, Debug)]
pub struct Times {
    /// `--service-a-timeout`.
    pub cap: Duration,
    /// `--service-a-connect-timeout`.
    pub connect: Duration,
}

impl Times {
    /// What B has without flags.
    pub const DEFAULT: Times = Times { cap: Duration::from_secs(2), connect: Duration::from_secs(1) };
    /// Short enough to wait for, many times.
    pub const SHORT: Times = Times { cap: Duration::from_millis(600), connect: Duration::from_millis(300) };
}

/// The slack that the contract leaves the scheduler of a 2-core machine.
const EPSILON: Duration = Duration::from_millis(50);
/// B keeps 5 ms of its caller's time back to answer in; a millisecond more or less is the clocks'.
const EARLY: Duration = Duration::from_millis(10);

impl Bound {
    /// The earliest and the latest moment.
    pub fn between(self, times: &Times) -> RangeInclusive<Duration> {
        let ms = Duration::from_millis;
        match self {
            Bound::Within(latest) => Duration::ZERO..=ms(latest),
            Bound::Cap => times.cap - ms(2)..=times.cap + EPSILON,
            Bound::Connect => Duration::ZERO..=times.connect + EPSILON,
            Bound::Deadline(after) => ms(after) - EARLY..=ms(after) + EPSILON,
            Bound::Keepalive => ms(10_000)..=ms(13_000) + 2 * EPSILON,
        }
    }

    /// Whether it holds, with `slack` at its end.
    pub fn holds(self, took: Duration, times: &Times, slack: Duration) -> bool {
        let between = self.between(times);
        (*between.start()..=*between.end() + slack).contains(&took)
    }
}

impl fmt::Display for Bound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Bound::Within(latest) if *latest >= 1000 => write!(f, "{} s", Duration::from_millis(*latest).as_secs_f64()),
            Bound::Within(latest) => write!(f, "{latest} ms"),
            Bound::Cap => f.write_str("B's cap + 50 ms"),
            Bound::Connect => f.write_str("connect timeout + 50 ms"),
            Bound::Deadline(_) => f.write_str("the deadline + 50 ms"),
            Bound::Keepalive => f.write_str("13 s, by a keepalive of 10 s"),
        }
    }
}

impl Failure {
    /// What is not as it must be, if anything: code, HTTP status, reason, hop, and the time with `slack` added.
    pub fn unmet(&self, seen: &CallOutcome, times: &Times, slack: Duration) -> Option<String> {
        let Expected { code, http, reason, hop } = self.expected;
        let between = self.bound.between(times);
        let wrong = [
            (seen.code != code).then(|| format!("expected {code}")),
            seen.http.is_some_and(|seen| seen != http).then(|| format!("expected HTTP {http}")),
            (seen.reason != reason).then(|| format!("expected {reason}")),
            (!seen.hop.is_empty() && seen.hop != hop).then(|| format!("expected it from {hop}")),
            (seen.took < *between.start()).then(|| format!("expected not before {} ms", between.start().as_millis())),
            (seen.took > *between.end() + slack).then(|| format!("expected within {} ms", between.end().as_millis())),
        ];
        let wrong: Vec<_> = wrong.into_iter().flatten().collect();
        (!wrong.is_empty()).then(|| wrong.join(", "))
    }
}
