//! Exactly one message: read whole before the handler runs; what is none, two, too large or cut short is refused.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Request, Response};
use http_body_util::Full;
use tokio::time::timeout;
use tonic::{Status, body::Body};

use super::{Handle, answer};
use crate::{
    grpc::{self, Whole, Wrong},
    origin::{refused, refused_about},
    server::{Shared, methods::Method},
    status::Refusal,
};

/// A caller without a deadline gets so long to send its message.
const PATIENCE: Duration = Duration::from_secs(10);

pub(crate) struct OneMessage<S> {
    pub shared: Arc<Shared>,
    pub inner: S,
}

impl<S: Handle> Handle for OneMessage<S> {
    async fn handle(&self, request: Request<Body>) -> Response<Body> {
        if request.extensions().get::<Method>().is_some_and(|method| method.client_streaming) {
            return self.inner.handle(request).await;
        }
        let (head, body) = request.into_parts();
        let message = match compressed(&head.headers) {
            true => Err(Refusal::WrongEncoding),
            false => {
                let read = timeout(PATIENCE, read(body, self.shared.max_message)).await;
                read.unwrap_or(Err(Refusal::RequestTimeout))
            }
        };
        match message {
            Ok(message) => {
                let response = self.inner.handle(Request::from_parts(head, Body::new(Full::new(message)))).await;
                if is_undecodable(response.headers()) { self.refuse(Refusal::BadMessage) } else { response }
            }
            Err(refusal) => self.refuse(refusal),
        }
    }
}

/// Whether the generated code could not decode the message. prost says so in this sentence and names the field, which is
/// nobody's business, and tonic hands nothing else on.
fn is_undecodable(answer: &HeaderMap) -> bool {
    let says = |name, begin| answer.get(name).is_some_and(|value: &HeaderValue| value.as_bytes().starts_with(begin));
    says(Status::GRPC_STATUS, b"13") && says(Status::GRPC_MESSAGE, b"failed%20to%20decode%20Protobuf")
}

impl<S> OneMessage<S> {
    fn refuse(&self, refusal: Refusal) -> Response<Body> {
        let mut response = answer(self.status(refusal));
        if refusal == Refusal::WrongEncoding {
            response.headers_mut().insert("grpc-accept-encoding", HeaderValue::from_static("identity"));
        }
        response
    }

    fn status(&self, refusal: Refusal) -> Status {
        match refusal {
            Refusal::MessageTooLarge => {
                let limit = bytesize::ByteSize(self.shared.max_message as u64).display().iec().to_string();
                refused_about(self.shared.service, refusal, &limit)
            }
            refusal => refused(self.shared.service, refusal),
        }
    }
}

fn compressed(headers: &HeaderMap) -> bool {
    headers.get("grpc-encoding").is_some_and(|encoding| encoding != "identity")
}

async fn read(body: Body, limit: usize) -> Result<Bytes, Refusal> {
    grpc::read(body, limit).await.and_then(Whole::message).map_err(|wrong| refusal(&wrong))
}

/// What the server answers to a body that is not one message.
fn refusal<E>(wrong: &Wrong<E>) -> Refusal {
    match wrong {
        Wrong::Missing | Wrong::Second => Refusal::NotOneMessage,
        Wrong::TooLarge => Refusal::MessageTooLarge,
        Wrong::CutShort | Wrong::Compressed | Wrong::BadFlag | Wrong::Failed(_) => Refusal::BadFrame,
    }
}
