//! A handler that panics costs its own call only: UNKNOWN, also in the middle of a stream. The hook of `telemetry` has logged
//! where it was.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use bytes::Bytes;
use futures_util::FutureExt;
use http::{Request, Response};
use http_body::{Frame, SizeHint};
use tonic::{Status, body::Body};

use super::{Handle, answer, last_frame};
use crate::{identity::Identity, methods::Method, origin::refused, status::Refusal};

pub struct Panic<S> {
    pub identity: Identity,
    pub inner: S,
}

impl<S: Handle> Handle for Panic<S> {
    async fn handle(&self, request: Request<Body>) -> Response<Body> {
        let is_stream = request.extensions().get::<Arc<Method>>().is_some_and(|method| method.server_streaming);
        // The call's own state is dropped with it; what calls share is built of atomics and is never half-changed.
        match AssertUnwindSafe(self.inner.handle(request)).catch_unwind().await {
            Ok(response) if is_stream => {
                let identity = self.identity.clone();
                response.map(|inner| Body::new(Caught { inner: Some(inner), identity }))
            }
            Ok(response) => response,
            Err(_) => answer(refused(&self.identity, Refusal::Panicked)),
        }
    }
}

/// A stream whose panic is its last frame.
struct Caught {
    /// `None` once it has panicked.
    inner: Option<Body>,
    identity: Identity,
}

impl http_body::Body for Caught {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        let Some(inner) = &mut self.inner else { return Poll::Ready(None) };
        catch_unwind(AssertUnwindSafe(|| Pin::new(inner).poll_frame(cx))).unwrap_or_else(|_| {
            self.inner = None;
            Poll::Ready(Some(last_frame(&refused(&self.identity, Refusal::Panicked))))
        })
    }

    fn is_end_stream(&self) -> bool {
        self.inner.as_ref().is_none_or(Body::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.as_ref().map(Body::size_hint).unwrap_or_default()
    }
}
