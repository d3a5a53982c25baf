//! Keeps the caller's deadline: reads it, shows it to the handler, and answers DEADLINE_EXCEEDED once it has passed.
//!
//! Stock tonic answers CANCELLED, ignores a malformed timeout and lets a stream run on; see the tests of this crate.

use std::{
    pin::{Pin, pin},
    sync::Arc,
    task::{Context, Poll},
};

use bytes::Bytes;
use http::{Request, Response};
use http_body::{Frame, SizeHint};
use tokio::time::{Sleep, sleep_until};
use tonic::{Status, body::Body};

use super::{Handle, answer, last_frame};
use crate::{
    deadline::{self, Deadline},
    identity::Identity,
    methods::Method,
    origin::refused,
    status::Refusal,
};

pub struct KeepDeadline<S> {
    pub identity: Identity,
    pub inner: S,
}

impl<S: Handle> Handle for KeepDeadline<S> {
    async fn handle(&self, mut request: Request<Body>) -> Response<Body> {
        let Ok(deadline) = Deadline::read(request.headers()) else {
            return answer(refused(&self.identity, Refusal::BadTimeout));
        };
        let streams = request.extensions().get::<Arc<Method>>().is_some_and(|method| method.server_streaming);
        if let Some(deadline) = deadline {
            request.extensions_mut().insert(deadline);
        }
        // Pinned here: moved into `keep` it would be in this future twice, and every call in flight would pay for both.
        let work = pin!(self.inner.handle(request));
        match deadline::keep(deadline, work).await {
            Err(deadline::Passed) => answer(refused(&self.identity, Refusal::DeadlinePassed)),
            Ok(response) => match deadline.filter(|_| streams) {
                None => response,
                Some(deadline) => response.map(|inner| Body::new(EndsAt::new(inner, deadline, self.identity.clone()))),
            },
        }
    }
}

/// A stream that ends with DEADLINE_EXCEEDED when the deadline passes.
struct EndsAt {
    inner: Body,
    deadline: Deadline,
    expired: Pin<Box<Sleep>>,
    /// Who says so; `None` once it has been said.
    identity: Option<Identity>,
}

impl EndsAt {
    fn new(inner: Body, deadline: Deadline, identity: Identity) -> Self {
        EndsAt { inner, deadline, expired: Box::pin(sleep_until(deadline.at())), identity: Some(identity) }
    }
}

impl http_body::Body for EndsAt {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        let expired = self.expired.as_mut().poll(cx).is_ready();
        // Where the caller has not read for a while the body is polled late, and perhaps before the timer has its turn.
        if !expired && !self.deadline.remaining().is_zero() {
            return Pin::new(&mut self.inner).poll_frame(cx);
        }
        // The handler's stream has no more to do: whatever it holds is given back now, and not when the caller reads on.
        self.inner = Body::empty();
        Poll::Ready(self.identity.take().map(|identity| last_frame(&refused(&identity, Refusal::DeadlinePassed))))
    }

    fn is_end_stream(&self) -> bool {
        self.identity.is_none() || self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::default()
    }
}
