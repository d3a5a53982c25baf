#![doc = include_str!("../README.md")]
//!
//! # The floors
//!
//! An arrow between two modules goes down, never up or sideways; a test keeps it.
//! - 5 [`cli`]: flags → configurations, environment, [`cli::run`]: argv → process
//! - 4 [`server`]: listener → worker → connection → stack → services; drain; health, reflection
//! - 3 [`layers`]: what a call passes on its way to the handler, one concern a file;
//!   [`client`]: upstream → balancer → replica → subchannel → connection, the way to a peer
//! - 2 [`origin`]: which hop decided a status, in its details; [`context`]: what the layers and the handler of one call share;
//!   [`telemetry`]: the log
//! - 1 [`status`]: causes → codes → HTTP, the contract as tables
//! - 0 [`Address`], [`identity`], [`deadline`], [`shutdown`], [`process`], [`output`], `methods`, `grpc` (framing), `frames` (HTTP/2's), `generated`;
//!   below them `fields`: headers that come more than once; [`mod@printable`]: other people's text, fit for a terminal

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
pub mod output;
pub mod printable;
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

mod address;
mod fields;
mod frames;
mod grpc;

#[cfg(feature = "harness")]
pub mod harness;

#[cfg(feature = "server")]
mod generated;
mod methods;

pub use address::Address;
pub use identity::{Identity, Peer};
pub use shutdown::Shutdown;

#[cfg(feature = "server")]
pub use layers::json;
#[cfg(feature = "server")]
pub use server::{InProcess, Server, ServerConfig, Services};
