//! The request of a call, which may have to go out more than once.

use std::{
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, Waker, ready},
};

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Uri, Version, request};
use http_body::{Frame, SizeHint};
use http_body_util::{BodyExt as _, Full};
use tonic::{Status, body::Body};

use crate::{
    context::{Call, PREVIOUS_ATTEMPTS},
    deadline::{Deadline, GRPC_TIMEOUT},
    grpc::GRPC_ACCEPT_ENCODING,
};

/// More than most requests have, so that the map need not grow.
const HEADERS: usize = 12;

/// What a generated client has made.
pub(super) struct Outgoing {
    uri: Uri,
    headers: Vec<(HeaderName, HeaderValue)>,
    /// The time that the user has set for this call.
    pub timeout: Option<Deadline>,
    body: Outbound,
    /// The generated client can undo compression.
    pub takes_compressed: bool,
}

enum Outbound {
    /// One message, kept for another attempt.
    Kept(Bytes),
    /// A stream, which can go out again only while nothing of it was taken.
    Lent(Arc<Mutex<Lent>>),
}

#[derive(Default)]
struct Lent {
    body: Option<Body>,
    was_taken: bool,
    given_up: bool,
    /// Who sends it, while there is nothing to send.
    sender: Option<Waker>,
}

impl Outgoing {
    /// A request without its body.
    pub fn new(head: request::Parts) -> Self {
        let mut headers = head.headers;
        let timeout = Deadline::read(&headers).ok().flatten();
        headers.remove(GRPC_TIMEOUT);
        let takes_compressed = headers.contains_key(GRPC_ACCEPT_ENCODING);
        let mut name = None;
        let headers = headers.into_iter().filter_map(|(next, value)| {
            name = next.or_else(|| name.take());
            Some((name.clone()?, value))
        });
        Outgoing {
            uri: head.uri,
            headers: headers.collect(),
            timeout,
            body: Outbound::Kept(Bytes::new()),
            takes_compressed,
        }
    }

    /// Takes its body: of one message, all of it. Errors: the generated client could not make the message.
    pub async fn take(&mut self, body: Body, streams: bool) -> Result<(), Status> {
        self.body = match streams {
            false => Outbound::Kept(body.collect().await?.to_bytes()),
            true => Outbound::Lent(Arc::new(Mutex::new(Lent { body: Some(body), ..Lent::default() }))),
        };
        Ok(())
    }

    /// For one attempt, after `failed` others.
    pub fn attempt(&self, call: &Call, deadline: Option<Deadline>, failed: u32) -> Request<Body> {
        let mut request = Request::new(match &self.body {
            Outbound::Kept(message) => Body::new(Full::new(message.clone())),
            Outbound::Lent(lent) => Body::new(Borrowed(lent.clone())),
        });
        *request.method_mut() = Method::POST;
        *request.version_mut() = Version::HTTP_2;
        *request.uri_mut() = self.uri.clone();
        let mut headers = HeaderMap::with_capacity(HEADERS);
        headers.extend(self.headers.iter().cloned());
        // What the handler says wins over what is passed on.
        let is_new = |(name, _): &&(HeaderName, HeaderValue)| self.headers.iter().all(|(own, _)| own != name);
        headers.extend(call.passed_on().iter().filter(is_new).cloned());
        if failed > 0 {
            headers.insert(PREVIOUS_ATTEMPTS, failed.into());
        }
        if let Some(deadline) = deadline {
            headers.insert(GRPC_TIMEOUT, deadline.to_header());
        }
        *request.headers_mut() = headers;
        request
    }

    /// What ends a request that is a stream.
    pub fn end(&self) -> EndsRequest {
        EndsRequest(match &self.body {
            Outbound::Kept(_) => None,
            Outbound::Lent(lent) => Some(lent.clone()),
        })
    }

    /// Whether it can go out once more.
    pub fn is_whole(&self) -> bool {
        match &self.body {
            Outbound::Kept(_) => true,
            Outbound::Lent(lent) => !locked(lent).was_taken,
        }
    }
}

/// Ends a request stream with its call. As long as it can send, hyper keeps a stream open whose answer was dropped.
pub(super) struct EndsRequest(Option<Arc<Mutex<Lent>>>);

impl Drop for EndsRequest {
    fn drop(&mut self) {
        let Some(lent) = &self.0 else { return };
        let mut lent = locked(lent);
        lent.given_up = lent.body.is_some();
        let (body, sender) = (lent.body.take(), lent.sender.take());
        drop(lent);
        // The user's own stream, which may do anything when it is dropped.
        drop(body);
        sender.into_iter().for_each(Waker::wake);
    }
}

/// A stream that belongs to the call, for one attempt.
struct Borrowed(Arc<Mutex<Lent>>);

impl http_body::Body for Borrowed {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        let mut lent = locked(&self.0);
        if lent.given_up {
            // What hyper resets the stream with.
            return Poll::Ready(Some(Err(Status::from_error(h2::Error::from(h2::Reason::CANCEL).into()))));
        }
        lent.sender = Some(cx.waker().clone());
        let Some(body) = &mut lent.body else { return Poll::Ready(None) };
        let frame = ready!(Pin::new(body).poll_frame(cx));
        lent.was_taken = true;
        if frame.is_none() {
            lent.body = None;
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        let lent = locked(&self.0);
        !lent.given_up && lent.body.as_ref().is_none_or(http_body::Body::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::default()
    }
}

fn locked(lent: &Mutex<Lent>) -> MutexGuard<'_, Lent> {
    lent.lock().unwrap_or_else(PoisonError::into_inner)
}
