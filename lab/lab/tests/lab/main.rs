//! The lab's tests, in one program: each test has processes of its own, and most of the time is spent waiting.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod attacks;
mod breaking;
mod contract;
mod cycles;
mod demo;
mod docs;
mod drains;
mod environment;
mod faults;
mod handlers;
#[cfg(target_os = "linux")]
mod handover;
mod large;
mod lifetime;
mod log;
mod metadata;
mod peer;
mod peers;
mod readme;
mod replicas;
mod rows;
mod signals;
mod unix;
#[cfg(target_os = "linux")]
mod unwritten;
mod up;
mod wire;
mod zones;
