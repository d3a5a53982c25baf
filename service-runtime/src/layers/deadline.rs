//! Keeps the caller's deadline: reads it, shows it to the handler, and answers DEADLINE_EXCEEDED once it has passed.
//!
//! Stock tonic answers CANCELLED, ignores a malformed timeout and lets a stream run on; see the tests of this crate.

use std::{
    pin::{Pin, pin},
    sync::Arc,
    task::{Context, Poll},
};

use http::{HeaderMap, Request, Response};
use http_body::{Frame, SizeHint};
use tokio::time::{Sleep, sleep_until};
use tonic::body::Body;

use super::{Handle, answer};
use crate::{
    deadline::{self, Deadline},
    origin::refused,
    server::{Shared, methods::Method},
    status::Refusal,
};

pub(crate) struct KeepDeadline<S> {
    pub shared: Arc<Shared>,
    pub inner: S,
}

impl<S: Handle> Handle for KeepDeadline<S> {
    async fn handle(&self, mut request: Request<Body>) -> Response<Body> {
        let service = self.shared.service;
        let Ok(deadline) = Deadline::read(request.headers()) else {
            return answer(refused(service, Refusal::BadTimeout));
        };
        let streams = request.extensions().get::<Method>().is_some_and(|method| method.server_streaming);
        if let Some(deadline) = deadline {
            request.extensions_mut().insert(deadline);
        }
        // Pinned here: moved into `keep` it would be in this future twice, and every call in flight would pay for both.
        let work = pin!(self.inner.handle(request));
        match deadline::keep(deadline, work).await {
            Err(deadline::Passed) => answer(refused(service, Refusal::DeadlinePassed)),
            Ok(response) => match deadline.filter(|_| streams) {
                None => response,
                Some(deadline) => response.map(|inner| Body::new(EndsAt::new(inner, deadline, self.shared.clone()))),
            },
        }
    }
}

/// A stream that ends with DEADLINE_EXCEEDED when the deadline passes.
struct EndsAt {
    inner: Body,
    expired: Pin<Box<Sleep>>,
    shared: Option<Arc<Shared>>,
}

impl EndsAt {
    fn new(inner: Body, deadline: Deadline, shared: Arc<Shared>) -> Self {
        EndsAt { inner, expired: Box::pin(sleep_until(deadline.at())), shared: Some(shared) }
    }
}

impl http_body::Body for EndsAt {
    type Data = bytes::Bytes;
    type Error = tonic::Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Self::Data>, Self::Error>>> {
        if self.expired.as_mut().poll(cx).is_pending() {
            return Pin::new(&mut self.inner).poll_frame(cx);
        }
        // The trailers are sent once; after them the stream is over.
        Poll::Ready(self.shared.take().map(|shared| {
            let status = refused(shared.service, Refusal::DeadlinePassed);
            let mut trailers = HeaderMap::new();
            status.add_header(&mut trailers)?;
            Ok(Frame::trailers(trailers))
        }))
    }

    fn is_end_stream(&self) -> bool {
        self.shared.is_none() || self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::default()
    }
}
