//! The client half: how a service calls a peer.
//!
//! From the call down to the wire: upstream (the loop: deadline, attempts, retry, budget) → balancer (which of the replicas;
//! resolver, subset, outlier) → subchannel (connected, or trying) → connection → dial. On the way back, check believes no answer that is
//! not one.

pub mod connection;

mod backoff;
pub(crate) mod balancer;
mod budget;
pub(crate) mod check;
mod dial;
mod endpoint;
mod outlier;
mod peer_log;
mod progress;
mod proof;
mod race;
mod replica;
pub(crate) mod replicas;
mod resolve;
mod resolver;
pub(crate) mod retry;
mod subchannel;
pub(crate) mod subset;
mod target;
mod upstream;
mod window;

pub use crate::address::Address;
pub use backoff::Backoff;
pub use check::Checked;
pub use dial::{BoxFuture, ByteStream, Dial, Sockets};
pub use endpoint::Endpoint;
pub use proof::is_by;
pub use race::dial_any;
pub use resolve::{Resolve, SystemResolver};
pub use target::Target;
pub use upstream::{Upstream, UpstreamConfig, WorkerUpstream};
