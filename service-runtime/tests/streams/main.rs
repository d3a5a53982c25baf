//! Streams on the server, on the wire: a server on a port of its own, and callers over TCP. Streams through the channel to a peer: in
//! memory, on a paused clock.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod caller;
mod channel;
mod compression;
mod connection;
mod ending;
mod flow;
mod generated;
mod limit;
mod log;
mod message;
mod service;
mod small;
