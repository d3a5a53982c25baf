//! Streams on the server, on the wire: a server on a port of its own, and callers over TCP.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod caller;
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
