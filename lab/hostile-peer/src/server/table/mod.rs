//! THE list of behaviours, one file a group.
//!
//! In a name, `<0..13>` is a number in that range; in a sentence, `<n>` is that number.

mod answers;
mod connecting;
mod http;
mod messages;
mod sometimes;
mod statuses;

use crate::{
    frame::Fields,
    server::step::{Body, Script, Step},
};

/// One behaviour, or several that differ by a number.
#[derive(Debug)]
pub(crate) struct Row {
    pub name: &'static str,
    pub does: &'static str,
    /// From the number in the name, or 0.
    pub script: fn(u32) -> Script,
}

/// In the order in which they happen to a client.
pub(crate) const GROUPS: &[(&str, &[Row])] = &[
    ("before it is connected", connecting::ROWS),
    ("instead of an answer", answers::ROWS),
    ("HTTP", http::ROWS),
    ("status and trailers", statuses::ROWS),
    ("messages", messages::ROWS),
    ("now and then", sometimes::ROWS),
];

const fn row(name: &'static str, does: &'static str, script: fn(u32) -> Script) -> Row {
    Row { name, does, script }
}

/// The healthy answer.
pub(crate) fn answer() -> Vec<Step> {
    vec![headers(), Step::Data(Body::Echo), ok()]
}

/// The healthy answer, then these.
fn answer_then(steps: impl IntoIterator<Item = Step>) -> impl Iterator<Item = Step> {
    answer().into_iter().chain(steps)
}

/// HTTP 200 and the content-type of gRPC.
fn headers() -> Step {
    Step::Headers(fields(200, &[]))
}

/// The same, and these.
fn headers_with(more: &[(&'static str, &'static str)]) -> Step {
    Step::Headers(fields(200, more))
}

fn fields(status: u32, more: &[(&'static str, &'static str)]) -> Fields {
    let mut fields: Fields = vec![(":status", status.to_string().into()), ("content-type", "application/grpc".into())];
    fields.extend(more.iter().map(|(name, value)| (*name, (*value).into())));
    fields
}

/// Trailers after a message.
fn trailers(fields: &[(&'static str, &'static str)]) -> Step {
    Step::Trailers(fields.iter().map(|(name, value)| (*name, (*value).into())).collect())
}

/// Trailers that say OK.
fn ok() -> Step {
    trailers(&[("grpc-status", "0")])
}

/// Trailers-Only: a status in the only HEADERS there are.
fn trailers_only(more: &[(&'static str, &'static str)]) -> Step {
    Step::Trailers(fields(200, more))
}

/// UNAVAILABLE, Trailers-Only.
fn unavailable() -> Step {
    trailers_only(&[("grpc-status", "14"), ("grpc-message", "on purpose")])
}
