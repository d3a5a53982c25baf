//! hostile-peer's tests, in one program.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod answers;
mod attacks;
mod calls;
#[cfg(feature = "cli")]
mod command;
mod connections;
mod peer;
mod support;
mod windows;
