//! THE list of behaviors, one file a group.
//!
//! In a name, `<0..13>` is a number in that range; in a sentence, `<n>` is that number.

mod answers;
mod connecting;
mod connections;
mod http;
mod messages;
pub(crate) mod parts;
mod sometimes;
mod statuses;

use crate::row::Table;

/// In the order in which they happen to a client.
pub(crate) const TABLE: &Table<parts::Make> = &[
    ("before it is connected", connecting::ROWS),
    ("instead of an answer", answers::ROWS),
    ("HTTP", http::ROWS),
    ("status and trailers", statuses::ROWS),
    ("messages", messages::ROWS),
    ("now and then", sometimes::ROWS),
    ("in the life of a connection", connections::ROWS),
];
