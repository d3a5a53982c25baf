//! `grpc-retry-pushback-ms`: a number of milliseconds, and anything else is a no (gRFC A6).

use std::time::Duration;

use http::{HeaderMap, HeaderName, HeaderValue};

use service_runtime::{harness::Pushback, origin::PUSHBACK};

pub const WORDS: &str = r"- + 0 1 4294967295 4294967296 0x 1.5 1e3 \x20";

pub fn holds(input: &[u8]) -> bool {
    let Ok(value) = HeaderValue::from_bytes(input) else { return false };
    let headers = HeaderMap::from_iter([(HeaderName::from_static(PUSHBACK), value)]);
    let expected = milliseconds(input).map_or(Pushback::Never, Pushback::After);
    assert_eq!(Pushback::read(&headers), expected);
    expected != Pushback::Never
}

fn milliseconds(input: &[u8]) -> Option<Duration> {
    let digit = |sum: u64, byte: &u8| {
        byte.is_ascii_digit().then(|| sum.saturating_mul(10).saturating_add(u64::from(byte - b'0')))
    };
    let number = input.iter().try_fold(0, digit).filter(|_| !input.is_empty())?;
    u32::try_from(number).ok().map(|number| Duration::from_millis(number.into()))
}
