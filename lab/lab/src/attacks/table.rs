//! THE table of attacks: one line an attack, in the order in which `lab attack` does them. What is expected is the same of A
//! and of B.
//!
//! Where that is not the letter of the RFCs, it is what the libraries do, and harmless:
//! - RFC 9113 has finer words than PROTOCOL_ERROR for `settings-window-2gib` (FLOW_CONTROL_ERROR), `settings-five-bytes` and
//!   `ping-seven-bytes` (FRAME_SIZE_ERROR) and `hpack-garbage` (COMPRESSION_ERROR); h2 does not use them there.
//! - RFC 9112 has 414 for a long request line; to hyper it is a head that does not fit, like long fields: 431.
//! - It lets a server take a request with a length and chunks by its chunks, if it closes after it; hyper does.

use std::time::Duration;

use super::{
    case::Case,
    expected::{
        Answered::{self, Grpc, Http, Message, Nothing, Reset},
        Expected,
        Then::{self, Closed, ClosedUntilThereIsRoom, GoAway, HasEnough, MayClose, ServesOn, StaysOpen},
        Window,
    },
};

/// Every attack there is.
#[rustfmt::skip]
pub const CASES: &[Case] = &[
    case("good-call", Grpc("OK", ""), ServesOn),
    case("unknown-service", Grpc("UNIMPLEMENTED", "UNKNOWN_METHOD"), ServesOn),
    case("unknown-method", Grpc("UNIMPLEMENTED", "UNKNOWN_METHOD"), ServesOn),
    case("no-content-type", Http(415, "WRONG_CONTENT_TYPE"), ServesOn),
    case("content-type-json", Http(415, "WRONG_CONTENT_TYPE"), ServesOn),
    case("content-type-grpc-json", Http(415, "WRONG_CONTENT_TYPE"), ServesOn),
    case("content-type-grpc-web", Http(415, "WRONG_CONTENT_TYPE"), ServesOn),
    case("grpc-get", Http(405, "WRONG_HTTP_METHOD"), ServesOn),
    case("grpc-put", Http(405, "WRONG_HTTP_METHOD"), ServesOn),
    case("grpc-over-http1", Http(505, "NEEDS_HTTP2"), ServesOn),
    case("health-check-unknown", Grpc("NOT_FOUND", "UNKNOWN_SERVICE"), ServesOn),
    case("health-watch-unknown", Message(b"\0\0\0\0\x02\x08\x03"), ServesOn),
    case("timeout-abc", Grpc("INTERNAL", "BAD_TIMEOUT"), ServesOn),
    case("timeout-negative", Grpc("INTERNAL", "BAD_TIMEOUT"), ServesOn),
    case("timeout-plus", Grpc("INTERNAL", "BAD_TIMEOUT"), ServesOn),
    case("timeout-nine-digits", Grpc("INTERNAL", "BAD_TIMEOUT"), ServesOn),
    case("timeout-unit-x", Grpc("INTERNAL", "BAD_TIMEOUT"), ServesOn),
    case("timeout-empty", Grpc("INTERNAL", "BAD_TIMEOUT"), ServesOn),
    case("timeout-zero", Grpc("DEADLINE_EXCEEDED", "DEADLINE_EXCEEDED"), ServesOn),
    case("timeout-tiny", Grpc("DEADLINE_EXCEEDED", "DEADLINE_EXCEEDED"), ServesOn),
    case("no-message", Grpc("UNIMPLEMENTED", "NOT_ONE_MESSAGE"), ServesOn),
    case("two-messages", Grpc("UNIMPLEMENTED", "NOT_ONE_MESSAGE"), ServesOn),
    case("malformed-protobuf", Grpc("INTERNAL", "BAD_MESSAGE"), ServesOn),
    case("invalid-utf8", Grpc("INTERNAL", "BAD_MESSAGE"), ServesOn),
    case("truncated-message", Grpc("INTERNAL", "BAD_FRAME"), ServesOn),
    case("truncated-prefix", Grpc("INTERNAL", "BAD_FRAME"), ServesOn),
    case("bad-flag", Grpc("INTERNAL", "BAD_FRAME"), ServesOn),
    case("compressed-without-encoding", Grpc("INTERNAL", "BAD_FRAME"), ServesOn),
    case("encoding-snappy", Grpc("UNIMPLEMENTED", "WRONG_ENCODING"), ServesOn),
    case("encoding-gzip", Grpc("UNIMPLEMENTED", "WRONG_ENCODING"), ServesOn),
    case("message-too-large", Grpc("RESOURCE_EXHAUSTED", "MESSAGE_TOO_LARGE"), ServesOn),
    case("message-of-4gib", Grpc("RESOURCE_EXHAUSTED", "MESSAGE_TOO_LARGE"), ServesOn),
    case("body-unfinished-deadline", Grpc("DEADLINE_EXCEEDED", "DEADLINE_EXCEEDED"), ServesOn).between(300, 400),
    case("metadata-17k", Grpc("RESOURCE_EXHAUSTED", "METADATA_TOO_LARGE"), ServesOn),
    case("metadata-33k", Http(431, ""), ServesOn),
    case("metadata-100k", Http(431, ""), MayClose),
    case("metadata-1m", Http(431, ""), MayClose),
    case("metadata-1000-fields", Http(431, ""), ServesOn),
    case("hpack-bomb", Http(431, ""), MayClose),
    case("http1-unknown-path", Http(404, "UNKNOWN_METHOD"), ServesOn),
    case("http1-wrong-method", Http(405, "WRONG_HTTP_METHOD"), ServesOn),
    case("http1-bad-percent", Http(400, "BAD_QUERY"), ServesOn),
    case("http1-bad-utf8", Http(400, "BAD_QUERY"), ServesOn),
    case("http1-timeout-abc", Http(500, "BAD_TIMEOUT"), ServesOn),
    case("http1-timeout-zero", Http(504, "DEADLINE_EXCEEDED"), ServesOn),
    case("http1-pipelined", Http(200, ""), ServesOn),
    case("http1-0", Http(200, ""), Closed),
    case("http1-upgrade-h2c", Http(200, ""), ServesOn),
    case("http1-no-host", Http(400, "BAD_HOST"), ServesOn),
    case("http1-two-hosts", Http(400, "BAD_HOST"), ServesOn),
    case("http1-headers-17k", Http(431, "METADATA_TOO_LARGE"), ServesOn),
    case("http1-headers-33k", Http(431, ""), Closed),
    case("http1-headers-1m", Http(431, ""), Closed),
    case("http1-headers-101", Http(431, ""), Closed),
    case("http1-long-request-line", Http(431, ""), Closed),
    case("http1-malformed-request-line", Http(400, ""), Closed),
    case("http1-space-before-colon", Http(400, ""), Closed),
    case("http1-two-lengths", Http(400, ""), Closed),
    case("http1-bad-length", Http(400, ""), Closed),
    case("http1-length-and-chunked", Http(200, ""), Closed),
    case("http1-bad-coding", Http(400, ""), Closed),
    case("http1-bad-chunk", Http(200, ""), Closed),
    case("http2-unknown-path", Http(404, "UNKNOWN_METHOD"), ServesOn),
    case("http2-wrong-method", Http(405, "WRONG_HTTP_METHOD"), ServesOn),
    case("http2-bad-percent", Http(400, "BAD_QUERY"), ServesOn),
    case("http2-no-path", Reset("PROTOCOL_ERROR"), ServesOn),
    case("http2-upper-case", Nothing, GoAway("PROTOCOL_ERROR")),
    case("http2-connection-field", Reset("PROTOCOL_ERROR"), ServesOn),
    case("http2-wrong-length", Reset("PROTOCOL_ERROR"), ServesOn),
    case("garbage", Nothing, Closed),
    case("tls-client-hello", Nothing, Closed),
    case("bad-preface", Nothing, Closed),
    case("no-settings", Nothing, Closed).between(0, 10_000),
    case("settings-push-2", Nothing, GoAway("PROTOCOL_ERROR")),
    case("settings-window-2gib", Nothing, GoAway("PROTOCOL_ERROR")),
    case("settings-frame-size-1", Nothing, GoAway("PROTOCOL_ERROR")),
    case("settings-five-bytes", Nothing, GoAway("PROTOCOL_ERROR")),
    case("even-stream", Nothing, GoAway("PROTOCOL_ERROR")),
    case("headers-on-stream-0", Nothing, GoAway("PROTOCOL_ERROR")),
    case("stream-goes-back", Nothing, GoAway("PROTOCOL_ERROR")),
    case("frame-too-large", Nothing, GoAway("FRAME_SIZE_ERROR")),
    case("data-on-idle", Nothing, GoAway("PROTOCOL_ERROR")),
    case("data-on-stream-0", Nothing, GoAway("PROTOCOL_ERROR")),
    case("reset-on-idle", Nothing, GoAway("PROTOCOL_ERROR")),
    case("window-update-0", Nothing, GoAway("PROTOCOL_ERROR")),
    case("window-overflow", Nothing, GoAway("FLOW_CONTROL_ERROR")),
    case("hpack-garbage", Nothing, GoAway("PROTOCOL_ERROR")),
    case("continuation-alone", Nothing, GoAway("PROTOCOL_ERROR")),
    case("headers-interrupted", Nothing, GoAway("PROTOCOL_ERROR")),
    case("ping-seven-bytes", Nothing, GoAway("PROTOCOL_ERROR")),
    case("client-pushes", Nothing, GoAway("PROTOCOL_ERROR")),
    flood("rapid-reset"),
    flood("made-you-reset-window"),
    flood("made-you-reset-overflow"),
    flood("made-you-reset-data"),
    flood("made-you-reset-headers"),
    flood("made-you-reset-priority"),
    flood("made-you-reset-length"),
    flood("continuation-flood"),
    flood("empty-continuation-flood"),
    flood("empty-data-flood"),
    flood("ping-flood"),
    flood("settings-flood"),
    flood("empty-settings-flood"),
    flood("priority-flood"),
    flood("window-update-flood"),
    flood("unknown-frame-flood"),
    flood("stream-flood"),
    case("too-many-streams", Reset("REFUSED_STREAM"), ServesOn),
    case("one-connection-over-8", Nothing, ClosedUntilThereIsRoom),
    case("body-unfinished", Grpc("UNAVAILABLE", "REQUEST_TIMEOUT"), ServesOn).between(9_900, 10_000),
    case("http1-body-unfinished", Http(200, ""), Closed).between(0, 10_000),
    case("silent", Nothing, Closed).between(0, 10_000),
    case("half-preface", Nothing, Closed).between(0, 10_000),
    case("preface-without-settings", Nothing, Closed).between(0, 10_000),
    case("unfinished-headers", Nothing, Closed).between(0, 10_000),
    case("half-a-ping", Nothing, Closed).between(0, 10_000),
    case("half-a-data-frame", Nothing, Closed).between(0, 30_000),
    case("headers-byte-by-byte", Nothing, Closed).between(0, 10_000),
    case("http1-unfinished-headers", Nothing, Closed).between(0, 10_000),
    case("http1-byte-by-byte", Nothing, Closed).between(0, 10_000),
    case("http1-idle", Nothing, Closed).between(8_000, 10_000),
    case("window-0", Nothing, Closed).between(0, 12_000),
    case("never-reads", Nothing, Closed).between(0, 12_000),
    case("http1-never-reads", Nothing, Closed).between(0, 12_000),
    case("vanished", Nothing, Closed).between(0, 30_000),
    case("idle", Nothing, StaysOpen).between(12_000, 12_000),
];

/// What comes at once does so within this.
const AT_ONCE: Duration = Duration::from_secs(1);

const fn case(name: &'static str, answered: Answered, then: Then) -> Case {
    let within = Window { earliest: Duration::ZERO, latest: AT_ONCE };
    Case { name, expected: Expected { answered, then, within } }
}

const fn flood(name: &'static str) -> Case {
    case(name, Nothing, HasEnough).between(0, 10_000)
}

impl Case {
    /// The same, not before `earliest` and not after `latest`, in milliseconds.
    const fn between(self, earliest: u64, latest: u64) -> Self {
        let within = Window { earliest: Duration::from_millis(earliest), latest: Duration::from_millis(latest) };
        Case { expected: Expected { within, ..self.expected }, ..self }
    }
}

/// The attack of that name. Errors: there is none; one sentence that names the nearest.
pub fn find(name: &str) -> Result<&'static Case, String> {
    if let Some(case) = CASES.iter().find(|case| case.name == name) {
        return Ok(case);
    }
    Err(match name.parse::<hostile_peer::client::Attack>() {
        Ok(_) => format!("'{name}' has another number than the table; lab attack --list shows them all"),
        Err(unknown) => hostile_peer::listing::where_to_look(&unknown, "lab attack --list"),
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn expects_something_of_every_attack_and_names_none_that_there_is_not() {
        let patterns: BTreeSet<&str> =
            hostile_peer::client::groups().flat_map(|group| group.list()).map(|(name, _)| name).collect();
        let names: BTreeSet<String> = CASES.iter().map(|case| case.attack().name()).collect();
        assert_eq!(names.len(), CASES.len(), "a name twice");
        assert_eq!(patterns.len(), names.len());
        assert!(names.iter().all(|name| patterns.contains(name.as_str()) || name.starts_with("one-connection-over-")));
        assert_eq!(
            find("one-connection-over-8").unwrap().name,
            format!("one-connection-over-{}", crate::attacks::LIMIT)
        );
    }

    #[test]
    fn says_what_is_near() {
        assert_eq!(
            find("ping-floods").unwrap_err(),
            "no attack 'ping-floods'; did you mean 'ping-flood'? lab attack --list shows them all"
        );
    }
}
