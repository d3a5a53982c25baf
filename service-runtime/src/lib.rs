//! What a gRPC service process needs to fail by the book, and nothing of any one service.
//!
//! Stock tonic answers CANCELLED when a deadline passes and UNKNOWN when a connection dies, and never finishes a drain.
//! This crate keeps tonic's generated code and replaces what is around it: the accept loop, the layers, the call to a peer.
//!
//! # Your own service
//! ```no_run
//! # use service_runtime::{Identity, Server, ServerConfig, Services};
//! # async fn serve(descriptors: &'static [u8], listener: tokio::net::TcpListener) -> anyhow::Result<()> {
//! Server::new(Identity::new("greeter", "hello.v1"), descriptors)
//!     .config(ServerConfig::default())
//!     .serve(listener, |worker| Services::new(/* .add(GreeterServer::new(Greeter)) */), async { /* until the drain */ })
//!     .await
//! # }
//! ```
//! The descriptors are the encoded `FileDescriptorSet` that the code was generated from. `examples/hello.rs` is a whole service,
//! flags, log, signals and JSON included; `examples/chat.rs` has all four kinds of method.
//!
//! # The floors
//! An arrow between two modules goes down, never up or sideways; a test keeps it.
//! - 5 [`cli`]: flags → configurations, environment, [`cli::run`]: argv → process
//! - 4 [`server`]: listener → worker → connection → stack → services; drain; health, reflection
//! - 3 [`layers`]: what a call passes on its way to the handler, one concern a file;
//!   [`client`]: upstream → balancer → replica → subchannel → connection, the way to a peer
//! - 2 [`origin`]: which hop decided a status, in its details; [`context`]: what the layers and the handler of one call share;
//!   [`telemetry`]: the log
//! - 1 [`status`]: causes → codes → HTTP, the contract as tables
//! - 0 [`identity`], [`deadline`], [`shutdown`], [`process`], `methods`, `grpc` (framing), `frames` (HTTP/2's), `generated`

#![cfg_attr(
    feature = "harness",
    allow(missing_docs, clippy::allow_attributes, reason = "its insides are not for users")
)]
#![cfg_attr(
    not(all(feature = "client", feature = "server")),
    allow(dead_code, unused_imports, clippy::allow_attributes, reason = "each half uses its part of what both know")
)]

pub mod context;
pub mod deadline;
pub mod identity;
pub mod origin;
pub mod process;
pub mod shutdown;
pub mod status;
pub mod telemetry;

#[cfg(feature = "cli")]
pub mod cli;
#[cfg(feature = "client")]
pub mod client;
#[cfg(feature = "server")]
pub mod layers;
#[cfg(feature = "server")]
pub mod server;

mod frames;
mod grpc;

#[cfg(feature = "harness")]
pub mod harness;

#[cfg(feature = "server")]
mod generated;
#[cfg(feature = "server")]
mod methods;

pub use identity::{Identity, Peer};
pub use shutdown::Shutdown;

#[cfg(feature = "server")]
pub use layers::json;
#[cfg(feature = "server")]
pub use server::{Server, ServerConfig, Services};
