//! A request stream, which belongs to the call and is lent to its attempts.

use std::{
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, Waker, ready},
};

use bytes::Bytes;
use http_body::{Body as _, Frame};
use tonic::{Status, body::Body};

/// A request stream, for one attempt after the other.
#[derive(Clone, Default)]
pub(crate) struct Lent(Arc<Mutex<LentBody>>);

#[derive(Default)]
struct LentBody {
    body: Option<Body>,
    was_taken: bool,
    given_up: bool,
    /// Who sends it.
    sender: Option<Waker>,
}

impl Lent {
    pub fn new(body: Body) -> Self {
        Lent(Arc::new(Mutex::new(LentBody { body: Some(body), ..LentBody::default() })))
    }

    /// Whether its call has ended before it; otherwise whoever asks is woken then.
    pub fn is_given_up(&self, cx: &Context<'_>) -> bool {
        let mut lent = self.locked();
        lent.sender = Some(cx.waker().clone());
        lent.given_up
    }

    /// The next part of it; `None` at its end, and once its call has ended.
    pub fn poll_frame(&self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        let mut lent = self.locked();
        let Some(body) = &mut lent.body else { return Poll::Ready(None) };
        let frame = ready!(Pin::new(body).poll_frame(cx));
        lent.was_taken = true;
        if frame.is_none() {
            lent.body = None;
        }
        Poll::Ready(frame)
    }

    /// Whether something of it was sent, or may have been.
    pub fn was_taken(&self) -> bool {
        self.locked().was_taken
    }

    fn locked(&self) -> MutexGuard<'_, LentBody> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Ends a request stream with its call: it is sent by a task of its own.
pub(super) struct EndsRequest(Option<Lent>);

impl EndsRequest {
    /// Of a request that is no stream it ends nothing.
    pub fn new(lent: Option<Lent>) -> Self {
        EndsRequest(lent)
    }
}

impl Drop for EndsRequest {
    fn drop(&mut self) {
        let Some(lent) = &self.0 else { return };
        let mut lent = lent.locked();
        lent.given_up = lent.body.is_some();
        let (body, sender) = (lent.body.take(), lent.sender.take());
        drop(lent);
        // The user's own stream, which may do anything when it is dropped.
        drop(body);
        sender.into_iter().for_each(Waker::wake);
    }
}
