//! A channel for any generated client: `EchoServiceClient::new(upstream.channel(&context))`.

use std::{
    sync::Arc,
    task::{Context as TaskContext, Poll},
};

use http::{Request, Response};
use tonic::{Status, body::Body};
use tower::Service;

use super::{BoxFuture, answer::AnswerBody, call::call, worker::Worker};
use crate::context::Context;

/// Calls to a peer on behalf of one call that we handle, or of none. Cheap to make and to clone.
///
/// Every failure is a [`Status`] of the failure contract with its origin. Dropping a call's future or its answer's body cancels it at
/// the peer.
#[derive(Clone)]
pub struct PeerChannel {
    pub(super) worker: Arc<Worker>,
    pub(super) context: Context,
}

impl Service<Request<Body>> for PeerChannel {
    type Response = Response<AnswerBody>;
    type Error = Status;
    type Future = BoxFuture<'static, Result<Response<AnswerBody>, Status>>;

    /// Always ready: an error told here would lose its type in tonic's generated code.
    fn poll_ready(&mut self, _: &mut TaskContext<'_>) -> Poll<Result<(), Status>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        Box::pin(call(self.worker.clone(), self.context.clone(), request))
    }
}
