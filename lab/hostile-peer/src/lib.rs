//! Peers that misbehave on purpose, one named way each: test equipment for gRPC clients, and for servers.
//!
//! A library cannot be made to send half a frame, so both halves write their frames themselves. Every way to misbehave is a
//! row in a table: a name, a sentence that says what it does, and a short script of steps that an interpreter plays.
//!
//! # A server that misbehaves, for testing clients
//! What a [behavior's](list) script does not speak of is done right: SETTINGS and PING are answered, windows are given and
//! obeyed, and many calls on many connections go on at once. The healthy answer sends the request's message back, so it is
//! right for any method that echoes.
//!
//! ```
//! use std::{io::Read, net::TcpStream};
//!
//! let peer = hostile_peer::Peer::start("close-on-accept")?;
//! let mut client = TcpStream::connect(peer.address())?;
//! assert_eq!(client.read(&mut [0])?, 0);
//! peer.behave("echo")?; // heals it, from the next connection and the next call on
//! # std::io::Result::Ok(())
//! ```
//!
//! # A client that misbehaves, for testing servers
//! An [`Attack`](client::Attack) is a bad request, a stall or a flood; what the server did is its [`Reaction`](client::Reaction). What
//! it should have done is for the test to say.
//!
//! # The map
//! - `server/table`: THE list of behaviors, one file a group; `server/step`: what their scripts are made of
//! - [`Behavior`]: a name looked up in the table
//! - [`Peer`]: a listener in a thread of its own; `server/door`: the ways a listener can refuse
//! - [`serve`]: one connection, over any byte stream; `session` is what happens on it, without the bytes, and `stream` one call
//! - [`Role`]: what the connections of one peer share: the behavior, the counts, the events
//! - [`client`]: the other half, with a map of its own
//! - `cli`: the command line, a feature; [`listing`]: what `--list` shows
//! - both: [`frame`], frames and header blocks as bytes; `hpack` and `huffman`, header blocks read; `row` and `name`, rows of a table,
//!   found by names with a number in them

#[cfg(feature = "cli")]
pub mod cli;
pub mod client;
pub mod frame;
pub mod listing;

mod hpack;
mod huffman;
mod name;
mod row;
mod server;

pub use name::Unknown;
pub use row::Group;
pub use server::{Behavior, End, Event, EventKind, Peer, Role, examples, groups, list, serve};
