//! Causes → codes → HTTP: the failure contract as tables. No other file turns a cause into a code.
//!
//! There are two kinds of failure. A [`Cause`] is what became of a call to a peer; a [`Refusal`] is what this process
//! answers by itself. Both become a [`Status`] whose message is a constant sentence and whose details carry the
//! [`Origin`](crate::origin::Origin): which hop decided it, and why.

use std::{error::Error, fmt, io, sync::Arc};

use http::StatusCode;
use tonic::{Code, Status};

/// What became of a call to a peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// No connection could be made; or the peer refused the stream unprocessed.
    Unreachable(&'static str),
    /// The peer's name has no address.
    Unresolved,
    /// Something answers there, but it does not speak gRPC.
    NotGrpc(&'static str),
    /// The connection was there and went away during the call.
    ConnectionLost(&'static str),
    /// Our own cap on the call ran out: to us the peer is unavailable, whatever the caller's clock says.
    Timeout,
    /// The caller's deadline passed.
    Deadline,
    /// The peer broke HTTP/2 or gRPC, or answered another question.
    Broken(&'static str),
    /// The peer asked for less.
    Overloaded,
    /// The peer answered, with an error of its own.
    Answered(Code),
}

/// A row of the contract: what the caller gets to know.
pub(crate) struct Row {
    pub code: Code,
    /// The reason; after the peer's prefix where `of_peer`.
    pub reason: &'static str,
    pub of_peer: bool,
    /// The sentence; `{}` stands for the peer or the service.
    pub sentence: &'static str,
    /// `grpc-retry-pushback-ms: -1`: a retry would make it worse.
    pub no_retry: bool,
}

impl Cause {
    /// The contract's row for this cause, in the terms that our own caller may know (AIP-193, gRFC A54).
    pub(crate) fn row(&self) -> Row {
        use Code::{DeadlineExceeded, Internal, ResourceExhausted, Unavailable};
        let (code, reason, sentence) = match self {
            Cause::Unreachable(_) => (Unavailable, "UNREACHABLE", "{} is unavailable: cannot connect"),
            Cause::Unresolved => (Unavailable, "UNRESOLVED", "{} is unavailable: its name does not resolve"),
            Cause::ConnectionLost(_) => (Unavailable, "CONNECTION_LOST", "{} is unavailable: the connection was lost"),
            Cause::Timeout | Cause::Answered(DeadlineExceeded) => {
                (Unavailable, "TIMEOUT", "{} is unavailable: no answer within the timeout")
            }
            Cause::Answered(Unavailable | Code::Cancelled) => {
                (Unavailable, "UNAVAILABLE", "{} is unavailable: it says so itself")
            }
            Cause::Deadline => (DeadlineExceeded, "DEADLINE_EXCEEDED", "The deadline passed before {} answered"),
            Cause::NotGrpc("not HTTP/2") => (Unavailable, "NOT_GRPC", "What answers for {} is not a gRPC server"),
            Cause::NotGrpc(_) => (Internal, "NOT_GRPC", "What answers for {} is not a gRPC server"),
            Cause::Overloaded | Cause::Answered(ResourceExhausted) => {
                (ResourceExhausted, "OVERLOADED", "{} is overloaded")
            }
            Cause::Broken(_) => (Internal, "BROKEN", "{}'s answer broke the protocol"),
            Cause::Answered(_) => (Internal, "ERROR", "{} answered with an error"),
        };
        Row {
            code,
            reason,
            sentence,
            of_peer: *self != Cause::Deadline,
            no_retry: matches!(self, Cause::Timeout | Cause::Overloaded | Cause::Answered(ResourceExhausted)),
        }
    }

    /// A word from the interface's closed list; `None` where the reason says it all.
    pub fn details(&self) -> Option<&'static str> {
        match self {
            Cause::Unreachable(word) | Cause::NotGrpc(word) | Cause::ConnectionLost(word) | Cause::Broken(word) => {
                Some(word)
            }
            Cause::Unresolved => Some("name not found"),
            Cause::Timeout => Some("no answer"),
            Cause::Deadline | Cause::Overloaded | Cause::Answered(_) => None,
        }
    }

    /// Whether the peer itself decided this, so that its hop is the origin.
    pub(crate) fn decided_by_peer(&self) -> bool {
        matches!(self, Cause::Answered(Code::Unavailable | Code::ResourceExhausted) | Cause::Overloaded)
    }

    /// Why a connection attempt failed.
    pub fn of_connect(error: &io::Error) -> Self {
        use io::ErrorKind as Kind;
        Cause::Unreachable(match error.kind() {
            Kind::ConnectionRefused => "connection refused",
            Kind::TimedOut => "connect timeout",
            Kind::HostUnreachable | Kind::NetworkUnreachable => "no route",
            Kind::ConnectionReset => "reset",
            _ => "connect failed",
        })
    }

    /// What a client's error means, by its type, never by its text.
    ///
    /// A status without a source came over the wire: it is the peer's own answer.
    pub fn of(status: &Status) -> Self {
        let mut hyper_error = None;
        let mut next = status.source();
        if next.is_none() {
            return Cause::Answered(status.code());
        }
        while let Some(error) = next {
            if let Some(cause) = error.downcast_ref::<Cause>() {
                return *cause;
            } else if error.is::<tonic::TimeoutExpired>() {
                return Cause::Timeout;
            } else if let Some(error) = error.downcast_ref::<h2::Error>() {
                return Self::of_h2(error);
            } else if let Some(error) = error.downcast_ref::<io::Error>() {
                return Self::of_io(error);
            }
            hyper_error = hyper_error.or(error.downcast_ref::<hyper::Error>());
            next = error.source();
        }
        match hyper_error {
            Some(error) if error.is_timeout() => Cause::ConnectionLost("no answer to keepalive"),
            Some(_) => Cause::ConnectionLost("closed"),
            None => Cause::Broken("unknown"),
        }
    }

    fn of_h2(error: &h2::Error) -> Self {
        match error.reason() {
            None => error.get_io().map_or(Cause::ConnectionLost("closed"), Self::of_io),
            Some(_) if error.is_go_away() && error.is_remote() => Cause::Unreachable("going away"),
            Some(h2::Reason::REFUSED_STREAM) => Cause::Unreachable("stream refused"),
            Some(h2::Reason::CANCEL) => Cause::ConnectionLost("stream cancelled"),
            Some(h2::Reason::ENHANCE_YOUR_CALM) => Cause::Overloaded,
            Some(_) => Cause::Broken("HTTP/2 error"),
        }
    }

    fn of_io(error: &io::Error) -> Self {
        Cause::ConnectionLost(match error.kind() {
            io::ErrorKind::ConnectionReset => "reset",
            io::ErrorKind::TimedOut => "no answer to keepalive",
            _ => "closed",
        })
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self, self.details()) {
            (Cause::Answered(code), _) => write!(f, "answered {}", code_name(*code)),
            (Cause::Deadline, _) => f.write_str("deadline passed"),
            (_, Some(details)) => f.write_str(details),
            (_, None) => f.write_str("overloaded"),
        }
    }
}

impl Error for Cause {}

/// A cause on its way through code that speaks `Status`; [`Cause::of`] finds it again.
impl From<Cause> for Status {
    fn from(cause: Cause) -> Self {
        let mut status = Status::new(cause.row().code, cause.to_string());
        status.set_source(Arc::new(cause));
        status
    }
}

/// What this process answers by itself, without a peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// Metadata above the limit.
    MetadataTooLarge,
    /// No such service or method.
    UnknownMethod,
    /// Health of a service that this process does not have.
    UnknownService,
    /// A path that is there, asked with the wrong HTTP method.
    WrongHttpMethod,
    /// A gRPC path asked without gRPC's content-type.
    WrongContentType,
    /// gRPC over HTTP/1.1.
    NeedsHttp2,
    /// A query that is not percent-encoded UTF-8.
    BadQuery,
    /// An `rpc-behavior` for this service that it cannot read.
    BadRpcBehavior,
    /// A `grpc-timeout` that is none.
    BadTimeout,
    /// The caller's deadline passed while this process had the call.
    DeadlinePassed,
    /// At the limit of concurrent calls.
    Overloaded,
    /// Shutting down.
    Draining,
    /// A unary call with no message, or more than one.
    NotOneMessage,
    /// A message frame that is cut short or has an unknown flag.
    BadFrame,
    /// A compressed message; only identity is spoken here.
    WrongEncoding,
    /// A message above the limit.
    MessageTooLarge,
    /// The request did not arrive whole in time, and its caller set no deadline.
    RequestTimeout,
    /// The handler panicked.
    Panicked,
}

impl Refusal {
    pub(crate) fn row(&self) -> Row {
        let (code, reason, sentence) = match self {
            Refusal::MetadataTooLarge => {
                (Code::ResourceExhausted, "METADATA_TOO_LARGE", "The metadata is over the limit of 16 KiB")
            }
            Refusal::UnknownMethod => (Code::Unimplemented, "UNKNOWN_METHOD", "{} has no such path or method"),
            Refusal::UnknownService => (Code::NotFound, "UNKNOWN_SERVICE", "{} has no such service"),
            Refusal::WrongHttpMethod => {
                (Code::Unimplemented, "WRONG_HTTP_METHOD", "This path does not take this HTTP method")
            }
            Refusal::WrongContentType => {
                (Code::Unimplemented, "WRONG_CONTENT_TYPE", "This path takes content-type application/grpc")
            }
            Refusal::NeedsHttp2 => (Code::Unimplemented, "NEEDS_HTTP2", "gRPC needs HTTP/2"),
            Refusal::BadQuery => (Code::InvalidArgument, "BAD_QUERY", "The query is not percent-encoded UTF-8"),
            Refusal::BadRpcBehavior => (
                Code::InvalidArgument,
                "BAD_RPC_BEHAVIOR",
                "rpc-behavior takes up to 16 entries in 1 KiB: sleep-<s> or sleep-<n>ms up to an hour, keep-open, \
                 error-code-<n>, succeed-on-retry-attempt-<n>, each with a share such as :10% where wanted",
            ),
            Refusal::BadTimeout => (
                Code::Internal,
                "BAD_TIMEOUT",
                "grpc-timeout takes at most eight digits and a unit: H, M, S, m, u or n",
            ),
            Refusal::DeadlinePassed => {
                (Code::DeadlineExceeded, "DEADLINE_EXCEEDED", "The deadline passed before {} answered")
            }
            Refusal::Overloaded => (Code::ResourceExhausted, "OVERLOADED", "{} is overloaded"),
            Refusal::Draining => (Code::Unavailable, "DRAINING", "{} is shutting down"),
            Refusal::NotOneMessage => (Code::Unimplemented, "NOT_ONE_MESSAGE", "This method takes exactly one message"),
            Refusal::BadFrame => (Code::Internal, "BAD_FRAME", "The request is not a whole gRPC message"),
            Refusal::WrongEncoding => (Code::Unimplemented, "WRONG_ENCODING", "{} takes uncompressed messages only"),
            Refusal::MessageTooLarge => {
                (Code::ResourceExhausted, "MESSAGE_TOO_LARGE", "The message is over the size limit of {}")
            }
            Refusal::RequestTimeout => {
                (Code::Unavailable, "REQUEST_TIMEOUT", "{} did not get the whole request in time")
            }
            Refusal::Panicked => (Code::Unknown, "PANIC", "{} failed while it handled the call"),
        };
        Row { code, reason, sentence, of_peer: false, no_retry: *self == Refusal::Overloaded }
    }
}

/// The HTTP status that a JSON caller sees, and the log tells, for a code and its reason.
pub fn http_status(code: Code, reason: Option<&str>) -> StatusCode {
    match (code, reason) {
        (_, Some("METADATA_TOO_LARGE")) => StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
        (_, Some("UNKNOWN_METHOD")) => StatusCode::NOT_FOUND,
        (_, Some("WRONG_HTTP_METHOD")) => StatusCode::METHOD_NOT_ALLOWED,
        (_, Some("WRONG_CONTENT_TYPE")) => StatusCode::UNSUPPORTED_MEDIA_TYPE,
        (_, Some("NEEDS_HTTP2")) => StatusCode::HTTP_VERSION_NOT_SUPPORTED,
        (_, Some("MESSAGE_TOO_LARGE")) => StatusCode::PAYLOAD_TOO_LARGE,
        (_, Some("REQUEST_TIMEOUT")) => StatusCode::REQUEST_TIMEOUT,
        (Code::Ok, _) => StatusCode::OK,
        (Code::InvalidArgument | Code::FailedPrecondition | Code::OutOfRange, _) => StatusCode::BAD_REQUEST,
        (Code::Unauthenticated, _) => StatusCode::UNAUTHORIZED,
        (Code::PermissionDenied, _) => StatusCode::FORBIDDEN,
        (Code::NotFound, _) => StatusCode::NOT_FOUND,
        (Code::AlreadyExists | Code::Aborted, _) => StatusCode::CONFLICT,
        (Code::ResourceExhausted, _) => StatusCode::TOO_MANY_REQUESTS,
        (Code::Cancelled, _) => StatusCode::from_u16(499).expect("a valid HTTP status"),
        (Code::Unimplemented, _) => StatusCode::NOT_IMPLEMENTED,
        (Code::Unavailable, _) => StatusCode::SERVICE_UNAVAILABLE,
        (Code::DeadlineExceeded, _) => StatusCode::GATEWAY_TIMEOUT,
        (Code::Unknown | Code::Internal | Code::DataLoss, _) => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

/// A code as gRPC writes it: `DEADLINE_EXCEEDED`.
pub fn code_name(code: Code) -> &'static str {
    CODE_NAMES[code as usize]
}

/// The code that gRPC writes so, in upper case.
pub fn code_of_name(name: &str) -> Option<Code> {
    let number = CODE_NAMES.iter().position(|known| *known == name)?;
    Some(Code::from(i32::try_from(number).ok()?))
}

/// Every code's name, in the order of their numbers.
pub const CODE_NAMES: [&str; 17] = [
    "OK",
    "CANCELLED",
    "UNKNOWN",
    "INVALID_ARGUMENT",
    "DEADLINE_EXCEEDED",
    "NOT_FOUND",
    "ALREADY_EXISTS",
    "PERMISSION_DENIED",
    "RESOURCE_EXHAUSTED",
    "FAILED_PRECONDITION",
    "ABORTED",
    "OUT_OF_RANGE",
    "UNIMPLEMENTED",
    "INTERNAL",
    "UNAVAILABLE",
    "DATA_LOSS",
    "UNAUTHENTICATED",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn says_deadline_exceeded_only_for_the_callers_own_deadline() {
        assert_eq!(Cause::Deadline.row().code, Code::DeadlineExceeded);
        for cause in [Cause::Timeout, Cause::Answered(Code::DeadlineExceeded), Cause::Answered(Code::Cancelled)] {
            assert_eq!(cause.row().code, Code::Unavailable, "{cause}");
        }
    }

    #[test]
    fn passes_on_only_what_the_caller_may_know() {
        for code in (1..=16).map(Code::from) {
            let expected = match code {
                Code::Unavailable | Code::Cancelled | Code::DeadlineExceeded => Code::Unavailable,
                Code::ResourceExhausted => Code::ResourceExhausted,
                _ => Code::Internal,
            };
            assert_eq!(Cause::Answered(code).row().code, expected, "{code:?}");
        }
    }

    #[test]
    fn finds_a_cause_again_behind_a_status() {
        let status = Status::from(Cause::ConnectionLost("reset"));
        assert_eq!(Cause::of(&status), Cause::ConnectionLost("reset"));
        assert_eq!(Cause::of(&Status::not_found("x")), Cause::Answered(Code::NotFound));
    }

    #[test]
    fn tells_reset_streams_apart() {
        let of = |reason: h2::Reason| Cause::of_h2(&h2::Error::from(reason));
        assert_eq!(of(h2::Reason::REFUSED_STREAM).row().reason, "UNREACHABLE");
        assert_eq!(of(h2::Reason::CANCEL).row().code, Code::Unavailable);
        assert_eq!(of(h2::Reason::ENHANCE_YOUR_CALM).row().code, Code::ResourceExhausted);
        assert_eq!(of(h2::Reason::INADEQUATE_SECURITY).row().code, Code::Internal);
    }

    #[test]
    fn names_every_code_as_grpc_does() {
        for number in 0..17 {
            let code = Code::from(number);
            assert_eq!(code_of_name(code_name(code)), Some(code));
        }
        assert_eq!(code_name(Code::DeadlineExceeded), "DEADLINE_EXCEEDED");
        assert_eq!(code_of_name("NOPE"), None);
    }
}
