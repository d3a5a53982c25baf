//! Every attack and bad request, done to A and to B as real processes: what they answer, and what becomes of the connection.
//! A program of its own, for the floods load both cores.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod answers;
mod command;
mod field;
mod rows;
