//! What a call's `rpc-behavior` asks for: whose business each entry is, and what it says. `layers/fault` does it.

mod asked;
mod entry;

pub use asked::{Asked, RPC_BEHAVIOR};
pub use entry::Behaviors;
#[cfg(any(test, feature = "harness"))]
pub use entry::read;
pub use entry::{Action, Behavior};
