//! The client half: how a service calls a peer.
//!
//! upstream → subchannel → connection → dial, from the call down to the wire; check, on the way back, believes no answer
//! that is not one.

pub mod connection;

mod backoff;
mod check;
mod dial;
mod peer;
mod subchannel;
mod upstream;

#[cfg(test)]
mod seeded;

pub use backoff::Backoff;
pub use check::Checked;
pub use dial::Dial;
pub use peer::{Peer, Target};
pub use upstream::{Upstream, UpstreamConfig};
