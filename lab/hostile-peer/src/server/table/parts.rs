//! What the rows of the table are put together from.

use crate::{
    frame::Fields,
    row,
    server::step::{Body, Script, Step},
};

/// Makes a behavior's script from the number in its name, or 0.
pub(crate) type Make = fn(u32) -> Script;

/// One behavior, or several that differ by a number.
pub(crate) type Row = row::Row<Make>;

pub(super) const fn row(name: &'static str, does: &'static str, script: fn(u32) -> Script) -> Row {
    Row { name, does, script }
}

/// The healthy answer.
pub(crate) fn answer() -> Vec<Step> {
    vec![headers(), Step::Data(Body::Echo), ok()]
}

/// The healthy answer, then these.
pub(super) fn answer_then(steps: impl IntoIterator<Item = Step>) -> impl Iterator<Item = Step> {
    answer().into_iter().chain(steps)
}

/// HTTP 200 and the content-type of gRPC.
pub(super) fn headers() -> Step {
    Step::Headers(fields(200, &[]))
}

/// The same, and these.
pub(super) fn headers_with(more: &[(&'static str, &'static str)]) -> Step {
    Step::Headers(fields(200, more))
}

pub(super) fn fields(status: u32, more: &[(&'static str, &'static str)]) -> Fields {
    let mut fields: Fields = vec![(":status", status.to_string().into()), ("content-type", "application/grpc".into())];
    fields.extend(more.iter().map(|(name, value)| (*name, (*value).into())));
    fields
}

/// Trailers after a message.
pub(super) fn trailers(fields: &[(&'static str, &'static str)]) -> Step {
    Step::Trailers(fields.iter().map(|(name, value)| (*name, (*value).into())).collect())
}

/// Trailers that say OK.
pub(super) fn ok() -> Step {
    trailers(&[("grpc-status", "0")])
}

/// Trailers-Only: a status in the only HEADERS there are.
pub(super) fn trailers_only(more: &[(&'static str, &'static str)]) -> Step {
    Step::Trailers(fields(200, more))
}

/// UNAVAILABLE, Trailers-Only.
pub(super) fn unavailable() -> Step {
    trailers_only(&[("grpc-status", "14"), ("grpc-message", "on purpose")])
}
