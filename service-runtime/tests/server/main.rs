//! A server as a stranger builds it: their layers, their statuses, their runtime; asked over real sockets.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod addresses;
mod answers;
mod http1;
mod in_process;
mod json;
mod layers;
mod log;
mod raw;
mod reflection;
mod repeated;
mod scripted;
mod start;

#[path = "../../examples/generated/chat.rs"]
mod chat;
