//! What strangers send breaks nothing: inputs out of a corpus, changed at random, and what must hold whatever they are.
//!
//! An input is made of a number, so that a failure can be played again. `FUZZ_SECONDS=30` goes on for 30 seconds,
//! `FUZZ_INPUTS=10000000` plays ten million per target, from `FUZZ_FROM`; `FUZZ_TARGET=query` plays one target only, and with
//! `FUZZ_SEED=1234` one input, which it shows. `.ci/fuzz` does the long runs.

pub mod targets;

mod greeter;

#[cfg(test)]
mod conversation;
#[cfg(test)]
mod corpus;
#[cfg(test)]
mod inputs;
#[cfg(test)]
mod mutate;
