//! A limit of calls at once in this process; one more is refused at once instead of waiting in a queue.
//!
//! Health and reflection do not count: an overloaded process is still alive, and whoever debugs it wants to see it.

use std::{
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use http::{Request, Response};
use http_body::{Frame, SizeHint};
use tonic::body::Body;

use super::{Handle, prepared::Prepared};
use crate::{identity::Identity, methods::Method, origin::refused, status::Refusal};

pub struct Limit<S> {
    /// In this process, over all workers.
    calls: Arc<AtomicUsize>,
    max_calls: usize,
    /// Always the same answer, and wanted most when there is least time to make it.
    overloaded: Prepared,
    inner: S,
}

impl<S: Handle> Limit<S> {
    /// At most `max_calls` among those that `calls` counts.
    pub fn new(identity: &Identity, calls: Arc<AtomicUsize>, max_calls: usize, inner: S) -> Self {
        let overloaded = Prepared::new(refused(identity, Refusal::Overloaded));
        Limit { calls, max_calls, overloaded, inner }
    }
}

impl<S: Handle> Handle for Limit<S> {
    async fn handle(&self, request: Request<Body>) -> Response<Body> {
        let method = request.extensions().get::<Arc<Method>>();
        let counts = method.is_none_or(|method| !method.probe);
        let is_stream = method.is_some_and(|method| method.server_streaming);
        match counts.then(|| Permit::take(&self.calls, self.max_calls)) {
            Some(None) => self.overloaded.answer(),
            permit => {
                // On the heap: each call that is refused would have room for what a call needs from here on, and be moved with it.
                let answer = Box::pin(self.inner.handle(request)).await;
                match permit.flatten().filter(|_| is_stream) {
                    // A stream is a call until its end; a unary answer waits for its caller and for nothing else.
                    Some(permit) => answer.map(|inner| Body::new(Held { inner, permit: Some(permit) })),
                    None => answer,
                }
            }
        }
    }
}

/// One call among those that are counted, until it is dropped.
struct Permit(Arc<AtomicUsize>);

impl Permit {
    fn take(calls: &Arc<AtomicUsize>, limit: usize) -> Option<Self> {
        let permit = Permit(calls.clone());
        // Counted first, so that two calls at once cannot both take the last place; dropping gives it back.
        (calls.fetch_add(1, Ordering::AcqRel) < limit).then_some(permit)
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}

/// A stream that holds its permit until its last frame has been taken, or its caller has gone.
struct Held {
    inner: Body,
    permit: Option<Permit>,
}

impl http_body::Body for Held {
    type Data = bytes::Bytes;
    type Error = tonic::Status;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, tonic::Status>>> {
        let frame = ready!(Pin::new(&mut self.inner).poll_frame(cx));
        if frame.as_ref().is_none_or(|frame| frame.as_ref().map_or(true, Frame::is_trailers)) {
            self.permit = None;
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refuses_one_more_than_the_limit_and_takes_again_after_one_ended() {
        let calls = Arc::default();
        let first = Permit::take(&calls, 2);
        let second = Permit::take(&calls, 2);
        assert!(first.is_some() && second.is_some());
        assert!(Permit::take(&calls, 2).is_none());
        drop(first);
        assert!(Permit::take(&calls, 2).is_some());
    }
}
