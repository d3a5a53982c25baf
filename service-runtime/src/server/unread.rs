//! The body of a request over HTTP/1.1. No service reads it: JSON has its arguments in the query, gRPC needs HTTP/2. It is taken off
//! the connection all the same, or the caller is told that the connection ends.
//!
//! Closed with bytes unread, a socket resets its connection, and the reset destroys the answer that the caller was about to read; a
//! connection that was not said to end, and does, loses the caller's next request.

use std::{
    error::Error as _,
    io,
    pin::Pin,
    sync::{Mutex, MutexGuard, PoisonError},
    task::{Context, Poll},
};

use http::{
    HeaderMap, HeaderValue, Request,
    header::{CONNECTION, EXPECT},
};
use http_body::Body as _;
use hyper::body::Incoming;
use tonic::body::Body;

/// The most that is read of a body that nobody wants, in bytes: as much as Go's `net/http` reads to keep a connection.
const READ_ON: u64 = 256 * 1024;

/// The body of the request that is under way, as far as it was not read yet. Looked at by the task that serves the connection, and by
/// nothing else: its lock is never waited for.
#[derive(Debug, Default)]
pub(super) struct Unread(Mutex<Option<Rest>>);

#[derive(Debug)]
struct Rest {
    body: Incoming,
    /// Whether it is known to end within the bound.
    is_small: bool,
    /// What may still be read of it, in bytes.
    may_read: u64,
}

impl Unread {
    /// The request as services see it: without its body.
    pub fn keeps_body_of(&self, request: Request<Incoming>) -> Request<Body> {
        let (head, body) = request.into_parts();
        self.begins(&head.headers, body);
        Request::from_parts(head, Body::empty())
    }

    fn begins(&self, headers: &HeaderMap, body: Incoming) {
        // Who waits for a word before the body gets the answer instead; whether the body follows then, nobody knows (RFC 9110, 10.1.1).
        let is_held_back = headers.contains_key(EXPECT);
        let is_small = !is_held_back && body.size_hint().exact().is_some_and(|length| length <= READ_ON);
        let may_read = if is_held_back { 0 } else { READ_ON };
        *self.rest() = Some(Rest { body, is_small, may_read });
    }

    /// The answer is there. Where the rest of the body is not known to be small, its headers say that the connection ends.
    pub fn answered(&self, headers: &mut HeaderMap) {
        let mut rest = self.rest();
        if rest.as_ref().is_some_and(|rest| !rest.is_small) {
            *rest = None;
            headers.insert(CONNECTION, HeaderValue::from_static("close"));
        }
    }

    /// Reads on. Ready where the peer has gone in the middle of the body: this was no whole request.
    pub fn poll(&self, cx: &mut Context<'_>) -> Poll<()> {
        let mut rest = self.rest();
        while let Some(Rest { body, may_read, .. }) = rest.as_mut().filter(|rest| rest.may_read > 0) {
            match Pin::new(body).poll_frame(cx) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(Some(Ok(frame))) => {
                    let length = frame.data_ref().map_or(0, |data| data.len());
                    *may_read = may_read.saturating_sub(u64::try_from(length).unwrap_or(u64::MAX));
                }
                Poll::Ready(Some(Err(error))) if !is_malformed(&error) => return Poll::Ready(()),
                // What is malformed ends hyper's reading, and with the answer the connection.
                Poll::Ready(None | Some(Err(_))) => *rest = None,
            }
        }
        Poll::Pending
    }

    fn rest(&self) -> MutexGuard<'_, Option<Rest>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether the peer sent something else than a body, such as a chunk without a size. Otherwise it is gone.
fn is_malformed(error: &hyper::Error) -> bool {
    let cause = error.source().and_then(|cause| cause.downcast_ref::<io::Error>());
    cause.is_some_and(|cause| matches!(cause.kind(), io::ErrorKind::InvalidData | io::ErrorKind::InvalidInput))
}
