//! Faults on demand: `rpc-behavior`, asked of real processes on both of their faces.

mod behaviors;
mod ends;
pub mod support;
mod whom;
