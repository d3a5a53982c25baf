//! Seeds: a number stands for a world that is drawn from it, and can be played again.
//!
//! [`driver`] plays numbers on every processor and finds the one that fails or does not end; the fuzzers use it too. `world`, a test,
//! is the call to a peer, whatever that peer and the network do.

pub mod driver;
pub mod panics;

#[cfg(test)]
mod world;

/// A number out of the environment, where it is set.
pub fn number(name: &str) -> Option<u64> {
    Some(std::env::var(name).ok()?.parse().unwrap_or_else(|_| panic!("{name} is not a number")))
}
