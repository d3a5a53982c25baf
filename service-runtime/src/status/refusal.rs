//! What this process answers by itself, without a peer.

use tonic::Code;

use super::Row;

/// A call that ends here, and why.
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
    /// HTTP/1.1 without `Host`, or with more than one.
    BadHost,
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
    /// A message that is not what its type says: malformed protobuf, or a string that is not UTF-8.
    BadMessage,
    /// A compressed message; only identity is spoken here.
    WrongEncoding,
    /// A message above the limit.
    MessageTooLarge,
    /// The request did not arrive whole in time, and its caller set no deadline.
    RequestTimeout,
    /// The handler panicked.
    Panicked,
    /// A layer of the service's own failed with something else than a status.
    LayerFailed,
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
            Refusal::BadHost => (Code::InvalidArgument, "BAD_HOST", "HTTP/1.1 takes exactly one Host field"),
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
            Refusal::BadMessage => (Code::Internal, "BAD_MESSAGE", "The message is not what this method takes"),
            Refusal::WrongEncoding => (Code::Unimplemented, "WRONG_ENCODING", "{} takes uncompressed messages only"),
            Refusal::MessageTooLarge => {
                (Code::ResourceExhausted, "MESSAGE_TOO_LARGE", "The message is over the size limit of {}")
            }
            Refusal::RequestTimeout => {
                (Code::Unavailable, "REQUEST_TIMEOUT", "{} did not get the whole request in time")
            }
            Refusal::Panicked => (Code::Unknown, "PANIC", "{} failed while it handled the call"),
            Refusal::LayerFailed => (Code::Unknown, "LAYER_FAILED", "{} failed before it handled the call"),
        };
        Row { code, reason, sentence, of_peer: false, no_retry: *self == Refusal::Overloaded }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn asks_not_to_be_retried_only_where_a_retry_would_make_it_worse() {
        assert!(Refusal::Overloaded.row().no_retry);
        for refusal in [Refusal::Draining, Refusal::RequestTimeout, Refusal::DeadlinePassed, Refusal::MessageTooLarge] {
            assert!(!refusal.row().no_retry, "{refusal:?}");
        }
    }
}
