//! What happens to a call on its way to the handler and back: one concern a file.
//!
//! [`server::stack`](crate::server) puts them in order. Inside [`json`] every layer sees gRPC only.

pub mod json;

pub(crate) mod deadline;
pub(crate) mod fault;
pub(crate) mod guard;
pub(crate) mod limit;
pub(crate) mod message;
pub(crate) mod panic;
pub(crate) mod prepared;
pub(crate) mod record;

use http::{Request, Response};
use tonic::{Status, body::Body, service::Routes};
use tower::Service as _;

/// Answers a call. It cannot fail: a failure is an answer too.
///
/// Simpler than a tower `Service`, because nothing here has to wait until it is ready.
pub trait Handle: Send + Sync + 'static {
    /// The answer to `request`; dropped when the caller goes away.
    fn handle(&self, request: Request<Body>) -> impl Future<Output = Response<Body>> + Send;
}

/// The services themselves, behind all layers.
impl Handle for Routes {
    async fn handle(&self, request: Request<Body>) -> Response<Body> {
        match self.clone().call(request).await {
            Ok(response) => response,
            Err(never) => match never {},
        }
    }
}

/// A status as a gRPC answer without a message.
pub(crate) fn answer(status: Status) -> Response<Body> {
    status.into_http()
}
