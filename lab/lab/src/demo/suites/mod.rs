//! The eight suites, in the order in which they are told.

mod a_down;
mod b_down;
mod error_format;
mod health;
mod invalid;
mod success;
mod timeouts;
mod together;

use super::stage::Stage;

/// What each is called; suite 1 is the first.
pub const TITLES: [&str; 8] = [
    "Health Checks",
    "Success Scenarios",
    "Service A Down",
    "Invalid Requests",
    "Service B Down",
    "Timeout Scenarios",
    "Concurrent Requests",
    "Error Response Format",
];

/// Plays suite `number`, and leaves the pair running. Errors: it could not go on.
pub async fn play(number: usize, stage: &mut Stage) -> anyhow::Result<()> {
    match number {
        1 => health::play(stage).await,
        2 => success::play(stage).await,
        3 => a_down::play(stage).await,
        4 => invalid::play(stage).await,
        5 => b_down::play(stage).await,
        6 => timeouts::play(stage).await,
        7 => together::play(stage).await,
        _ => error_format::play(stage).await,
    }
}
