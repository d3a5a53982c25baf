//! What was tried, and what came of it.

use std::time::Duration;

use crate::{experiments::callers::Answers, failures::Question};

/// One thing that was tried.
pub struct Tried {
    /// What the callers got.
    pub answers: Answers,
    /// A word on it.
    pub note: String,
    /// Whether it is as the contract says.
    pub held: bool,
}

/// B's cap where it has no other.
pub const CAP: Duration = Duration::from_secs(2);
/// A call with time to wait.
pub const IN_5_S: Question = Question { msg: "hello", timeout: Some("5S") };
