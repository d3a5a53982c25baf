//! What came of an attack, in gRPC's words and the pair's.

use hostile_peer::client::{Answer, Reaction};
use http::HeaderMap;
use serde_json::Value;
use service_runtime::{
    origin::Origin,
    status::{code_name, of_headers},
};
use tonic::Status;

/// `INTERNAL BAD_TIMEOUT · serves on · 2 ms`
pub fn describe(seen: &Reaction) -> String {
    let answer = seen.answer.as_ref().map(answered);
    let parts: Vec<_> =
        answer.into_iter().chain([seen.connection(), took(seen)]).filter(|part| !part.is_empty()).collect();
    parts.join(" · ")
}

fn took(seen: &Reaction) -> String {
    match seen.took.as_millis() {
        ms @ 0..1000 => format!("{ms} ms"),
        ms => format!("{}.{} s", ms / 1000, ms % 1000 / 100),
    }
}

fn answered(answer: &Answer) -> String {
    match code_and_reason(answer) {
        _ if !answer.whole => answer.to_string(),
        Some((code, reason)) => format!("{code} {reason}").trim_end().to_owned(),
        None => {
            let (status, reason) = http_and_reason(answer);
            format!("HTTP {status} {reason}").trim_end().to_owned()
        }
    }
}

/// The gRPC status in an answer's fields.
pub fn status(answer: &Answer) -> Option<Status> {
    let fields = answer.fields.iter().filter_map(|(name, value)| {
        let name = http::HeaderName::try_from(name.as_str()).ok()?;
        Some((name, value.parse().ok()?))
    });
    of_headers(&HeaderMap::from_iter(fields))
}

/// The code's name and the reason, of an answer with a gRPC status.
pub(super) fn code_and_reason(answer: &Answer) -> Option<(&'static str, String)> {
    let status = status(answer)?;
    Some((code_name(status.code()), Origin::of(&status).unwrap_or_default().reason))
}

/// The HTTP status and the reason, of a plain answer.
pub(super) fn http_and_reason(answer: &Answer) -> (u16, String) {
    let body: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
    (answer.status, body["reason"].as_str().unwrap_or_default().to_owned())
}
