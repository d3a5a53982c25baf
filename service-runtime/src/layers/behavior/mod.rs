//! What a call's `rpc-behavior` asks for: whose business each entry is, and what it says. `layers/fault` does it.

mod asked;
mod entry;

pub(crate) use asked::{Asked, RPC_BEHAVIOR};
pub use entry::Behaviors;
#[cfg(test)]
pub(crate) use entry::read;
pub(crate) use entry::{Action, Behavior};
