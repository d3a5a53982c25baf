//! Keeps the caller's deadline: the handler has it, and the answer is DEADLINE_EXCEEDED once it has passed.
//!
//! Stock tonic answers CANCELLED, ignores a malformed timeout and lets a stream run on; see the tests of this crate.

use std::{
    pin::{Pin, pin},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll},
};

use bytes::Bytes;
use http::{Request, Response};
use http_body::{Frame, SizeHint};
use tokio::{task::JoinSet, time::sleep_until};
use tonic::{Status, body::Body};

use super::{Handle, answer, last_frame};
use crate::{
    deadline::{self, Deadline, GRPC_TIMEOUT},
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
    async fn handle(&self, request: Request<Body>) -> Response<Body> {
        // Read by the layer that tells the caller how it came.
        let deadline: Option<Deadline> = request.extensions().get().copied();
        if deadline.is_none() && request.headers().contains_key(GRPC_TIMEOUT) {
            return answer(refused(&self.identity, Refusal::BadTimeout));
        }
        let streams = request.extensions().get::<Arc<Method>>().is_some_and(|method| method.server_streaming);
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
    inner: Arc<Mutex<Body>>,
    deadline: Deadline,
    /// A task that ends at the deadline, or is dropped with the stream.
    expiry: JoinSet<()>,
    /// Who says so; `None` once it has been said.
    identity: Option<Identity>,
}

impl EndsAt {
    fn new(inner: Body, deadline: Deadline, identity: Identity) -> Self {
        let inner = Arc::new(Mutex::new(inner));
        let mut expiry = JoinSet::new();
        // A task, because nothing polls this body while the caller does not read: what the handler's stream holds, and its place
        // among the calls that are allowed at once, is given back all the same.
        expiry.spawn({
            let inner = Arc::downgrade(&inner);
            async move {
                sleep_until(deadline.at()).await;
                if let Some(inner) = inner.upgrade() {
                    *locked(&inner) = Body::empty();
                }
            }
        });
        EndsAt { inner, deadline, expiry, identity: Some(identity) }
    }
}

/// Locked also after a panic of the handler's, which the layer around this one turns into the end of the stream.
fn locked(inner: &Mutex<Body>) -> MutexGuard<'_, Body> {
    inner.lock().unwrap_or_else(PoisonError::into_inner)
}

impl http_body::Body for EndsAt {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        let expired = self.expiry.poll_join_next(cx).is_ready();
        // A body that is polled late may be polled before the task has its turn.
        if !expired && !self.deadline.remaining().is_zero() {
            return Pin::new(&mut *locked(&self.inner)).poll_frame(cx);
        }
        *locked(&self.inner) = Body::empty();
        Poll::Ready(self.identity.take().map(|identity| last_frame(&refused(&identity, Refusal::DeadlinePassed))))
    }

    fn is_end_stream(&self) -> bool {
        // The body that the deadline has emptied is at its end, and the status is still to come.
        self.identity.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::default()
    }
}
