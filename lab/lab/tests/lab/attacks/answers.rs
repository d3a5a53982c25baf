//! What stands in an answer besides its code and its reason.

use hostile_peer::client::{Answer, Reaction};
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

/// The error code and the debug data of GOAWAY.
fn told(seen: &Reaction) -> Option<(String, String)> {
    Some((seen.goaway_name()?, seen.goaway_debug.clone()))
}

#[test]
fn tells_a_client_that_floods_what_it_sent_too_much_of() {
    for (name, words) in [
        ("ping-flood", "too_many_pings"),
        ("settings-flood", "too_many_settings"),
        ("empty-data-flood", "too_many_data_frames"),
        ("window-update-flood", "too_many_control_frames"),
    ] {
        let calm = ("ENHANCE_YOUR_CALM".to_owned(), words.to_owned());
        let told = || both(table::find(name).unwrap()).map(|seen| told(&seen.unwrap()));
        // A connection that takes no byte in the moment of its end is not told, so there is more than one try.
        let told: Vec<_> = std::iter::repeat_with(told).take(5).collect();
        for service in 0..2 {
            let heard: Vec<_> = told.iter().filter_map(|both| both[service].as_ref()).collect();
            assert!(!heard.is_empty() && heard.iter().all(|said| **said == calm), "{name}: {told:?}");
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
