//! A channel over one connection, for clients that keep their connections themselves.

use std::{
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    task::{Context, Poll},
};

use http::{HeaderMap, HeaderName, HeaderValue, Request, Response};
use http_body::Body as _;
use http_body_util::BodyExt as _;
use tonic::{Status, body::Body};
use tower::Service;

use super::{
    check,
    connection::Connection,
    exchange::{Outbound, PeerBody},
    whole::WholeBody,
};
use crate::{fields::single, grpc::Encoding};

/// A channel for unary calls whose every failure is a [`Status`] with a [`Cause`](crate::status::Cause) behind it.
#[derive(Clone)]
pub struct Checked {
    connection: Connection,
    max_message: usize,
    heard: Option<Heard>,
}

/// Where the metadata of an answer is noted, so far as it has come: also of one that never ends, or that cannot be believed.
#[derive(Clone, Debug, Default)]
pub struct Heard(Arc<Mutex<AnswerMetadata>>);

/// The metadata of an answer, told apart as it came. A generated client makes one of the two, and of a key in both keeps one value.
#[derive(Clone, Debug, Default)]
pub struct AnswerMetadata {
    /// Before the message.
    pub headers: HeaderMap,
    /// At the end; of an answer that is nothing but its end ("Trailers-Only" in gRPC over HTTP/2) all there is.
    pub trailers: HeaderMap,
}

impl Checked {
    /// Sends calls and takes answers of up to `max_message` bytes; once the connection is gone it fails for good.
    pub fn new(connection: Connection, max_message: usize) -> Self {
        Checked { connection, max_message, heard: None }
    }

    /// The same, which notes the metadata of answers in `heard`.
    #[must_use]
    pub fn noting(self, heard: Heard) -> Self {
        Checked { heard: Some(heard), ..self }
    }
}

impl Service<Request<Body>> for Checked {
    type Response = Response<WholeBody>;
    type Error = Status;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Status>> + Send>>;

    /// Always ready: an error told here would lose its type in tonic's generated code.
    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Status>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let Checked { connection, max_message, heard } = self.clone();
        Box::pin(async move {
            let (head, body) = request.into_parts();
            let message = body.collect().await?.to_bytes();
            let answer = connection.send(Request::from_parts(head, ()), Outbound::Message(message)).await?;
            match heard {
                Some(heard) => check::whole(heard.listen(answer), max_message, Encoding::Identity).await,
                None => check::whole(answer, max_message, Encoding::Identity).await,
            }
        })
    }
}

impl AnswerMetadata {
    /// The value of a key that has one, in headers or else in trailers; none where it has several.
    pub fn value(&self, name: &HeaderName) -> Option<&HeaderValue> {
        let one = |metadata| single(metadata, name).ok().flatten();
        if self.headers.contains_key(name) { one(&self.headers) } else { one(&self.trailers) }
    }
}

impl Heard {
    /// What has come so far.
    pub fn metadata(&self) -> AnswerMetadata {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn note(&self, note: impl FnOnce(&mut AnswerMetadata)) {
        note(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner));
    }

    fn listen(self, answer: Response<PeerBody>) -> Response<Body> {
        let headers = answer.headers().clone();
        if answer.body().is_end_stream() && headers.contains_key(Status::GRPC_STATUS) {
            self.note(|heard| heard.trailers = headers);
            return answer.map(Body::new);
        }
        self.note(|heard| heard.headers = headers);
        answer.map(|body| {
            Body::new(body.map_frame(move |frame| {
                if let Some(trailers) = frame.trailers_ref() {
                    self.note(|heard| heard.trailers.clone_from(trailers));
                }
                frame
            }))
        })
    }
}
