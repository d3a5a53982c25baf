//! `grpc-timeout`: one to eight digits and a unit, and no more time is passed on than there was.

use std::time::Duration;

use http::{HeaderMap, HeaderName, HeaderValue};

use service_runtime::deadline::{Deadline, GRPC_TIMEOUT, MARGIN, Malformed, SetBy};

pub const WORDS: &str = r"H M S m u n 0 1 00000001 99999999 100000000 -1 +1 1e3 \x20 \xc2\xb5";

pub fn holds(input: &[u8]) -> bool {
    let Ok(value) = HeaderValue::from_bytes(input) else { return false };
    match (nanoseconds(input), read(value)) {
        (None, Err(Malformed)) => false,
        (Some(nanoseconds), Ok(Some(deadline))) => {
            assert_eq!(deadline.timeout().as_nanos(), nanoseconds);
            is_passed_on(deadline);
            true
        }
        (expected, read) => panic!("{read:?} where {expected:?} nanoseconds were meant"),
    }
}

fn read(value: HeaderValue) -> Result<Option<Deadline>, Malformed> {
    Deadline::read(&HeaderMap::from_iter([(HeaderName::from_static(GRPC_TIMEOUT), value)]))
}

/// What gRPC says that it means. Source: gRPC over HTTP/2, "Timeout".
pub fn nanoseconds(input: &[u8]) -> Option<u128> {
    let (unit, digits) = input.split_last()?;
    let power = match unit {
        b'n' => 1,
        b'u' => 1_000,
        b'm' => 1_000_000,
        b'S' => 1_000_000_000,
        b'M' => 60_000_000_000,
        b'H' => 3_600_000_000_000,
        _ => return None,
    };
    let value = |sum: u128, digit: &u8| digit.is_ascii_digit().then(|| sum * 10 + u128::from(*digit - b'0'));
    let number = digits.iter().take(9).try_fold(0, value)?;
    (1..=8).contains(&digits.len()).then_some(number * power)
}

fn is_passed_on(deadline: Deadline) {
    let left = deadline.timeout().saturating_sub(MARGIN);
    let cap = Duration::from_secs(2);
    let (for_peer, set_by) = Deadline::for_peer(Some(deadline), Some(cap), None).expect("there are two");
    assert!(for_peer.timeout() <= left.min(cap), "{for_peer:?} of {deadline:?}");
    assert!(set_by == SetBy::Caller || left >= cap, "{set_by:?} of {deadline:?}");
    let headers = HeaderMap::from_iter([(GRPC_TIMEOUT.parse().expect("a name"), deadline.to_header())]);
    let again = Deadline::read(&headers).expect("gRPC's format").expect("one that was set");
    assert!(again.timeout() <= deadline.timeout(), "{again:?} of {deadline:?}");
}
