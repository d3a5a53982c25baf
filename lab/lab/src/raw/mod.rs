//! HTTP/2 by hand, for a caller that must know to the byte what it has sent before something happened, and what it was told.
//! Its frames are [`hostile_peer::frame`]'s.
//!
//! - [`RawConnection`]: one connection, and what becomes of the calls on it
//! - [`Plain`]: the same over HTTP/1.1

mod call;
mod connection;
mod plain;
mod reading;

pub use call::{Call, Ended, Fate};
pub use connection::{ConnectionConfig, RawConnection, opening};
pub use plain::{Answer, Plain, closed};
