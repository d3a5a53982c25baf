//! What a gRPC service process needs to fail by the book, and nothing of any one service.
//!
//! Stock tonic answers CANCELLED when a deadline passes and UNKNOWN when a connection dies, and never finishes a drain.
//! This crate keeps tonic's generated code and replaces what is around it: the accept loop, the layers, the call to a peer.
//!
//! # Your own service, in five steps
//! 1. Compile your `.proto` with `tonic-prost-build` and keep the encoded descriptor set (`build.rs` of this crate does both).
//! 2. Say who you are: a `static` [`Service`] with a name, a domain, the descriptors, and a [`json::Route`]
//!    for each method that `curl` shall reach.
//! 3. Implement the generated trait. Wait for peers with [`client::Upstream::call`], never without a deadline.
//! 4. Write `Args` (clap; flatten [`server::ServerFlags`] and [`telemetry::LogFlags`]) and `start(args, shutdown)`:
//!    [`server::bind`], then [`server::Bound::serve`] with a factory that makes the routes of one worker.
//! 5. `fn main() -> ExitCode { service_runtime::run(&SERVICE, start) }`.
//!
//! `examples/hello.rs` is these five steps in one file.
//!
//! # The map
//! - [`server`]: bind → serve; accept → worker → connection → stack → handler; drain
//! - [`layers`]: what a call passes on its way to the handler, one concern a file
//! - [`client`]: upstream → subchannel → connection, the way to a peer
//! - [`deadline`]: read, kept, passed on
//! - [`status`]: causes → codes → HTTP, the contract as tables; [`origin`]: which hop decided, in the error's details
//! - [`context`]: what the layers and the handler of one call share
//! - `behavior`: what a call asks to be done to it
//! - `grpc`, `frames`: what both halves know of gRPC and of HTTP/2
//! - `health`, `reflection`: the services that every process has
//! - `fuzz`: what strangers send, at random; for tests only
//! - [`cli`]: from the command line to a running process; `descriptors`, `pages`: what it takes of its machine
//! - [`telemetry`]: what it tells about itself

/// Each call makes and drops dozens of small things; the system's allocator took a sixth of a call's CPU time more.
#[cfg(feature = "mimalloc")]
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

pub mod cli;
pub mod client;
pub mod context;
pub mod deadline;
pub mod layers;
pub mod origin;
pub mod server;
pub mod status;
pub mod telemetry;

mod behavior;
mod descriptors;
mod frames;
mod grpc;
mod health;
mod pages;
mod reflection;
mod service;

#[cfg(any(test, fuzzing))]
pub mod fuzz;
#[cfg(test)]
mod panics;

pub use cli::{run, run_with};
pub use layers::json;
pub use service::Service;
