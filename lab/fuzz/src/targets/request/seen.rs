//! What came back, held against what was to come.

use http::HeaderMap;
use prost::Message;
use tonic::{Code, Status};

use super::asked::Answer;
use service_runtime::{origin::Origin, status::code_name};

use crate::greeter::hello::HelloReply;

pub fn is_in_grpc(expected: &Answer, headers: &HeaderMap, data: &[u8], trailers: &HeaderMap) {
    let status = Status::from_header_map(headers).or_else(|| Status::from_header_map(trailers));
    let reason = status.as_ref().and_then(Origin::of).map_or(String::new(), |origin| origin.reason);
    match (expected, status.as_ref().map(Status::code)) {
        (Answer::Ok(name), Some(Code::Ok)) => {
            assert_eq!(HelloReply::decode(&data[5..]).expect("a greeting").greeting, *name);
        }
        // Watch of a service that is there goes on.
        (Answer::Health, None | Some(Code::Ok | Code::NotFound | Code::Internal)) => {}
        (Answer::Refused(code, expected), Some(seen)) => assert_eq!((*code, *expected), (seen, reason.as_str())),
        (expected, seen) => panic!("{seen:?} {reason} instead of {expected:?}"),
    }
}

pub fn is_in_json(expected: &Answer, is_head: bool, http: u16, body: &[u8]) {
    let (expected_http, expected) = match expected {
        Answer::Ok(name) => (200, serde_json::json!({"greeting": name})),
        Answer::Refused(code, reason) => {
            (http_of(*code, reason), serde_json::json!({"code": code_name(*code), "reason": reason}))
        }
        Answer::Paths => (200, serde_json::json!({"service": "hello", "paths": ["/hello?name=…"]})),
        Answer::Health => panic!("health has no path of its own here"),
    };
    assert_eq!(http, expected_http, "{expected}");
    if is_head {
        assert!(body.is_empty(), "HEAD has no body");
        return;
    }
    let mut seen: serde_json::Value = serde_json::from_slice(body).expect("JSON");
    let sentence = seen.as_object_mut().and_then(|fields| fields.remove("error"));
    assert!(body.ends_with(b"}\n") && sentence.is_some() == (http != 200), "{}", body.escape_ascii());
    assert_eq!(seen, expected);
}

/// Contract, "What any server of the pair answers to a bad request".
fn http_of(code: Code, reason: &str) -> u16 {
    match (reason, code) {
        ("UNKNOWN_METHOD", _) => 404,
        ("WRONG_HTTP_METHOD", _) => 405,
        ("MESSAGE_TOO_LARGE", _) => 413,
        ("WRONG_CONTENT_TYPE", _) => 415,
        ("NEEDS_HTTP2", _) => 505,
        (_, Code::InvalidArgument) => 400,
        (_, Code::DeadlineExceeded) => 504,
        (_, Code::Unimplemented) => 501,
        _ => 500,
    }
}
