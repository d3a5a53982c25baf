//! Messages, whole and within their limit. Of a unary request exactly one, read before the handler runs; of a client stream each
//! by itself. What is none, two, too large or cut short is refused.

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, HeaderName, HeaderValue, Request, Response};
use http_body::Frame;
use http_body_util::{BodyExt as _, Full};
use tokio::time::timeout;
use tonic::{Status, body::Body};

use super::{Handle, answer, record::Received};
use crate::{
    fields::{list, single},
    grpc::{self, Encoding, GRPC_ACCEPT_ENCODING, GRPC_ENCODING, Wrong},
    identity::Identity,
    methods::Method,
    origin::{refused, refused_about},
    status::Refusal,
};

/// What a caller without a deadline gets to send its message (`docs/contract.md`, "request body never finished").
const REQUEST_TIMEOUT: Duration = Duration::from_secs(10);

pub struct Messages<S> {
    pub limits: Limits,
    pub inner: S,
}

/// How large a message may be, and who says that it is not.
#[derive(Clone)]
pub struct Limits {
    pub identity: Identity,
    /// In bytes, also of what comes out of a compressed message.
    pub max_message_size: usize,
}

impl<S: Handle> Handle for Messages<S> {
    async fn handle(&self, mut request: Request<Body>) -> Response<Body> {
        let encoding = make_lists_whole(request.headers_mut());
        let method = request.extensions().get::<Arc<Method>>();
        let takes_a_stream = method.is_some_and(|method| method.client_streaming);
        let answers_with_a_stream = method.is_some_and(|method| method.server_streaming);
        let request = match encoding {
            // The generated code looks at the header before it reads a byte of the body.
            Encoding::Other => request,
            _ if takes_a_stream => self.limits.each(encoding, request),
            _ => match self.limits.one(encoding, request).await {
                Ok(request) => request,
                Err(refusal) => return answer(self.limits.status(refusal)),
            },
        };
        let mut response = self.inner.handle(request).await;
        match refused_by_generated_code(encoding, response.headers()) {
            None if takes_a_stream && answers_with_a_stream => {
                let limits = self.limits.clone();
                response.map(|body| Body::new(body.map_frame(move |frame| limits.restate(encoding, frame))))
            }
            None => response,
            Some(refusal) => {
                let mut refused = answer(self.limits.status(refusal));
                if let Some(accepted) = response.headers_mut().remove(GRPC_ACCEPT_ENCODING) {
                    refused.headers_mut().insert(GRPC_ACCEPT_ENCODING, accepted);
                }
                refused
            }
        }
    }
}

/// The generated code reads the first field of a name: what would be in a second one it would not see, and we would. Returns how
/// messages are compressed; two words for that say nothing that could be undone.
fn make_lists_whole(headers: &mut HeaderMap) -> Encoding {
    let encoding = Encoding::of(headers);
    if encoding == Encoding::Other {
        make_list_whole(headers, GRPC_ENCODING);
    }
    make_list_whole(headers, GRPC_ACCEPT_ENCODING);
    encoding
}

fn make_list_whole(headers: &mut HeaderMap, name: HeaderName) {
    if single(headers, &name).is_err()
        && let Some(whole) = list(headers, &name)
    {
        headers.insert(name, whole);
    }
}

/// What the generated code said no to in tonic's words. It alone knows which encodings were switched on. And it alone decodes
/// messages: prost says in this sentence that it could not, and names the field, which is not for callers; tonic hands nothing
/// else on.
fn refused_by_generated_code(encoding: Encoding, answer: &HeaderMap) -> Option<Refusal> {
    let code = answer.get(Status::GRPC_STATUS)?;
    let undecodable = |message: &HeaderValue| message.as_bytes().starts_with(b"failed%20to%20decode%20Protobuf");
    if code == "12" && encoding != Encoding::Identity && answer.contains_key(GRPC_ACCEPT_ENCODING) {
        Some(Refusal::WrongEncoding)
    } else if code == "13" && answer.get(Status::GRPC_MESSAGE).is_some_and(undecodable) {
        Some(Refusal::BadMessage)
    } else {
        None
    }
}

impl Limits {
    /// The request with its one message, which has come whole.
    async fn one(&self, encoding: Encoding, request: Request<Body>) -> Result<Request<Body>, Refusal> {
        let (head, body) = request.into_parts();
        let read = timeout(REQUEST_TIMEOUT, grpc::read(body, self.max_message_size, encoding)).await;
        let whole = read.map_err(|_| Refusal::RequestTimeout)?;
        let message =
            whole.and_then(|whole| whole.message().0).and_then(|frame| encoding.undo(frame, self.max_message_size));
        let message = message.map_err(|wrong| refusal(&wrong))?;
        Ok(Request::from_parts(head, Body::new(Full::new(message))))
    }

    /// The request with a body that looks at each message as it comes.
    fn each(&self, encoding: Encoding, request: Request<Body>) -> Request<Body> {
        let received = request.extensions().get::<Received>().cloned().unwrap_or_default();
        let limits = self.clone();
        request.map(|inner| Body::new(Stream { inner, limits, encoding, received, bytes: BytesMut::new() }))
    }

    /// The end of a stream in our own words, where the generated code refused one of its messages.
    fn restate(&self, encoding: Encoding, mut frame: Frame<Bytes>) -> Frame<Bytes> {
        let refusal = frame.trailers_ref().and_then(|trailers| refused_by_generated_code(encoding, trailers));
        if let (Some(refusal), Some(trailers)) = (refusal, frame.trailers_mut()) {
            // Our own sentences fit into a header.
            let _ = self.status(refusal).add_header(trailers);
        }
        frame
    }

    fn status(&self, refusal: Refusal) -> Status {
        match refusal {
            Refusal::MessageTooLarge => {
                let limit = bytesize::ByteSize(self.max_message_size as u64).display().iec().to_string();
                refused_about(&self.identity, refusal, &limit)
            }
            refusal => refused(&self.identity, refusal),
        }
    }
}

/// What the server answers to a body that is not one message, or has one that is none.
fn refusal<E>(wrong: &Wrong<E>) -> Refusal {
    match wrong {
        Wrong::Missing | Wrong::Second => Refusal::NotOneMessage,
        Wrong::TooLarge => Refusal::MessageTooLarge,
        Wrong::CutShort | Wrong::Compressed | Wrong::BadFlag | Wrong::Failed(_) => Refusal::BadFrame,
    }
}

/// A client stream. What is wrong with a message is its last word, and the handler's to pass on: a status of the contract.
struct Stream {
    inner: Body,
    limits: Limits,
    encoding: Encoding,
    received: Received,
    /// The begin of a message, at most as long as the limit.
    bytes: BytesMut,
}

impl Stream {
    /// The next message that is whole, with its frame header.
    fn next(&mut self) -> Result<Option<Bytes>, Wrong<Status>> {
        let Some(frame) = grpc::take_frame(&mut self.bytes, self.limits.max_message_size, self.encoding)? else {
            return Ok(None);
        };
        self.received.count();
        self.encoding.undo(frame, self.limits.max_message_size).map(Some)
    }

    /// The stream ends here.
    fn fail(&mut self, wrong: &Wrong<Status>) -> Status {
        self.inner = Body::empty();
        self.bytes.clear();
        self.limits.status(refusal(wrong))
    }
}

impl http_body::Body for Stream {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        loop {
            match self.next() {
                Err(wrong) => return Poll::Ready(Some(Err(self.fail(&wrong)))),
                Ok(Some(message)) => return Poll::Ready(Some(Ok(Frame::data(message)))),
                Ok(None) => {}
            }
            match ready!(Pin::new(&mut self.inner).poll_frame(cx)) {
                Some(Ok(frame)) => {
                    // What else there may be is trailers, which a request does not have in gRPC.
                    if let Ok(data) = frame.into_data() {
                        self.bytes.extend_from_slice(&data);
                    }
                }
                Some(Err(status)) => return Poll::Ready(Some(Err(status))),
                None if self.bytes.is_empty() => return Poll::Ready(None),
                None => return Poll::Ready(Some(Err(self.fail(&Wrong::CutShort)))),
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.bytes.is_empty() && self.inner.is_end_stream()
    }
}
