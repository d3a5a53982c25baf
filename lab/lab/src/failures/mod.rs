//! Every row of the failure contract, to be made to happen and looked at from outside.
//!
//! - [`table`]: THE table: one line a failure, with what a caller of B must get
//! - [`Scene`]: what is done to A, to B or to the caller; [`Stage`] does it with real processes and hostile peers
//! - [`CallOutcome`]: what a caller got, on either face; [`show`]: all of it, told

mod cast;
mod documents;
mod failure;
mod outcome;
mod play;
mod scene;
mod stage;

pub mod show;
pub mod table;

pub use cast::{Kind, Seat, ports_after};
pub use failure::{Bound, Expected, Failure, Times};
pub use outcome::{CallOutcome, Face, Question};
pub use scene::Scene;
pub use stage::Stage;
