//! THE table of failures: one line a failure, in the order of the contract's rows.
//!
//! Row 2 wants a second replica of A: see `tests/lab/replicas.rs`. Row 24 wants TLS; its place is kept, its line will come with it.

use super::{
    failure::{
        Bound::{self, Cap, Connect, Deadline, Keepalive, Within},
        Expected, Failure, Times,
    },
    outcome::Question,
    scene::Scene::{
        self, Asked, Back, CallerLeaves, Draining, Frozen, Full, Killed, KilledDuringTheCall, Peer,
        TerminatedDuringTheCall, Unresolved, Well,
    },
};

const HELLO: Question = Question::HELLO;
const IN_300_MS: Question = Question { msg: "hello", timeout: Some("300m") };

const OK: Expected = Expected { code: "OK", http: 200, reason: "", hop: "" };
const UNREACHABLE: Expected = unavailable("SERVICE_A_UNREACHABLE");
const CONNECTION_LOST: Expected = unavailable("SERVICE_A_CONNECTION_LOST");
const TIMEOUT: Expected = unavailable("SERVICE_A_TIMEOUT");
const BUSY: Expected = unavailable("SERVICE_A_BUSY");
const UNRESOLVED: Expected = unavailable("SERVICE_A_UNRESOLVED");
const NOT_HTTP2: Expected = unavailable("SERVICE_A_NOT_GRPC");
const SAYS_SO: Expected = unavailable("SERVICE_A_UNAVAILABLE");
const SAYS_SO_ITSELF: Expected = Expected { hop: "service-a", ..SAYS_SO };
const SOMEBODY_SAYS_SO: Expected = Expected { hop: "service-a-or-proxy", ..SAYS_SO };
const NOT_GRPC: Expected = internal("SERVICE_A_NOT_GRPC");
const BROKEN: Expected = internal("SERVICE_A_BROKEN");
const ERROR: Expected = internal("SERVICE_A_ERROR");
const A_OVERLOADED: Expected = exhausted("SERVICE_A_OVERLOADED");
const A_SAYS_OVERLOADED: Expected = Expected { hop: "service-a", ..A_OVERLOADED };
const OVERLOADED: Expected = exhausted("OVERLOADED");
const TOO_LATE: Expected =
    Expected { code: "DEADLINE_EXCEEDED", http: 504, reason: "DEADLINE_EXCEEDED", hop: "service-b" };
const MSG_REQUIRED: Expected =
    Expected { code: "INVALID_ARGUMENT", http: 400, reason: "MSG_REQUIRED", hop: "service-b" };
const CANCELLED: Expected = Expected { code: "CANCELLED", http: 499, reason: "", hop: "" };

const fn unavailable(reason: &'static str) -> Expected {
    Expected { code: "UNAVAILABLE", http: 503, reason, hop: "service-b" }
}

const fn internal(reason: &'static str) -> Expected {
    Expected { code: "INTERNAL", http: 500, reason, hop: "service-b" }
}

const fn exhausted(reason: &'static str) -> Expected {
    Expected { code: "RESOURCE_EXHAUSTED", http: 429, reason, hop: "service-b" }
}

/// One round trip to a peer that answers, and the scheduler's slack.
const ROUND_TRIP: Bound = Within(50);
/// The same where B asks again: two pauses of 20 and 40 ms at most.
const RETRIED: Bound = Within(110);

/// Every failure there is.
#[rustfmt::skip]
pub const FAILURES: &[Failure] = &[
    row(1, "a-down", "A is not there: its port is closed", Killed, HELLO, UNREACHABLE, Within(50)),
    row(3, "a-stops", "A stops in the middle of a call, and finishes it first", TerminatedDuringTheCall, HELLO, OK, Within(1000)),
    row(4, "a-goes-away", "A sends GOAWAY before it has taken the call", Peer("goaway-once"), HELLO, OK, Within(100)),
    row(4, "a-refuses-the-stream", "A refuses the stream once", Peer("refuse-stream-once"), HELLO, OK, ROUND_TRIP),
    row(4, "a-always-goes-away", "A sends GOAWAY whenever it is called", Peer("goaway-0"), HELLO, UNREACHABLE, RETRIED),
    row(4, "a-always-refuses", "A refuses every stream", Peer("rst-7-before-headers"), HELLO, UNREACHABLE, RETRIED),
    row(5, "a-killed", "A is killed in the middle of a call", KilledDuringTheCall, HELLO, CONNECTION_LOST, RETRIED),
    row(5, "a-closes", "A's connection is closed before its answer", Peer("close-before-headers"), HELLO, CONNECTION_LOST, RETRIED),
    row(5, "a-resets", "A's connection is reset before its answer", Peer("reset-before-headers"), HELLO, CONNECTION_LOST, RETRIED),
    row(6, "a-cut", "A's connection is closed in the middle of its answer", Peer("half-message-then-close"), HELLO, CONNECTION_LOST, RETRIED),
    row(7, "a-frozen", "A is frozen; B's cap runs out first", Frozen, HELLO, TIMEOUT, Cap),
    row(7, "a-slow", "A is slower than B's cap", Asked("sleep-60"), HELLO, TIMEOUT, Cap),
    row(8, "a-frozen-deadline", "A is frozen; the caller's deadline comes first", Frozen, IN_300_MS, TOO_LATE, Deadline(300)),
    row(9, "a-half-open", "A is gone without a sign, and no PING is answered", Peer("no-ping"), HELLO, CONNECTION_LOST, Keepalive),
    row(10, "a-black-hole", "a connect to A gets no answer", Peer("vanish"), HELLO, UNREACHABLE, Connect),
    row(10, "a-silent", "something takes the connection and says nothing", Peer("silent"), HELLO, UNREACHABLE, Connect),
    row(11, "a-unresolved", "A's name has no address", Unresolved, HELLO, UNRESOLVED, Within(50)),
    row(12, "a-back", "A is back on its port", Back, HELLO, OK, Within(1300)),
    row(13, "a-http1", "an HTTP/1.1 server stands in A's place", Peer("http1-400"), HELLO, NOT_HTTP2, Within(50)),
    row(13, "a-garbage", "something answers garbage", Peer("garbage"), HELLO, NOT_HTTP2, Within(50)),
    row(13, "a-tls-port", "A's port speaks TLS, and B does not", Peer("tls-alert"), HELLO, NOT_HTTP2, Within(50)),
    row(13, "a-closes-unasked", "something closes every connection without a byte", Peer("close-on-accept"), HELLO, UNREACHABLE, Within(50)),
    row(14, "a-proxy-503", "a proxy answers for A: HTTP 503 and a web page", Peer("http-503-html"), HELLO, UNREACHABLE, RETRIED),
    row(14, "a-proxy-429", "a proxy answers for A: HTTP 429", Peer("http-429-html"), HELLO, UNREACHABLE, ROUND_TRIP),
    row(15, "a-web-page", "a web server answers for A: HTTP 200 and a page", Peer("http-200-html"), HELLO, NOT_GRPC, ROUND_TRIP),
    row(15, "a-401", "a proxy wants a login: HTTP 401", Peer("http-401-html"), HELLO, NOT_GRPC, ROUND_TRIP),
    row(16, "a-reset-2", "A resets the stream: INTERNAL_ERROR", Peer("rst-2-before-headers"), HELLO, BROKEN, ROUND_TRIP),
    row(16, "a-reset-8", "A resets the stream: CANCEL", Peer("rst-8-in-body"), HELLO, CONNECTION_LOST, ROUND_TRIP),
    row(16, "a-reset-11", "A resets the stream: ENHANCE_YOUR_CALM", Peer("rst-11-after-headers"), HELLO, A_OVERLOADED, ROUND_TRIP),
    row(16, "a-reset-after-the-answer", "A resets the stream after a whole answer", Peer("answer-then-rst-0"), HELLO, OK, ROUND_TRIP),
    row(17, "a-no-status", "A's answer ends without grpc-status", Peer("no-status"), HELLO, BROKEN, ROUND_TRIP),
    row(17, "a-bad-status", "A's grpc-status is no number", Peer("status-abc"), HELLO, BROKEN, ROUND_TRIP),
    row(17, "a-bad-details", "A's error details are not base64: its code stands", Peer("bad-details"), HELLO, SOMEBODY_SAYS_SO, RETRIED),
    row(18, "a-no-message", "A answers OK without a message", Peer("no-message"), HELLO, BROKEN, ROUND_TRIP),
    row(18, "a-two-messages", "A answers twice", Peer("two-messages"), HELLO, BROKEN, ROUND_TRIP),
    row(18, "a-endless", "A never stops answering", Peer("endless-messages"), HELLO, BROKEN, ROUND_TRIP),
    row(18, "a-truncated", "A's message is cut short", Peer("truncated"), HELLO, BROKEN, ROUND_TRIP),
    row(18, "a-undecodable", "A's message cannot be decoded", Peer("undecodable"), HELLO, BROKEN, ROUND_TRIP),
    row(18, "a-oversize", "A's message is over the limit", Peer("oversize"), HELLO, BROKEN, ROUND_TRIP),
    row(18, "a-another-text", "A answers another question", Peer("another-text"), HELLO, BROKEN, ROUND_TRIP),
    row(19, "a-stalls", "A sends its headers, and then nothing", Peer("headers-then-stall"), HELLO, TIMEOUT, Cap),
    row(20, "a-unavailable", "A answers UNAVAILABLE", Asked("error-code-14"), HELLO, SAYS_SO_ITSELF, RETRIED),
    row(20, "a-proxy-unavailable", "a proxy answers for A: UNAVAILABLE, as Envoy does for a dead A", Peer("status-14"), HELLO, SOMEBODY_SAYS_SO, RETRIED),
    row(21, "a-overloaded", "A answers RESOURCE_EXHAUSTED", Asked("error-code-8"), HELLO, A_SAYS_OVERLOADED, ROUND_TRIP),
    row(22, "a-gives-up", "A answers DEADLINE_EXCEEDED long before the deadline", Asked("error-code-4"), HELLO, TIMEOUT, ROUND_TRIP),
    row(22, "a-cancels", "A answers CANCELLED", Asked("error-code-1"), HELLO, SAYS_SO, ROUND_TRIP),
    row(23, "a-error", "A answers any other error, such as NOT_FOUND", Asked("error-code-5"), HELLO, ERROR, ROUND_TRIP),
    row(25, "msg-missing", "the message is empty", Well, Question { msg: "", timeout: None }, MSG_REQUIRED, Within(50)),
    row(26, "b-overloaded", "B is at its limit of calls", Full, HELLO, OVERLOADED, Within(50)),
    row(27, "too-late", "the deadline has passed on arrival", Well, Question { msg: "hello", timeout: Some("1n") }, TOO_LATE, Within(50)),
    row(28, "no-deadline", "the caller sets no deadline, and A never answers", Asked("keep-open"), HELLO, TIMEOUT, Cap),
    row(29, "caller-leaves", "the caller cancels: A's handler is cancelled", CallerLeaves, HELLO, CANCELLED, Within(50)),
    row(30, "b-drains", "B gets SIGTERM in the middle of a call, and finishes it first", Draining, HELLO, OK, Within(1000)),
    row(31, "a-no-stream", "A takes no call at once on a new connection", Peer("streams-0"), HELLO, BUSY, Cap),
    row(32, "a-lowers-its-limit", "A lowers its limit of calls to none, on connections that are open", Peer("limit-0"), HELLO, BUSY, Cap),
];

const fn row(
    row: u8,
    slug: &'static str,
    cause: &'static str,
    scene: Scene,
    question: Question,
    expected: Expected,
    bound: Bound,
) -> Failure {
    Failure { row, slug, cause, scene, question, expected, bound }
}

/// What two retries wait at most, in milliseconds.
const RETRIES: u64 = 60;

impl Failure {
    /// The same where another replica of A is well. What is retried, or known before there is a call, no caller notices; the
    /// rest only the callers whose call meets the replica that is not well.
    pub fn beside_others(&self, times: &Times) -> Failure {
        let saved = self.bound == RETRIED || matches!(self.row, 1..=6 | 9..=13 | 31 | 32);
        let latest = u64::try_from(self.bound.between(times).end().as_millis()).unwrap_or(u64::MAX);
        match saved {
            true => Failure { expected: OK, bound: Bound::Within(latest.saturating_add(RETRIES)), ..*self },
            false => *self,
        }
    }
}

/// The failure of that name. Errors: one sentence that names the nearest.
pub fn find(slug: &str) -> Result<&'static Failure, String> {
    FAILURES.iter().find(|failure| failure.slug == slug).ok_or_else(|| {
        let near =
            FAILURES.iter().map(|failure| failure.slug).find(|known| known.contains(slug) || slug.contains(known));
        let near = near.map_or(String::new(), |near| format!(" '{near}' is near;"));
        format!("there is no such failure;{near} cargo lab break --list shows them all")
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn has_a_line_for_every_row_but_those_whose_place_is_kept() {
        let rows: BTreeSet<u8> = FAILURES.iter().map(|failure| failure.row).collect();
        let expected: BTreeSet<u8> = (1..=32).filter(|row| ![2, 24].contains(row)).collect();
        assert_eq!(rows, expected);
    }

    #[test]
    fn has_every_name_once() {
        let slugs: BTreeSet<&str> = FAILURES.iter().map(|failure| failure.slug).collect();
        assert_eq!(slugs.len(), FAILURES.len());
        assert_eq!(find("a-frozen").unwrap().row, 7);
        assert!(find("frozen").unwrap_err().contains("'a-frozen' is near"));
    }
}
