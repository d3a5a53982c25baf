//! What a call is known by: `x-request-id` and `traceparent`, which go to the log and on to peers.

use http::{HeaderMap, HeaderValue};

use super::text::split;
use service_runtime::{
    context::{Call, REQUEST_ID, TRACEPARENT},
    harness::begin_call,
};

pub const WORDS: &str = r"00- -01 - 4bf92f3577b34da6a3ce929d0e0e4736 00f067aa0ba902b7 \n \x20 \xc3\xbc \x22";

/// The id is the first line, the trace's parent the second.
pub fn holds(input: &[u8]) -> bool {
    let (id, parent) = split(input, b'\n');
    let mut headers = HeaderMap::new();
    for (name, value) in [(REQUEST_ID, id), (TRACEPARENT, parent)] {
        headers.extend(HeaderValue::from_bytes(value).map(|value| (name, value)));
    }
    let call = begin_call(&headers);
    let taken = takes_over(&call, if headers.contains_key(REQUEST_ID) { id } else { b"" });
    let trace = headers.contains_key(TRACEPARENT).then(|| trace(parent)).flatten();
    assert_eq!(call.trace_id().map(str::as_bytes), trace);
    let passed_on: HeaderMap = call.passed_on().iter().cloned().collect();
    assert_eq!(passed_on.get(REQUEST_ID), Some(call.request_id()));
    assert_eq!(passed_on.get(TRACEPARENT), headers.get(TRACEPARENT));
    taken || trace.is_some()
}

/// An id that a log can show is the caller's, any other a new one.
fn takes_over(call: &Call, id: &[u8]) -> bool {
    let plausible = (1..=128).contains(&id.len()) && id.iter().all(|byte| matches!(byte, b'\t' | b' '..=b'~'));
    let now = call.request_id().as_bytes();
    match plausible {
        true => assert_eq!(now, id),
        false => assert!(now.len() == 16 && now.iter().all(u8::is_ascii_hexdigit), "{}", now.escape_ascii()),
    }
    plausible
}

/// The second part, where it is 32 hex digits. Source: W3C Trace Context, 3.2.2.
fn trace(parent: &[u8]) -> Option<&[u8]> {
    let text = parent.iter().all(|byte| matches!(byte, b'\t' | b' '..=b'~'));
    let (id, _) = split(split(parent, b'-').1, b'-');
    (text && id.len() == 32 && id.iter().all(u8::is_ascii_hexdigit)).then_some(id)
}
