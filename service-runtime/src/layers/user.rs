//! The user's own layers, at one place in the stack: after the guard and the permit, before a body is read.
//!
//! After the permit, so that a layer that waits holds only calls within the limit; before the body, so that refusing a caller is
//! cheap. Health and reflection pass them by unless the user asks for it: a balancer has no credentials. Where there is no layer
//! there is no box either.

use std::{
    convert::Infallible,
    future::{Future, poll_fn},
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    task::{Context, Poll},
};

use bytes::Bytes;
use http::{Request, Response};
use tonic::{Status, body::Body};
use tower::{BoxError, Layer, Service};
use tracing::warn;

use super::{Handle, answer, fault::Fault, message::Messages, routes::Routes};
use crate::{identity::Identity, methods::Method, origin::refused, status::Refusal};

/// What is inside the user's layers.
pub type Inner = Messages<Fault<Routes>>;

/// Puts the user's layers around the rest of the stack, or leaves it as it is.
pub trait Around: Send + Sync + 'static {
    /// The rest of the stack with the layers around it.
    type Handle: Handle;

    /// Builds it, once a worker.
    fn around(&self, inner: Inner, identity: &Identity) -> Self::Handle;
}

/// No layers.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoLayers;

impl Around for NoLayers {
    type Handle = Inner;

    fn around(&self, inner: Inner, _: &Identity) -> Inner {
        inner
    }
}

/// Any [`tower::Layer`] whose service makes gRPC answers.
#[derive(Clone, Copy, Debug)]
pub struct Layers<L> {
    pub(crate) layer: L,
    /// Whether they are for health and reflection too.
    pub(crate) for_probes: bool,
}

impl<L, B> Around for Layers<L>
where
    L: Layer<Innermost> + Send + Sync + 'static,
    L::Service: Service<Request<Body>, Response = Response<B>, Future: Send, Error: Into<BoxError>>,
    L::Service: Clone + Send + 'static,
    B: http_body::Body<Data = Bytes, Error: Into<BoxError>> + Send + 'static,
{
    type Handle = Layered<L::Service>;

    fn around(&self, inner: Inner, identity: &Identity) -> Self::Handle {
        let inner = Arc::new(inner);
        Layered {
            identity: identity.clone(),
            layers: Mutex::new(self.layer.layer(Innermost(inner.clone()))),
            for_probes: self.for_probes,
            inner,
        }
    }
}

/// The rest of the stack as the innermost service of the user's layers.
#[derive(Clone)]
pub struct Innermost(Arc<Inner>);

impl Service<Request<Body>> for Innermost {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Body>, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let inner = self.0.clone();
        Box::pin(async move { Ok(inner.handle(request).await) })
    }
}

/// The rest of the stack, with the user's layers around it.
pub struct Layered<L> {
    identity: Identity,
    /// Locked to be cloned for a call, and by the worker's own thread only: few services of tower's can be shared.
    layers: Mutex<L>,
    for_probes: bool,
    inner: Arc<Inner>,
}

impl<L, B> Handle for Layered<L>
where
    L: Service<Request<Body>, Response = Response<B>, Future: Send, Error: Into<BoxError>> + Clone + Send + 'static,
    B: http_body::Body<Data = Bytes, Error: Into<BoxError>> + Send + 'static,
{
    async fn handle(&self, request: Request<Body>) -> Response<Body> {
        let is_probe = request.extensions().get::<Arc<Method>>().is_some_and(|method| method.probe);
        if is_probe && !self.for_probes {
            return self.inner.handle(request).await;
        }
        let mut layers = self.layers.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let answered = async {
            poll_fn(|cx| layers.poll_ready(cx)).await?;
            layers.call(request).await
        };
        match answered.await {
            Ok(response) => response.map(Body::new),
            Err(error) => self.failed(error.into()),
        }
    }
}

impl<L> Layered<L> {
    /// A layer may fail with a status, which is the answer; what else it fails with is for the log.
    fn failed(&self, error: BoxError) -> Response<Body> {
        let status = Status::try_from_error(error).unwrap_or_else(|error| {
            warn!(cause = %error, "a layer failed");
            refused(&self.identity, Refusal::LayerFailed)
        });
        answer(status)
    }
}
