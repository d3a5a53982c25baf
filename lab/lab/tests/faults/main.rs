//! Faults on demand: `rpc-behavior`, asked of real processes on both of their faces.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod behaviours;
mod ends;
mod support;
mod whom;
