//! The examples, each as a user runs it.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod axum;
mod chat;
mod gateway;
mod hello;
mod interop;
mod process;
