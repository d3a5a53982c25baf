//! HTTP/2 peers that misbehave on purpose, one named behaviour each: test equipment for gRPC clients.
//!
//! A server library cannot be made to send half a frame, so this one writes its frames itself. Every behaviour is a row
//! in a [table](list): a name, a sentence that says what it does, and a short script of steps that an interpreter plays.
//! What a script does not speak of is done right: SETTINGS and PING are answered, windows are given and obeyed, and many
//! calls on many connections go on at once. The healthy answer sends the request's message back, so it is right for any
//! method that echoes.
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
//! # The map
//! - `table`: THE list of behaviours, one file a group; `step`: what their scripts are made of
//! - [`Behaviour`]: a name looked up in the table
//! - [`Peer`]: a listener in a thread of its own; `door`: the ways a listener can refuse
//! - [`serve`]: one connection, over any byte stream; `session` is what happens on it, without the bytes, and `stream` one call
//! - [`Role`]: what the connections of one peer share: the behaviour, the counts, the events
//! - `frame`: frames and header blocks, as bytes

mod behaviour;
mod connection;
mod door;
mod event;
mod frame;
mod name;
mod peer;
mod role;
mod session;
mod step;
mod stream;
mod table;

pub use behaviour::{Behaviour, Group, Unknown, examples, groups, list};
pub use connection::{End, serve};
pub use event::{Event, EventKind};
pub use peer::Peer;
pub use role::Role;
