//! Every attack and bad request, to be done to a server of the pair and looked at.
//!
//! - [`table`]: THE table: one line an attack, with what the contract wants
//! - [`Expected`]: that, and whether it came; [`describe`]: what came, in words; [`status`]: gRPC's part of it
//! - [`Drain`]: what a server may be in the middle of when it is told to end; [`DRAINS`]: all of them
//! - [`Servers`]: A, B and a stock tonic B, started to be attacked; [`whose`]: what a server is that runs already
//! - [`command`]: `lab attack`

mod case;
mod describe;
mod drains;
mod expected;
mod servers;

pub mod command;
pub mod table;

pub use case::Case;
pub use describe::{describe, status};
pub use drains::{DRAINS, Drain};
pub use expected::{Answered, Expected, Then, Window};
pub use servers::{LIMIT, Servers, whose};
