//! What B promises, asked of a real process from outside.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod bad_input;
mod rows;
mod support;
