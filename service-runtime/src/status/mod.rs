//! Causes → codes → HTTP: the failure contract as tables. Nothing outside this folder turns a cause into a code.
//!
//! There are two kinds of failure. A [`Cause`] is what became of a call to a peer; a [`Refusal`] is what this process
//! answers by itself. Both become a [`Status`](tonic::Status) whose message is a constant sentence and whose details carry
//! the [`Origin`](crate::origin::Origin): which hop decided it, and why.

mod cause;
mod codes;
mod reading;
mod received;
mod refusal;

pub use cause::{Broken, Cause};
pub use codes::{CODE_NAMES, code_name, code_of_name, http_status, is_fault_of_service};
pub use received::of_headers;
pub use refusal::Refusal;

pub(crate) use cause::Retry;

/// A row of the contract: what the caller gets to know.
pub(crate) struct Row {
    pub code: tonic::Code,
    /// The reason; after the peer's prefix where `of_peer`.
    pub reason: &'static str,
    pub of_peer: bool,
    /// The sentence; `{}` stands for the peer or the service.
    pub sentence: &'static str,
    /// `grpc-retry-pushback-ms: -1`: a retry would make it worse.
    pub no_retry: bool,
}
