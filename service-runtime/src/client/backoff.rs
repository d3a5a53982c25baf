//! The pauses between tries to connect: gRPC's connection backoff with a shorter end, for a peer is down for seconds, not
//! minutes.

use std::time::Duration;

use rand::{RngExt, SeedableRng, rngs::StdRng};

/// The first pause, and how it grows; each is ± 20 % so that many clients do not come at the same moment.
pub(crate) const FIRST_PAUSE: Duration = Duration::from_millis(200);
const GROWTH: f64 = 1.6;
const JITTER: f64 = 0.2;
const LONGEST: Duration = Duration::from_secs(1);

/// Pauses that grow, until a connection is there.
#[derive(Debug)]
pub struct Backoff {
    next: Duration,
    max: Duration,
    random: StdRng,
}

impl Default for Backoff {
    /// Up to a second.
    fn default() -> Self {
        Self::new(LONGEST)
    }
}

impl Backoff {
    /// Up to `max`, 20 % more or less.
    pub fn new(max: Duration) -> Self {
        Self::drawn_from(max, StdRng::from_rng(&mut rand::rng()))
    }

    /// The same with another source of chance, such as one that can be repeated.
    pub(crate) fn drawn_from(max: Duration, random: StdRng) -> Self {
        Backoff { next: FIRST_PAUSE.min(max), max, random }
    }

    /// Begins again with the first pause: a connection was there.
    pub fn reset(&mut self) {
        self.next = FIRST_PAUSE.min(self.max);
    }

    /// How long to wait before the next try.
    pub fn next_pause(&mut self) -> Duration {
        let pause = self.next;
        self.next = pause.mul_f64(GROWTH).min(self.max);
        pause.mul_f64(self.random.random_range(1.0 - JITTER..=1.0 + JITTER))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn backs_off_within_the_contract() {
        let mut backoff = Backoff::default();
        for _ in 0..2 {
            for expected in [200.0, 320.0, 512.0, 819.2, 1000.0, 1000.0] {
                let pause = backoff.next_pause().as_secs_f64() * 1000.0;
                assert!((expected * 0.799..=expected * 1.201).contains(&pause), "{pause} around {expected}");
            }
            backoff.reset();
        }
    }
}
