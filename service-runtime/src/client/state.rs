//! The state of the way to a replica.

use tokio::time::Instant;

use crate::status::Cause;

/// gRPC's words for it. There is no idle state.
#[derive(Clone, Copy, Debug)]
pub(crate) enum State {
    /// The first try since the start, or since a connection was lost: calls wait for it.
    Connecting,
    Ready,
    /// The last try failed. It stays so during the next ones: calls fail at once, with this.
    TransientFailure(Failure),
}

/// Why there is no connection, and when the next try is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Failure {
    pub cause: Cause,
    pub next_try: Option<Instant>,
}

impl Failure {
    /// This one or `other`: what stands in the peer's place tells more than that there is no listener.
    pub fn or_worse(self, other: Failure) -> Failure {
        let tells_more = !matches!(other.cause, Cause::Unreachable(_)) && matches!(self.cause, Cause::Unreachable(_));
        let cause = if tells_more { other.cause } else { self.cause };
        Failure { cause, next_try: self.next_try.min(other.next_try) }
    }
}
