//! The half that is called: HTTP/2 servers that misbehave on purpose, for testing clients.

mod behavior;
mod connection;
mod door;
mod end;
mod event;
mod peer;
mod role;
mod session;
mod step;
mod stream;
mod table;

pub use behavior::{Behavior, examples, groups, list};
pub use connection::serve;
pub use end::End;
pub use event::{Event, EventKind};
pub use peer::Peer;
pub use role::Role;
