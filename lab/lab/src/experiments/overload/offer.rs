//! An open loop: calls start at evenly spaced instants, whatever comes back. One thread, a look around each millisecond.

use std::{
    io, thread,
    time::{Duration, Instant},
};

use super::wire::{Connection, Ended, Target};
use crate::experiments::figures::Figures;

/// What is due within it starts together, and what came in it is seen together: latencies are right to this.
const TICK: Duration = Duration::from_millis(1);
/// How long is waited after the last start for calls to end; a call without an end by then is lost.
const LAST_ANSWER_TIMEOUT: Duration = Duration::from_secs(2);

/// How the calls come.
#[derive(Clone, Copy, Debug)]
pub enum Pace {
    /// That many calls a second.
    Open(f64),
    /// That many calls at a time, each followed by the next one.
    Closed(usize),
}

/// What came of the calls that were to start in some time.
#[derive(Clone, Debug, Default)]
pub struct Outcome {
    /// How long that was.
    pub took: Duration,
    /// Calls that were to start.
    pub offered: usize,
    /// Calls that found no room for their start, on any connection.
    pub kept_back: usize,
    /// Calls with a message, from when they were to start.
    pub answered: Figures,
    /// Calls with nothing but a status.
    pub refused: Figures,
    /// Calls without an end.
    pub lost: usize,
}

impl Outcome {
    /// Calls per second that were made.
    pub fn made(&self) -> f64 {
        per_second(self.offered - self.kept_back, self.took)
    }

    /// Calls per second that were answered with a message.
    pub fn goodput(&self) -> f64 {
        per_second(self.answered.len(), self.took)
    }

    fn take(&mut self, ended: &Ended, now: Instant) {
        let ms = (now - ended.intended).as_secs_f64() * 1000.0;
        if ended.answered { &mut self.answered } else { &mut self.refused }.add(ms);
    }
}

#[expect(clippy::cast_precision_loss, reason = "nobody makes 2^53 calls")]
fn per_second(calls: usize, took: Duration) -> f64 {
    calls as f64 / took.as_secs_f64()
}

/// Some connections, to be used for one pace after the other.
pub struct Connections(Vec<Connection>);

impl Connections {
    /// Opens that many connections. Errors: nothing listens there.
    pub fn new(target: &Target, connections: usize) -> io::Result<Self> {
        (0..connections).map(|_| Connection::open(target)).collect::<io::Result<Vec<_>>>().map(Connections)
    }

    /// Makes calls for that time, waits for the last of them, and says what came of them. Blocks. Errors: a connection is over.
    pub fn offer(&mut self, pace: Pace, duration: Duration) -> io::Result<Outcome> {
        let start = Instant::now();
        let mut outcome = Outcome { took: duration, ..Outcome::default() };
        let mut buffer = vec![0; 64 * 1024];
        loop {
            let now = Instant::now();
            let elapsed = now - start;
            if elapsed < duration {
                self.start(pace, start, elapsed, &mut outcome);
            } else if self.under_way() == 0 || elapsed > duration + LAST_ANSWER_TIMEOUT {
                outcome.lost = self.under_way();
                return Ok(outcome);
            }
            for connection in &mut self.0 {
                connection.flush()?;
                connection.receive(&mut buffer, |ended| outcome.take(&ended, Instant::now()))?;
            }
            thread::sleep(TICK.saturating_sub(now.elapsed()));
        }
    }

    /// Starts what is due.
    fn start(&mut self, pace: Pace, start: Instant, elapsed: Duration, outcome: &mut Outcome) {
        let due = match pace {
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a count")]
            Pace::Open(rate) => (elapsed.as_secs_f64() * rate) as usize - outcome.offered,
            Pace::Closed(callers) => callers.saturating_sub(self.under_way()),
        };
        for _ in 0..due {
            let intended = match pace {
                #[expect(clippy::cast_precision_loss, reason = "nobody makes 2^53 calls")]
                Pace::Open(rate) => start + Duration::from_secs_f64(outcome.offered as f64 / rate),
                Pace::Closed(_) => start + elapsed,
            };
            outcome.offered += 1;
            // In turn, but where there is room: one connection that lags must not keep the others' calls back.
            let turn = outcome.offered % self.0.len();
            let (before, from) = self.0.split_at_mut(turn);
            match from.iter_mut().chain(before).find(|connection| connection.has_room()) {
                Some(connection) => connection.call(intended),
                None => outcome.kept_back += 1,
            }
        }
    }

    fn under_way(&self) -> usize {
        self.0.iter().map(Connection::under_way).sum()
    }
}
