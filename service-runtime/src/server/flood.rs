//! How many frames a peer may send that only cost the server, weighed against answers.
//!
//! Every flood of HTTP/2 frames looks the same from here: PING, SETTINGS, PRIORITY, WINDOW_UPDATE, empty DATA, CONTINUATION,
//! streams reset at once by the peer (rapid reset) or by the server for the peer's mistakes (MadeYouReset).

use std::time::Duration;

use tokio::time::Instant;

use crate::frames::{DATA, END_STREAM, HEADERS, Head, PING, RST_STREAM, SETTINGS};

/// The most frames of this kind at once. A process that was frozen for a moment comes back to a thousand calls that were given up
/// meanwhile, and its caller is no attacker.
const BURST: u32 = 2_000;
/// One frame is earned back in this time: 1,000 a second are sustainable. An attacker sends a hundred times as many.
const ONE_MORE: Duration = Duration::from_millis(1);
/// Above this number a peer is read slowly as long as it goes on with them, so that others do not notice what it costs.
const SUSPECT: u32 = BURST / 10;
/// What one frame of an answer pays for: a caller may update windows, PING to measure the bandwidth, and cancel.
const ANSWER: u32 = 2;

/// More than a peer may ask for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Flood {
    /// Most of its useless frames are of this kind.
    kind: u8,
}

impl Flood {
    /// What the peer is told, as the debug data of GOAWAY. grpc-go, grpc-java and C-core send their keepalive PINGs half as often
    /// where it is `too_many_pings`, to the letter (gRFC A8). The others are h2's words, or like them, for whoever looks for the
    /// reason in the client's log.
    pub fn debug_data(self) -> &'static str {
        match self.kind {
            PING => "too_many_pings",
            RST_STREAM => "too_many_resets",
            SETTINGS => "too_many_settings",
            DATA => "too_many_data_frames",
            _ => "too_many_control_frames",
        }
    }
}

/// How a peer is to be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Pace {
    /// As quickly as it sends.
    Free,
    /// Little at a time, with pauses.
    Slow,
}

/// What is left to a peer.
#[derive(Debug)]
pub struct FloodBudget {
    spent: u32,
    /// Up to when time has paid.
    paid: Instant,
    /// The kind that most frames were of, and by how many it leads (Boyer and Moore's majority vote: one counter for all kinds).
    most: (u8, u32),
}

impl FloodBudget {
    pub fn new(now: Instant) -> Self {
        FloodBudget { spent: 0, paid: now, most: (0, 0) }
    }

    /// A frame of the peer's. Returns how to read on.
    pub fn received(&mut self, head: Head, now: Instant) -> Result<Pace, Flood> {
        if is_useful(head) {
            return Ok(Pace::Free);
        }
        self.spend(head.kind, now)?;
        Ok(if self.is_suspect() { Pace::Slow } else { Pace::Free })
    }

    /// Whether the peer is read slowly.
    pub fn is_suspect(&self) -> bool {
        self.spent > SUSPECT
    }

    /// A frame of the server's.
    pub fn sent(&mut self, head: Head, now: Instant) -> Result<(), Flood> {
        match head.kind {
            RST_STREAM => return self.spend(head.kind, now),
            DATA | HEADERS => self.spent = self.spent.saturating_sub(ANSWER),
            _ => {}
        }
        Ok(())
    }

    fn spend(&mut self, kind: u8, now: Instant) -> Result<(), Flood> {
        self.spent += 1;
        self.most = match self.most {
            (most, lead) if most == kind => (most, lead.saturating_add(1)),
            (_, 0) => (kind, 1),
            (most, lead) => (most, lead - 1),
        };
        // Looked at only here: most connections never come so far.
        if self.spent > SUSPECT {
            self.earn(now);
        }
        if self.spent > BURST { Err(Flood { kind: self.most.0 }) } else { Ok(()) }
    }

    fn earn(&mut self, now: Instant) {
        let earned = now.duration_since(self.paid).as_nanos() / ONE_MORE.as_nanos();
        match u32::try_from(earned) {
            Ok(earned) if earned < self.spent => {
                self.spent -= earned;
                // What is left of a millisecond counts the next time.
                self.paid += ONE_MORE * earned;
            }
            _ => *self = FloodBudget::new(now),
        }
    }
}

/// The begin of a call, and what it brings along.
fn is_useful(head: Head) -> bool {
    match head.kind {
        HEADERS => true,
        DATA => head.length > 0 || head.has(END_STREAM),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frames::{CONTINUATION, GOAWAY};

    fn head(kind: u8) -> Head {
        Head { length: 0, kind, flags: 0, stream: 1 }
    }

    #[tokio::test(start_paused = true)]
    async fn is_used_up_by_any_frame_that_is_no_call() {
        let now = Instant::now();
        let (priority, window_update, unknown) = (2, 8, 99);
        for kind in [DATA, priority, RST_STREAM, SETTINGS, PING, GOAWAY, window_update, CONTINUATION, unknown] {
            let mut budget = FloodBudget::new(now);
            for sent in 0..BURST {
                let pace = if sent < SUSPECT { Pace::Free } else { Pace::Slow };
                assert_eq!(budget.received(head(kind), now), Ok(pace), "kind {kind} after {sent}");
            }
            assert_eq!(budget.received(head(kind), now), Err(Flood { kind }), "kind {kind}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn is_used_up_by_resets_that_the_peer_makes_the_server_send() {
        let now = Instant::now();
        let mut budget = FloodBudget::new(now);
        assert!((0..BURST).all(|_| budget.sent(head(RST_STREAM), now).is_ok()));
        assert_eq!(budget.sent(head(RST_STREAM), now), Err(Flood { kind: RST_STREAM }));
    }

    #[tokio::test(start_paused = true)]
    async fn names_the_kind_that_most_frames_were_of_and_not_the_one_that_was_too_much() {
        let (now, window_update) = (Instant::now(), 8);
        for (mix, words) in [
            ([PING, PING, SETTINGS], "too_many_pings"),
            ([PING, SETTINGS, SETTINGS], "too_many_settings"),
            ([RST_STREAM, RST_STREAM, PING], "too_many_resets"),
            ([DATA, DATA, PING], "too_many_data_frames"),
            ([window_update, window_update, PING], "too_many_control_frames"),
        ] {
            let mut budget = FloodBudget::new(now);
            let flood = mix.iter().cycle().find_map(|kind| budget.received(head(*kind), now).err());
            assert_eq!(flood.unwrap().debug_data(), words);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn slows_a_peer_down_until_time_or_answers_have_paid() {
        let now = Instant::now();
        let (ping, mut budget) = (head(PING), FloodBudget::new(now));
        assert!((0..SUSPECT).all(|_| budget.received(ping, now) == Ok(Pace::Free)));
        assert_eq!(budget.received(ping, now), Ok(Pace::Slow));
        assert_eq!(budget.received(head(HEADERS), now), Ok(Pace::Free), "a call");
        assert_eq!(budget.sent(head(HEADERS), now), Ok(()));
        assert_eq!(budget.received(ping, now), Ok(Pace::Free));
        assert!((0..SUSPECT).all(|_| budget.received(ping, now) == Ok(Pace::Slow)));
        // Two thirds of a millisecond each, of which nothing gets lost.
        let passed = ONE_MORE * 2 / 3;
        assert!((1..=SUSPECT).all(|n| budget.received(ping, now + passed * n).is_ok()));
        assert_eq!(budget.spent, 3 * SUSPECT - SUSPECT * 2 / 3);
        assert_eq!(budget.received(ping, now + ONE_MORE * 3 * SUSPECT), Ok(Pace::Free));
    }

    #[tokio::test(start_paused = true)]
    async fn is_not_used_up_by_calls_nor_by_what_goes_with_them() {
        let now = Instant::now();
        let mut budget = FloodBudget::new(now);
        let window_update = head(8);
        for _ in 0..10 * BURST {
            for _ in 0..6 {
                assert_eq!(budget.received(window_update, now), Ok(Pace::Free));
            }
            for kind in [HEADERS, DATA, HEADERS] {
                assert_eq!(budget.sent(head(kind), now), Ok(()));
            }
            let message = Head { length: 5, ..head(DATA) };
            let end = Head { flags: END_STREAM, ..head(DATA) };
            for frame in [head(HEADERS), message, end] {
                assert_eq!(budget.received(frame, now), Ok(Pace::Free));
            }
        }
    }

    #[tokio::test(start_paused = true)]
    async fn is_paid_by_time() {
        let began = Instant::now();
        let mut budget = FloodBudget::new(began);
        let ping = head(PING);
        // A PING every millisecond for as long as a connection lives.
        for at in 0..10 * BURST {
            assert!(budget.received(ping, began + ONE_MORE * at).is_ok(), "after {at}");
        }
        let later = began + ONE_MORE * 20 * BURST;
        assert!((0..BURST).all(|_| budget.received(ping, later).is_ok()));
    }
}
