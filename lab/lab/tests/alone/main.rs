//! Tests that want the machine, or their process, to themselves: they load both cores, or change a limit of the process.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod descriptors;
mod impatient;
mod overload;
