//! The half that is called: HTTP/2 servers that misbehave on purpose, for testing clients.

mod behaviour;
mod connection;
mod door;
mod event;
mod peer;
mod role;
mod session;
mod step;
mod stream;
mod table;

pub use behaviour::{Behaviour, Group, examples, groups, list};
pub use connection::{End, serve};
pub use event::{Event, EventKind};
pub use peer::Peer;
pub use role::Role;
