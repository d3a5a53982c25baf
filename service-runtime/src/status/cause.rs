//! What became of a call to a peer: first in gRPC's own terms, then in those that our own caller may know.

use std::{borrow::Cow, error::Error, fmt, sync::Arc};

use tonic::{Code, Status};

use super::{
    Row,
    codes::{code_of_http, code_of_reset, code_text},
};

/// What became of a call to a peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// No connection could be made.
    Unreachable(&'static str),
    /// The peer's name has no address.
    Unresolved,
    /// The peer takes no more calls at once on any connection that we may have to it.
    Busy,
    /// Something answers there, but it does not speak HTTP/2.
    NotGrpc(&'static str),
    /// The connection was gone before the request was on it.
    NeverSent,
    /// GOAWAY with a last stream below this one: the peer did not process it.
    GoingAway,
    /// The connection was there and went away during the call.
    ConnectionLost(&'static str),
    /// RST_STREAM with this number.
    Reset(u32),
    /// Our own cap on the call ran out: to us the peer is unavailable, whatever the caller's clock says.
    Timeout,
    /// The caller's deadline passed.
    Deadline,
    /// An answer with this HTTP status, and it is not gRPC.
    Http(u16),
    /// A gRPC answer that breaks the protocol, or answers another question.
    Broken(Broken),
    /// The peer answered, with an error of its own: `grpc-status`, which may be a number without a name.
    Answered(u32),
}

/// How an answer breaks the protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Broken {
    /// Frames or headers that HTTP/2 does not allow, or more of them than we take.
    Http2,
    /// The answer ended without `grpc-status`.
    NoStatus,
    /// A `grpc-status` that is no number.
    BadStatus,
    /// OK, and no message.
    NoMessage,
    /// A second message where one was asked for.
    TwoMessages,
    /// A message above the limit.
    TooLarge,
    /// Less came than the frame had announced.
    CutShort,
    /// A flag that is none.
    BadFrame,
    /// Compressed, though we did not say that we can read that.
    Compressed,
    /// Bytes that are not the message they should be.
    Undecodable,
    /// An answer to another question.
    AnotherText,
}

/// Whether the same call may be made again, for reasons that gRPC calls transparent (gRFC A6).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Retry {
    /// It never left: as often as it takes.
    NeverSent,
    /// The peer says that it did not process it: once.
    NotProcessed,
    No,
}

impl Broken {
    /// A word for the details, and gRPC's own code.
    fn row(self) -> (&'static str, Code) {
        match self {
            Broken::Http2 => ("HTTP/2 error", Code::Internal),
            Broken::NoStatus => ("no status", Code::Unknown),
            Broken::BadStatus => ("bad status", Code::Unknown),
            Broken::NoMessage => ("no message", Code::Unimplemented),
            Broken::TwoMessages => ("two messages", Code::Unimplemented),
            Broken::TooLarge => ("too large", Code::ResourceExhausted),
            Broken::CutShort => ("cut short", Code::Internal),
            Broken::BadFrame => ("bad frame", Code::Internal),
            Broken::Compressed => ("compressed", Code::Internal),
            Broken::Undecodable => ("undecodable", Code::Internal),
            Broken::AnotherText => ("another text", Code::Internal),
        }
    }
}

impl Cause {
    /// gRPC's own code for the attempt: what the caller of a channel should see.
    pub fn code(&self) -> Code {
        match *self {
            Cause::Unreachable(_) | Cause::Unresolved | Cause::NotGrpc(_) | Cause::NeverSent | Cause::Busy => {
                Code::Unavailable
            }
            Cause::GoingAway | Cause::ConnectionLost(_) => Code::Unavailable,
            Cause::Reset(reason) => code_of_reset(reason),
            Cause::Timeout | Cause::Deadline => Code::DeadlineExceeded,
            Cause::Http(status) => code_of_http(status),
            Cause::Broken(how) => how.row().1,
            Cause::Answered(number) => i32::try_from(number).map_or(Code::Unknown, Code::from),
        }
    }

    /// The contract's row for this cause, in the terms that our own caller may know (AIP-193, gRFC A54).
    pub(crate) fn row(&self) -> Row {
        use Code::{DeadlineExceeded, Internal, ResourceExhausted, Unavailable};
        const UNREACHABLE: (Code, &str, &str) = (Unavailable, "UNREACHABLE", "{} is unavailable: cannot connect");
        const LOST: (Code, &str, &str) = (Unavailable, "CONNECTION_LOST", "{} is unavailable: the connection was lost");
        const TIMEOUT: (Code, &str, &str) = (Unavailable, "TIMEOUT", "{} is unavailable: no answer within the timeout");
        const SAYS_SO: (Code, &str, &str) = (Unavailable, "UNAVAILABLE", "{} is unavailable: its answer says so");
        const OVERLOADED: (Code, &str, &str) = (ResourceExhausted, "OVERLOADED", "{} is overloaded");
        const BROKEN: (Code, &str, &str) = (Internal, "BROKEN", "{}'s answer broke the protocol");
        const NOT_GRPC: &str = "What answers for {} is not a gRPC server";
        let (code, reason, sentence) = match self {
            Cause::Unreachable(_) | Cause::NeverSent | Cause::GoingAway | Cause::Reset(7) => UNREACHABLE,
            Cause::Busy => (Unavailable, "BUSY", "{} is unavailable: no free stream"),
            Cause::Unresolved => (Unavailable, "UNRESOLVED", "{} is unavailable: its name does not resolve"),
            Cause::NotGrpc(_) => (Unavailable, "NOT_GRPC", NOT_GRPC),
            Cause::Http(429 | 502 | 503 | 504) => UNREACHABLE,
            Cause::Http(_) => (Internal, "NOT_GRPC", NOT_GRPC),
            Cause::ConnectionLost(_) | Cause::Reset(8) => LOST,
            Cause::Reset(11) => OVERLOADED,
            Cause::Reset(_) | Cause::Broken(_) => BROKEN,
            Cause::Timeout => TIMEOUT,
            Cause::Deadline => (DeadlineExceeded, "DEADLINE_EXCEEDED", "The deadline passed before {} answered"),
            Cause::Answered(_) => match self.code() {
                DeadlineExceeded => TIMEOUT,
                Unavailable | Code::Cancelled => SAYS_SO,
                ResourceExhausted => OVERLOADED,
                _ => (Internal, "ERROR", "{} answered with an error"),
            },
        };
        let no_retry = matches!(self, Cause::Timeout | Cause::Busy | Cause::Http(429)) || code == ResourceExhausted;
        Row { code, reason, sentence, of_peer: *self != Cause::Deadline, no_retry }
    }

    /// A word from the interface's closed list; `None` where the reason says it all.
    pub fn details(&self) -> Option<Cow<'static, str>> {
        Some(match self {
            Cause::Unreachable(word) | Cause::NotGrpc(word) | Cause::ConnectionLost(word) => Cow::Borrowed(*word),
            Cause::Unresolved => "name not found".into(),
            Cause::Busy => "no free stream".into(),
            Cause::NeverSent => "closed".into(),
            Cause::GoingAway => "going away".into(),
            Cause::Reset(reason) => format!("RST_STREAM {reason}").into(),
            Cause::Timeout => "no answer".into(),
            Cause::Http(status) => format!("HTTP {status}").into(),
            Cause::Broken(how) => how.row().0.into(),
            Cause::Deadline | Cause::Answered(_) => return None,
        })
    }

    /// What the peer answered, in gRPC's own code (its number where it has no name); `None` where no answer came.
    pub(crate) fn upstream_code(&self) -> Option<Cow<'static, str>> {
        match self {
            Cause::Answered(number) => Some(code_text(*number)),
            Cause::Reset(_) | Cause::Http(_) | Cause::Broken(_) => Some(super::code_name(self.code()).into()),
            _ => None,
        }
    }

    /// Whether the status of the peer's answer is passed on, so that whoever made it is the origin.
    pub(crate) fn decided_by_peer(&self) -> bool {
        matches!(self, Cause::Answered(_)) && matches!(self.code(), Code::Unavailable | Code::ResourceExhausted)
    }

    /// Whether the call may be made again without retries being configured.
    pub(crate) fn transparent_retry(&self) -> Retry {
        match self {
            Cause::NeverSent => Retry::NeverSent,
            Cause::GoingAway | Cause::Reset(7) => Retry::NotProcessed,
            _ => Retry::No,
        }
    }

    /// Whether the peer may be asked once more within the call, where retries are configured (gRFC A6), the method is idempotent, and
    /// nothing of an answer was passed on.
    pub(crate) fn configured_retry(&self) -> bool {
        self.soon_worth_a_retry() && *self != Cause::Reset(8)
    }

    /// Whether this speaks against the replica that the call went to; `None` where it says nothing about it.
    pub(crate) fn speaks_against_the_replica(&self) -> Option<bool> {
        match self {
            Cause::ConnectionLost(_) | Cause::Timeout | Cause::Http(429 | 502..=504) => Some(true),
            Cause::Answered(_) => Some(self.code() == Code::Unavailable),
            // Whether the time was a fair one is for whoever measured it.
            Cause::Deadline | Cause::Busy | Cause::NeverSent | Cause::GoingAway | Cause::Reset(7) => None,
            _ => Some(false),
        }
    }

    /// Whether it is sensible for our caller to try again soon (`RetryInfo`, `retry-after`).
    pub(crate) fn soon_worth_a_retry(&self) -> bool {
        match self {
            Cause::GoingAway | Cause::NeverSent | Cause::ConnectionLost(_) => true,
            Cause::Reset(reason) => matches!(reason, 7 | 8),
            Cause::Http(status) => matches!(status, 502..=504),
            Cause::Answered(_) => self.code() == Code::Unavailable,
            _ => false,
        }
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self, self.details()) {
            (Cause::Answered(number), _) => write!(f, "answered {}", code_text(*number)),
            (_, Some(details)) => f.write_str(&details),
            (_, None) => f.write_str("deadline passed"),
        }
    }
}

impl Error for Cause {}

/// A cause on its way through code that speaks `Status`; [`Cause::of`] finds it again.
impl From<Cause> for Status {
    fn from(cause: Cause) -> Self {
        cause.on(Status::new(cause.code(), cause.to_string()))
    }
}

impl Cause {
    /// Puts the cause behind a status, for [`Cause::of`] to find.
    pub(crate) fn on(self, mut status: Status) -> Status {
        status.set_source(Arc::new(self));
        status
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(cause: Cause) -> (Code, &'static str) {
        (cause.row().code, cause.row().reason)
    }

    #[test]
    fn says_deadline_exceeded_only_for_the_callers_own_deadline() {
        assert_eq!(row(Cause::Deadline), (Code::DeadlineExceeded, "DEADLINE_EXCEEDED"));
        assert_eq!(row(Cause::Timeout), (Code::Unavailable, "TIMEOUT"));
        assert_eq!(row(Cause::Answered(4)), (Code::Unavailable, "TIMEOUT"));
        assert_eq!(row(Cause::Answered(1)), (Code::Unavailable, "UNAVAILABLE"));
    }

    #[test]
    fn passes_on_only_what_the_caller_may_know() {
        for number in (1..=17).chain([99, u32::MAX]) {
            let expected = match number {
                1 | 14 => (Code::Unavailable, "UNAVAILABLE"),
                4 => (Code::Unavailable, "TIMEOUT"),
                8 => (Code::ResourceExhausted, "OVERLOADED"),
                _ => (Code::Internal, "ERROR"),
            };
            let cause = Cause::Answered(number);
            assert_eq!(row(cause), expected, "{number}");
            assert_eq!(cause.decided_by_peer(), matches!(number, 8 | 14), "{number}");
        }
        assert_eq!(Cause::Answered(5).upstream_code().as_deref(), Some("NOT_FOUND"));
        assert_eq!(Cause::Answered(99).upstream_code().as_deref(), Some("99"));
    }

    #[test]
    fn tells_reset_streams_apart() {
        for reason in 0..=14 {
            let expected = match reason {
                7 => (Code::Unavailable, "UNREACHABLE"),
                8 => (Code::Unavailable, "CONNECTION_LOST"),
                11 => (Code::ResourceExhausted, "OVERLOADED"),
                _ => (Code::Internal, "BROKEN"),
            };
            assert_eq!(row(Cause::Reset(reason)), expected, "RST_STREAM {reason}");
        }
        assert_eq!(Cause::Reset(2).details().as_deref(), Some("RST_STREAM 2"));
        assert_eq!(Cause::Reset(12).upstream_code().as_deref(), Some("PERMISSION_DENIED"));
    }

    #[test]
    fn takes_a_proxys_error_for_a_peer_that_is_not_reached_and_any_other_page_for_something_else() {
        for status in 200..600 {
            let expected = match status {
                429 | 502 | 503 | 504 => (Code::Unavailable, "UNREACHABLE"),
                _ => (Code::Internal, "NOT_GRPC"),
            };
            assert_eq!(row(Cause::Http(status)), expected, "HTTP {status}");
            assert_eq!(Cause::Http(status).row().no_retry, status == 429, "HTTP {status}");
        }
        assert_eq!(Cause::Http(401).upstream_code().as_deref(), Some("UNAUTHENTICATED"));
        assert_eq!(Cause::Http(503).details().as_deref(), Some("HTTP 503"));
    }

    #[test]
    fn says_of_a_connection_what_became_of_it() {
        for (cause, expected) in [
            (Cause::Unreachable("reset"), (Code::Unavailable, "UNREACHABLE")),
            (Cause::Unresolved, (Code::Unavailable, "UNRESOLVED")),
            (Cause::Busy, (Code::Unavailable, "BUSY")),
            (Cause::NotGrpc("not HTTP/2"), (Code::Unavailable, "NOT_GRPC")),
            (Cause::NeverSent, (Code::Unavailable, "UNREACHABLE")),
            (Cause::GoingAway, (Code::Unavailable, "UNREACHABLE")),
            (Cause::ConnectionLost("closed"), (Code::Unavailable, "CONNECTION_LOST")),
        ] {
            assert_eq!(row(cause), expected, "{cause}");
            assert_eq!((cause.code(), cause.upstream_code()), (Code::Unavailable, None), "{cause}");
        }
    }

    #[test]
    fn keeps_the_details_of_a_broken_answer_to_grpcs_own_code() {
        for (how, word, own) in [
            (Broken::Http2, "HTTP/2 error", "INTERNAL"),
            (Broken::NoStatus, "no status", "UNKNOWN"),
            (Broken::BadStatus, "bad status", "UNKNOWN"),
            (Broken::NoMessage, "no message", "UNIMPLEMENTED"),
            (Broken::TwoMessages, "two messages", "UNIMPLEMENTED"),
            (Broken::TooLarge, "too large", "RESOURCE_EXHAUSTED"),
            (Broken::CutShort, "cut short", "INTERNAL"),
            (Broken::BadFrame, "bad frame", "INTERNAL"),
            (Broken::Compressed, "compressed", "INTERNAL"),
            (Broken::Undecodable, "undecodable", "INTERNAL"),
            (Broken::AnotherText, "another text", "INTERNAL"),
        ] {
            let cause = Cause::Broken(how);
            assert_eq!(row(cause), (Code::Internal, "BROKEN"), "{cause}");
            assert_eq!((cause.to_string().as_str(), cause.upstream_code().as_deref()), (word, Some(own)));
        }
    }

    #[test]
    fn makes_a_call_again_only_where_the_peer_has_not_processed_it() {
        assert_eq!(Cause::NeverSent.transparent_retry(), Retry::NeverSent);
        for cause in [Cause::GoingAway, Cause::Reset(7)] {
            assert_eq!(cause.transparent_retry(), Retry::NotProcessed, "{cause}");
        }
        let others =
            [Cause::ConnectionLost("reset"), Cause::Reset(8), Cause::Timeout, Cause::Answered(14), Cause::Http(503)];
        for cause in others {
            assert_eq!(cause.transparent_retry(), Retry::No, "{cause}");
        }
    }

    /// One of each kind.
    const EVERY: [Cause; 21] = [
        Cause::Unreachable("connection refused"),
        Cause::Unresolved,
        Cause::NotGrpc("not HTTP/2"),
        Cause::NeverSent,
        Cause::GoingAway,
        Cause::ConnectionLost("reset"),
        Cause::Reset(2),
        Cause::Reset(7),
        Cause::Reset(8),
        Cause::Reset(11),
        Cause::Timeout,
        Cause::Deadline,
        Cause::Http(200),
        Cause::Http(429),
        Cause::Http(502),
        Cause::Http(503),
        Cause::Http(504),
        Cause::Broken(Broken::NoStatus),
        Cause::Answered(5),
        Cause::Answered(8),
        Cause::Answered(14),
    ];

    #[test]
    fn asks_again_in_rows_4_5_6_14_and_20_only() {
        for cause in EVERY {
            let lost = matches!(cause, Cause::GoingAway | Cause::ConnectionLost(_) | Cause::Reset(7));
            let said = matches!(cause, Cause::Http(502..=504) | Cause::Answered(14));
            assert_eq!(cause.configured_retry(), lost || said || cause == Cause::NeverSent, "{cause}");
        }
    }

    #[test]
    fn holds_rows_5_6_7_14_19_and_20_against_the_replica_and_nothing_that_it_cannot_help() {
        for cause in EVERY {
            let against = match cause {
                Cause::ConnectionLost(_) | Cause::Timeout | Cause::Answered(14) => Some(true),
                Cause::Http(429 | 502..=504) => Some(true),
                Cause::Deadline | Cause::Busy | Cause::NeverSent | Cause::GoingAway | Cause::Reset(7) => None,
                _ => Some(false),
            };
            assert_eq!(cause.speaks_against_the_replica(), against, "{cause}");
        }
    }

    #[test]
    fn advises_a_retry_only_where_the_contract_does() {
        let sensible = [
            Cause::GoingAway,
            Cause::NeverSent,
            Cause::ConnectionLost("closed"),
            Cause::Reset(7),
            Cause::Reset(8),
            Cause::Http(502),
            Cause::Http(503),
            Cause::Http(504),
            Cause::Answered(14),
        ];
        for cause in sensible {
            assert!(cause.soon_worth_a_retry() && !cause.row().no_retry, "{cause}");
        }
        let senseless = [
            Cause::Timeout,
            Cause::Deadline,
            Cause::Reset(2),
            Cause::Reset(11),
            Cause::Http(429),
            Cause::Http(500),
            Cause::Broken(Broken::NoStatus),
            Cause::Answered(1),
            Cause::Answered(4),
            Cause::Answered(8),
            Cause::Answered(13),
        ];
        for cause in senseless {
            assert!(!cause.soon_worth_a_retry(), "{cause}");
        }
        for cause in [Cause::Timeout, Cause::Reset(11), Cause::Answered(8), Cause::Http(429)] {
            assert!(cause.row().no_retry, "{cause}");
        }
        assert!(!Cause::Deadline.row().no_retry && !Cause::Answered(4).row().no_retry);
    }

    #[test]
    fn says_what_happened_in_a_word() {
        assert_eq!(Cause::Answered(5).to_string(), "answered NOT_FOUND");
        assert_eq!(Cause::Deadline.to_string(), "deadline passed");
        assert_eq!(Cause::Timeout.to_string(), "no answer");
        assert_eq!((Cause::Answered(5).details(), Cause::Deadline.details()), (None, None));
    }
}
