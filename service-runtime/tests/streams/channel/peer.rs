//! A peer whose every answer the test makes, header by header.

use std::{
    io,
    sync::atomic::{AtomicBool, Ordering},
};

use bytes::{Bytes, BytesMut};
use h2::{Reason, RecvStream, SendStream, server::SendResponse};
use hostile_peer::frame;
use http::{HeaderMap, HeaderName, HeaderValue, Request, Response};
use service_runtime::client::{BoxFuture, ByteStream, Dial, Endpoint};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _, duplex},
    sync::mpsc,
    time::timeout,
};

use super::LONGEST;
use crate::caller::frame as framed;

/// Hands every call of every connection to the test.
pub struct ByHand(mpsc::UnboundedSender<Call>);

/// The calls as they come.
pub struct Incoming(mpsc::UnboundedReceiver<Call>);

/// A call in the hands of the test. Dropped, it is reset.
pub struct Call {
    pub request: Request<RecvStream>,
    answer: SendResponse<Bytes>,
}

pub fn by_hand() -> (ByHand, Incoming) {
    let (calls, incoming) = mpsc::unbounded_channel();
    (ByHand(calls), Incoming(incoming))
}

impl Dial for ByHand {
    fn dial<'a>(&'a self, _: &'a Endpoint) -> BoxFuture<'a, io::Result<Box<dyn ByteStream>>> {
        let (ours, theirs) = duplex(64 * 1024);
        let calls = self.0.clone();
        tokio::spawn(async move {
            let mut connection = h2::server::handshake(theirs).await.unwrap();
            while let Some(Ok((request, answer))) = connection.accept().await {
                let _ = calls.send(Call { request, answer });
            }
        });
        Box::pin(async { Ok(Box::new(ours) as _) })
    }
}

impl Incoming {
    pub async fn call(&mut self) -> Call {
        timeout(LONGEST, self.0.recv()).await.expect("it comes").unwrap()
    }

    /// Whether no call has come that the test has not taken.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// Fields of headers or trailers.
pub type Fields<'a> = &'a [(&'a str, &'a str)];

fn map(fields: Fields<'_>) -> HeaderMap {
    let field = |(name, value): &(&str, &str)| -> (HeaderName, HeaderValue) {
        (name.parse().unwrap(), HeaderValue::from_bytes(value.as_bytes()).unwrap())
    };
    fields.iter().map(field).collect()
}

impl Call {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.request.headers().get(name).map(|value| value.to_str().unwrap())
    }

    pub fn reset(mut self, reason: Reason) {
        self.answer.send_reset(reason);
    }

    /// An answer that is headers only.
    pub fn trailers_only(mut self, fields: Fields<'_>) {
        self.answer.send_response(head(fields), true).unwrap();
    }

    /// The headers of an answer.
    pub fn begin(mut self, fields: Fields<'_>) -> Answer {
        Answer { body: self.answer.send_response(head(fields), false).unwrap(), _request: self.request }
    }

    /// A whole answer.
    pub fn answer(self, headers: Fields<'_>, messages: &[&[u8]], trailers: Fields<'_>) {
        let mut answer = self.begin(headers);
        messages.iter().for_each(|message| answer.data(framed(0, message)));
        answer.end(trailers);
    }
}

fn head(fields: Fields<'_>) -> Response<()> {
    let mut head = Response::new(());
    *head.headers_mut() = map(fields);
    head.headers_mut().insert("content-type", HeaderValue::from_static("application/grpc"));
    head
}

/// An answer that has begun. Dropped, its stream is reset.
pub struct Answer {
    body: SendStream<Bytes>,
    /// Dropped, it would ask for no more of the request.
    _request: Request<RecvStream>,
}

impl Answer {
    pub fn data(&mut self, bytes: impl Into<Bytes>) {
        self.body.send_data(bytes.into(), false).unwrap();
    }

    /// The end of the stream, without trailers.
    pub fn end_without_trailers(mut self) {
        self.body.send_data(Bytes::new(), true).unwrap();
    }

    pub fn end(mut self, trailers: Fields<'_>) {
        self.body.send_trailers(map(trailers)).unwrap();
    }

    pub fn reset(mut self, reason: Reason) {
        self.body.send_reset(reason);
    }

    /// What its caller ends the stream with.
    pub async fn reset_by_caller(mut self) -> Reason {
        let reset = std::future::poll_fn(|cx| self.body.poll_reset(cx));
        timeout(LONGEST, reset).await.expect("it comes").unwrap()
    }
}

/// On its first connection it says at the first frame of this kind that it goes away and has processed nothing; the others it hands to
/// the test.
pub struct GoesAwayAt {
    kind: u8,
    has_gone: AtomicBool,
    then: ByHand,
}

impl GoesAwayAt {
    pub fn new(kind: u8, then: ByHand) -> Self {
        GoesAwayAt { kind, has_gone: AtomicBool::new(false), then }
    }
}

impl Dial for GoesAwayAt {
    fn dial<'a>(&'a self, endpoint: &'a Endpoint) -> BoxFuture<'a, io::Result<Box<dyn ByteStream>>> {
        if self.has_gone.swap(true, Ordering::Relaxed) {
            return self.then.dial(endpoint);
        }
        let (ours, mut theirs) = duplex(64 * 1024);
        let kind = self.kind;
        tokio::spawn(async move {
            let mut said = BytesMut::new();
            frame::put_settings(&mut said, &[]);
            theirs.write_all(&said).await.unwrap();
            let mut heard = BytesMut::new();
            theirs.read_exact(&mut [0; frame::PREFACE.len()]).await.unwrap();
            loop {
                match frame::take(&mut heard).unwrap() {
                    Some(frame) if frame.kind == kind => break,
                    Some(_) => {}
                    None => drop(theirs.read_buf(&mut heard).await.unwrap()),
                }
            }
            said.clear();
            frame::put(&mut said, frame::GOAWAY, 0, 0, &[0; 8]);
            theirs.write_all(&said).await.unwrap();
        });
        Box::pin(async { Ok(Box::new(ours) as _) })
    }
}
