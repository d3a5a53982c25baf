//! Attacks and bad requests, done to A and to B as real processes: what they answer besides what the table says, and `lab attack`.
//! Those that take long go on beside everything else from here on; [`wire`](super::wire) comes for what became of them.

mod answers;
mod command;
pub mod field;
