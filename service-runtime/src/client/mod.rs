//! The client half: how a service calls a peer.
//!
//! upstream → subchannel → connection, from the call down to the wire.

pub mod connection;

mod peer;
mod subchannel;
mod upstream;

pub use peer::{Peer, Target};
pub use upstream::{Upstream, UpstreamConfig};
