//! What happens to a call on its way to the handler and back: one concern a file.
//!
//! [`server`](crate::server) puts them in order. Inside [`json`] every layer sees gRPC only. A layer is given what it needs and
//! nothing else.

pub mod json;

pub(crate) mod behavior;
pub(crate) mod cors;
pub(crate) mod deadline;
pub(crate) mod fault;
pub(crate) mod guard;
pub(crate) mod limit;
pub(crate) mod message;
pub(crate) mod panic;
pub(crate) mod prepared;
pub(crate) mod record;
pub(crate) mod routes;
pub(crate) mod user;

use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, Request, Response};
use http_body::Frame;
use tonic::{Status, body::Body};

pub use behavior::Behaviors;
pub use cors::CorsOrigins;
pub use fault::FaultConfig;

/// Answers a call. It cannot fail: a failure is an answer too.
///
/// Simpler than a tower `Service`, because nothing here has to wait until it is ready.
pub trait Handle: Send + Sync + 'static {
    /// The answer to `request`; dropped when the caller goes away.
    fn handle(&self, request: Request<Body>) -> impl Future<Output = Response<Body>> + Send;
}

/// The services themselves, behind all layers.
impl<S: Handle> Handle for Arc<S> {
    fn handle(&self, request: Request<Body>) -> impl Future<Output = Response<Body>> + Send {
        (**self).handle(request)
    }
}

/// A status as a gRPC answer without a message.
pub(crate) fn answer(status: Status) -> Response<Body> {
    status.into_http()
}

/// A status as the end of a stream that has begun. Errors: text that cannot be a header.
pub(crate) fn last_frame(status: &Status) -> Result<Frame<Bytes>, Status> {
    let mut trailers = HeaderMap::new();
    status.add_header(&mut trailers)?;
    Ok(Frame::trailers(trailers))
}
