//! THE list of attacks, one file a group.
//!
//! In a name, `<1..1000>` is a number in that range; in a sentence, `<n>` is that number.

mod deadlines;
mod floods;
mod http1;
mod http2;
mod messages;
mod metadata;
mod others;
pub(crate) mod parts;
mod protocol;
mod request;
mod requests;
mod stalls;

use crate::row::Table;

/// From a request that is merely wrong to a peer that means it.
pub(crate) const TABLE: &Table<parts::Make> = &[
    ("gRPC: what is asked", requests::ROWS),
    ("gRPC: until when", deadlines::ROWS),
    ("gRPC: the message", messages::ROWS),
    ("gRPC: metadata", metadata::ROWS),
    ("plain HTTP/1.1", http1::ROWS),
    ("plain HTTP/2", http2::ROWS),
    ("HTTP/2 broken", protocol::ROWS),
    ("stalls", stalls::ROWS),
    ("floods", floods::ROWS),
    ("crowds", others::ROWS),
];
