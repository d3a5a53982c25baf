//! The client half: how a service calls a peer.
//!
//! From the call down to the wire: channel (for any generated client) → call (the loop: deadline, attempts, retry, budget) → balancer
//! (which of the replicas; resolver, subset, outlier; the line of calls that wait) → subchannel (connected, or trying; its pool of
//! connections) → connection → dial. On the way back, check believes no answer that is not one.

mod answer;
mod authority;
mod backoff;
pub(crate) mod balancer;
mod budget;
mod call;
mod changes;
mod channel;
pub(crate) mod check;
mod checked;
pub mod connection;
mod dial;
mod endpoint;
pub(crate) mod exchange;
mod io;
mod keepalive;
mod lent;
mod line;
pub(crate) mod methods;
mod outlier;
mod peer_log;
mod pool;
mod progress;
mod proof;
mod race;
mod replica;
pub(crate) mod replicas;
mod request;
mod resolve;
mod resolver;
pub(crate) mod retry;
mod seen;
mod settings;
mod state;
mod stream;
mod subchannel;
pub(crate) mod subset;
mod target;
mod under_way;
mod upstream;
mod whole;
mod window;
pub(crate) mod worker;

pub use crate::address::Address;
pub use answer::AnswerBody;
pub use authority::Authority;
pub use backoff::Backoff;
pub use channel::PeerChannel;
pub use checked::{AnswerMetadata, Checked, Heard};
pub use dial::{BoxFuture, ByteStream, Dial, Sockets};
pub use endpoint::Endpoint;
pub use keepalive::Keepalive;
pub use methods::{MethodConfig, MethodKind};
pub use proof::is_by;
pub use race::dial_any;
pub use resolve::{Resolve, SystemResolver};
pub use target::Target;
pub use upstream::{Upstream, UpstreamConfig, WorkerUpstream};
pub use whole::WholeBody;
