//! The half that calls: clients that misbehave on purpose, for testing servers.
//!
//! ```no_run
//! # async fn attack() -> Result<(), Box<dyn std::error::Error>> {
//! use hostile_peer::client::{Attack, Target};
//! let server = Target::new("127.0.0.1:8080".parse()?, "/echo.v1.EchoService/Echo", "/echo");
//! let seen = "timeout-abc".parse::<Attack>()?.run(&server).await?;
//! println!("{seen}"); // HTTP 200 · grpc-status 13 · serves on · 2 ms
//! # Ok(())
//! # }
//! ```
//!
//! # The map
//! - `table`: THE list of attacks, one file a group; `step`: what their scripts are made of
//! - [`Attack`]: a name looked up in the table; [`Target`]: what must be known of the server
//! - [`Held`]: a connection that an attack has brought into its state, and has not looked at yet
//! - `connection`: the socket; `heard`: what the server said, of either HTTP, with `http1` for the older
//! - [`Reaction`] and [`Answer`]: what came of it

mod answer;
mod attack;
mod connection;
mod heard;
mod held;
mod http1;
mod reaction;
mod step;
mod table;
mod target;

pub use answer::Answer;
pub use attack::{Attack, attacks, groups};
pub use held::Held;
pub use reaction::{End, Reaction};
pub use target::Target;
