//! Deadlines: read from the wire, kept while the call runs, passed on with a margin.
//!
//! On the wire there is a timeout (`grpc-timeout`), which shrinks on its way; in the program there is a deadline, an instant.

use std::time::Duration;

use http::{HeaderMap, HeaderValue};
use tokio::time::{Instant, timeout_at};

use crate::fields::{once, single};

/// gRPC's header for the time the caller still has.
pub const GRPC_TIMEOUT: &str = "grpc-timeout";

/// What a service keeps back from its caller's time, so that it answers before the caller gives up.
pub const MARGIN: Duration = Duration::from_millis(5);

/// A duration beyond this is as good as endless, and no flag takes one; it also keeps the arithmetic on instants from overflowing.
pub const FOREVER: Duration = Duration::from_secs(365 * 24 * 3600);

/// The instant at which a caller stops waiting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Deadline {
    at: Instant,
    timeout: Duration,
}

/// A `grpc-timeout` that is not what gRPC says it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Malformed;

/// The deadline came before the answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Passed;

/// Who set the deadline of a call to a peer: the difference between DEADLINE_EXCEEDED and UNAVAILABLE.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SetBy {
    /// Our caller has no more time: DEADLINE_EXCEEDED.
    Caller,
    /// Our own cap on the call: the peer is too slow, that is UNAVAILABLE.
    Cap,
}

impl Deadline {
    /// The deadline `timeout` from now.
    pub fn after(timeout: Duration) -> Self {
        Deadline { at: after(Instant::now(), timeout), timeout }
    }

    /// Reads `grpc-timeout`: at most eight digits and a unit, such as `500m` (milliseconds).
    ///
    /// Absent is `None`; malformed is an error, and so are two of them. Source: gRPC over HTTP/2, "Timeout".
    pub fn read(headers: &HeaderMap) -> Result<Option<Self>, Malformed> {
        let Some(value) = single(headers, GRPC_TIMEOUT).map_err(|_| Malformed)? else {
            return Ok(None);
        };
        let timeout = value.to_str().ok().and_then(parse).ok_or(Malformed)?;
        Ok(Some(Self::after(timeout)))
    }

    /// The instant itself.
    pub fn at(&self) -> Instant {
        self.at
    }

    /// The timeout as it arrived.
    pub fn timeout(&self) -> Duration {
        self.timeout
    }

    /// What is left; zero once it has passed.
    pub fn remaining(&self) -> Duration {
        self.at.saturating_duration_since(Instant::now())
    }

    /// The deadline of a call to a peer: the caller's less [`MARGIN`], `cap` from now, or `own`, which was set on the call itself,
    /// whichever comes first. Without any of them there is none.
    pub fn for_peer(
        caller: Option<Deadline>,
        cap: Option<Duration>,
        own: Option<Deadline>,
    ) -> Option<(Deadline, SetBy)> {
        let ours = [cap.map(Deadline::after), own].into_iter().flatten().min_by_key(Deadline::at);
        let left = caller.map(|caller| caller.remaining().saturating_sub(MARGIN));
        match (left, ours) {
            (Some(left), Some(ours)) if left >= ours.remaining() => Some((ours, SetBy::Cap)),
            (Some(left), _) => Some((Deadline::after(left), SetBy::Caller)),
            (None, ours) => Some((ours?, SetBy::Cap)),
        }
    }

    /// What is left, as the value of `grpc-timeout`.
    pub fn to_header(&self) -> HeaderValue {
        let left = self.remaining();
        let [nanos, micros, millis, secs] =
            [left.as_nanos(), left.as_micros(), left.as_millis(), left.as_secs().into()];
        let units = [(nanos, 'n'), (micros, 'u'), (millis, 'm'), (secs, 'S'), (secs / 60, 'M'), (secs / 3600, 'H')];
        // The finest unit in which it has at most eight digits. A deadline is a year away at most, and a year in seconds has eight.
        let (number, unit) = units.into_iter().find(|(number, _)| *number < 100_000_000).unwrap_or((99_999_999, 'H'));
        once(HeaderValue::try_from(format!("{number}{unit}")).expect("digits and a letter are a header value"))
    }

    /// Tells the peer, in the `grpc-timeout` of `request`, how long it has.
    #[expect(clippy::disallowed_methods, reason = "this is the one place that sets a request's timeout")]
    pub fn set_on<T>(&self, request: &mut tonic::Request<T>) {
        request.set_timeout(self.remaining());
    }
}

/// Runs `work` until it ends or the deadline passes; without a deadline until it ends.
pub async fn keep<T>(deadline: Option<Deadline>, work: impl Future<Output = T>) -> Result<T, Passed> {
    match deadline {
        None => Ok(work.await),
        // Zero time means no work at all: not even the first step of it.
        Some(deadline) if deadline.remaining().is_zero() => Err(Passed),
        Some(deadline) => timeout_at(deadline.at, work).await.map_err(|_| Passed),
    }
}

/// `duration` after `instant`, or [`FOREVER`] after it where that is shorter: a configuration may hold a duration that no clock can add.
pub fn after(instant: Instant, duration: Duration) -> Instant {
    instant + duration.min(FOREVER)
}

/// A duration in whole milliseconds.
pub fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// A duration in whole milliseconds, as a header value.
pub fn header_ms(duration: Duration) -> HeaderValue {
    once(HeaderValue::from(millis(duration)))
}

fn parse(text: &str) -> Option<Duration> {
    let (digits, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    if !(1..=8).contains(&digits.len()) || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let n: u64 = digits.parse().ok()?;
    Some(match unit {
        "H" => Duration::from_secs(n * 3600),
        "M" => Duration::from_secs(n * 60),
        "S" => Duration::from_secs(n),
        "m" => Duration::from_millis(n),
        "u" => Duration::from_micros(n),
        "n" => Duration::from_nanos(n),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_every_unit() {
        let read = [
            ("1H", Duration::from_secs(3600)),
            ("1M", Duration::from_secs(60)),
            ("1S", Duration::from_secs(1)),
            ("500m", Duration::from_millis(500)),
            ("7u", Duration::from_micros(7)),
            ("0n", Duration::ZERO),
            ("99999999H", Duration::from_secs(99_999_999 * 3600)),
        ];
        for (text, expected) in read {
            assert_eq!(parse(text), Some(expected), "{text}");
        }
    }

    #[test]
    fn refuses_what_grpc_does_not_allow() {
        for text in ["", "m", "abc", "-1S", "+100m", "999999999S", "100X", "1.5S", " 1S", "1 S", "1é", "é"] {
            assert_eq!(parse(text), None, "{text}");
        }
    }

    #[test]
    fn refuses_two_of_which_one_would_have_to_be_ignored() {
        let mut headers = HeaderMap::new();
        for value in ["1S", "1S"] {
            headers.append(GRPC_TIMEOUT, HeaderValue::from_static(value));
        }
        assert_eq!(Deadline::read(&headers), Err(Malformed));
    }

    #[tokio::test(start_paused = true)]
    async fn gives_the_peer_less_than_the_caller_has() {
        let caller = Deadline::after(Duration::from_millis(300));
        let (deadline, set_by) = Deadline::for_peer(Some(caller), Some(Duration::from_secs(2)), None).unwrap();
        assert_eq!((deadline.remaining(), set_by), (Duration::from_millis(295), SetBy::Caller));
    }

    #[tokio::test(start_paused = true)]
    async fn caps_a_patient_caller_and_one_without_a_deadline() {
        let cap = Duration::from_secs(2);
        for caller in [None, Some(Deadline::after(Duration::from_secs(60)))] {
            let (deadline, set_by) = Deadline::for_peer(caller, Some(cap), None).unwrap();
            assert_eq!((deadline.remaining(), set_by), (cap, SetBy::Cap));
        }
    }

    #[tokio::test(start_paused = true)]
    async fn gives_a_stream_its_callers_time_alone_and_any_call_what_was_set_on_itself() {
        let [short, long] = [100, 60_000].map(|ms| Deadline::after(Duration::from_millis(ms)));
        let for_peer = |caller, cap: Option<u64>, own| {
            let of = Deadline::for_peer(caller, cap.map(Duration::from_millis), own);
            of.map(|(deadline, set_by)| (deadline.remaining().as_millis(), set_by))
        };
        assert_eq!(for_peer(None, None, None), None);
        assert_eq!(for_peer(Some(long), None, None), Some((59_995, SetBy::Caller)));
        assert_eq!(for_peer(Some(long), Some(2000), Some(short)), Some((100, SetBy::Cap)));
        assert_eq!(for_peer(Some(short), Some(2000), Some(long)), Some((95, SetBy::Caller)));
        assert_eq!(for_peer(None, None, Some(short)), Some((100, SetBy::Cap)));
    }

    #[tokio::test(start_paused = true)]
    async fn does_no_work_for_a_caller_who_is_gone() {
        let late = Deadline::after(Duration::ZERO);
        assert_eq!(keep(Some(late), async { 1 }).await, Err(Passed));
        let in_time = Deadline::after(Duration::from_nanos(1_000_000));
        assert_eq!(keep(Some(in_time), async { 1 }).await, Ok(1));
    }

    #[tokio::test(start_paused = true)]
    async fn survives_the_longest_timeout_there_is() {
        let headers = HeaderMap::from_iter([(
            http::HeaderName::from_static(GRPC_TIMEOUT),
            HeaderValue::from_static("99999999H"),
        )]);
        let deadline = Deadline::read(&headers).unwrap().unwrap();
        assert_eq!(deadline.timeout(), Duration::from_secs(99_999_999 * 3600));
        let a_year = Duration::from_secs(31_536_000);
        assert_eq!((deadline.remaining(), Deadline::after(a_year).remaining()), (a_year, a_year));
    }

    #[tokio::test(start_paused = true)]
    async fn takes_a_tie_for_the_cap_because_the_caller_still_has_the_margin() {
        let cap = Duration::from_secs(2);
        let caller = Deadline::after(cap + MARGIN);
        let (deadline, set_by) = Deadline::for_peer(Some(caller), Some(cap), None).unwrap();
        assert_eq!((deadline.remaining(), set_by), (cap, SetBy::Cap));
    }

    #[tokio::test(start_paused = true)]
    async fn writes_what_it_can_read_as_finely_as_eight_digits_allow() {
        for (left, text) in [
            (Duration::ZERO, "0n"),
            (Duration::from_millis(99), "99000000n"),
            (Duration::from_millis(100), "100000u"),
            (Duration::from_secs(100), "100000m"),
            (Duration::from_secs(100_000), "100000S"),
            (FOREVER, "31536000S"),
        ] {
            let deadline = Deadline::after(left);
            assert_eq!((deadline.to_header(), parse(text)), (HeaderValue::from_static(text), Some(left)));
        }
    }

    #[tokio::test(start_paused = true)]
    async fn tells_the_peer_how_long_it_has() {
        let mut request = tonic::Request::new(());
        let deadline = Deadline::after(Duration::from_millis(295));
        deadline.set_on(&mut request);
        assert_eq!(Deadline::read(request.metadata().as_ref()), Ok(Some(deadline)));
    }
}
