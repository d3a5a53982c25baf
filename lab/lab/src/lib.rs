//! Both services in one binary that starts itself as real processes, so that a fresh clone needs no second terminal.
//!
//! - [`program`]: this executable and what it can be started as: `service-a`, `service-b`, `test-client`
//! - [`child`]: one running service: its address, its log, and every way to end it
//! - [`tie`]: why no child outlives the lab
//! - [`pair`]: A, and the B that calls it
//! - [`client`], [`http`], [`grpc`], [`crowd`], [`raw`], [`watch`]: the ways to ask: the real client, one plain request, one raw
//!   gRPC call, fifty calls at once, frames by hand, a health Watch
//! - [`failures`]: every row of the failure contract, to be made to happen and looked at
//! - [`demo`]: eight suites that show what B answers, and why; [`up`]: the pair, to be broken by hand
//! - [`breaking`]: one failure, made to happen; [`control`]: how it reaches a pair that runs
//! - [`side_by_side`]: every failure, before our B and before a stock tonic B
//! - [`attacks`]: every attack and bad request, done to A, to B and to a stock tonic B
//! - [`experiments`]: many calls, one question, figures
//! - [`usage`]: what a process takes of its machine
//! - [`mod@print`], [`markdown`]: standard output, and tables on it; [`progress`]: standard error
//! - [`signals`] takes Ctrl-C

// These panic, or say nothing, where the output cannot be written: `print` and `service_runtime::output` say it.
#![warn(clippy::print_stdout, clippy::print_stderr)]

pub mod attacks;
pub mod breaking;
pub mod child;
pub mod client;
pub mod control;
pub mod crowd;
pub mod demo;
pub mod experiments;
pub mod failures;
pub mod grpc;
pub mod http;
pub mod markdown;
pub mod pair;
pub mod print;
pub mod program;
pub mod progress;
pub mod raw;
pub mod side_by_side;
pub mod signals;
pub mod tie;
pub mod up;
pub mod usage;
pub mod watch;
