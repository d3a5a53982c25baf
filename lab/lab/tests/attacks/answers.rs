//! What stands in an answer besides its code and its reason.

use hostile_peer::client::Answer;
use lab::attacks::{status, table};
use service_runtime::origin::Origin;

use super::field::both;

fn answer(name: &str) -> [Answer; 2] {
    both(table::find(name).unwrap()).map(|seen| seen.unwrap().answer.unwrap())
}

#[test]
fn says_what_it_would_take_instead() {
    for (name, field, value) in [
        ("encoding-gzip", "grpc-accept-encoding", "identity"),
        ("http1-wrong-method", "allow", "GET, HEAD"),
        ("http2-wrong-method", "allow", "GET, HEAD"),
        ("grpc-get", "allow", "POST"),
        ("http1-unknown-path", "content-type", "application/json"),
    ] {
        for answer in answer(name) {
            assert_eq!(answer.field(field), Some(value), "{name}: {answer}");
        }
    }
}

#[test]
fn tells_nobody_how_it_is_made() {
    for name in ["malformed-protobuf", "invalid-utf8"] {
        for answer in answer(name) {
            assert_eq!(
                answer.field("grpc-message"),
                Some("The%20message%20is%20not%20what%20this%20method%20takes"),
                "{name}: {answer}"
            );
        }
    }
}

#[test]
fn says_who_decided() {
    for name in
        ["timeout-abc", "no-message", "bad-flag", "encoding-gzip", "message-too-large", "metadata-17k", "timeout-tiny"]
    {
        let hops = answer(name).map(|answer| Origin::of(&status(&answer).unwrap()).unwrap().hop);
        assert_eq!(hops, ["service-a", "service-b"], "{name}");
    }
}
