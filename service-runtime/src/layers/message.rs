//! Exactly one message: reads it whole before the handler runs, and refuses what is none, two, too large or cut short.
//!
//! The size is known from the frame's header: a message over the limit is refused before its body is read.

use std::{sync::Arc, time::Duration};

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, HeaderValue, Request, Response};
use http_body_util::{BodyExt, Full};
use tokio::time::timeout;
use tonic::{Status, body::Body};

use super::{Handle, answer};
use crate::{
    origin::{refused, refused_about},
    server::{Shared, methods::Method},
    status::Refusal,
};

/// A flag and a length before each message. Source: gRPC over HTTP/2, "Length-Prefixed-Message".
pub(crate) const FRAME_HEADER: usize = 5;

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
                timeout(PATIENCE, read(body, self.shared.max_message)).await.unwrap_or(Err(Refusal::RequestTimeout))
            }
        };
        match message {
            Ok(message) => self.inner.handle(Request::from_parts(head, Body::new(Full::new(message)))).await,
            Err(refusal) => self.refuse(refusal),
        }
    }
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

/// Reads to the end of the stream; the result is the one message with its frame header.
async fn read(mut body: Body, limit: usize) -> Result<Bytes, Refusal> {
    let mut whole = BytesMut::new();
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame.map_err(|_| Refusal::BadFrame)?.into_data() else {
            continue;
        };
        whole.extend_from_slice(&data);
        if whole.len() > expected(&whole, limit)? {
            return Err(Refusal::NotOneMessage);
        }
    }
    match whole.len() {
        0 => Err(Refusal::NotOneMessage),
        n if n < expected(&whole, limit)? => Err(Refusal::BadFrame),
        _ => Ok(whole.freeze()),
    }
}

/// How long the frame is that `bytes` begins; at least a header.
fn expected(bytes: &[u8], limit: usize) -> Result<usize, Refusal> {
    let Some(([flag, length @ ..], _)) = bytes.split_first_chunk::<FRAME_HEADER>() else {
        return Ok(FRAME_HEADER);
    };
    if *flag != 0 {
        return Err(Refusal::BadFrame);
    }
    let length = usize::try_from(u32::from_be_bytes(*length)).unwrap_or(usize::MAX);
    if length > limit { Err(Refusal::MessageTooLarge) } else { Ok(FRAME_HEADER + length) }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn read_chunks(chunks: &'static [&'static [u8]]) -> Result<Bytes, Refusal> {
        let frames = chunks.iter().map(|chunk| Ok::<_, Status>(http_body::Frame::data(Bytes::from_static(chunk))));
        read(Body::new(http_body_util::StreamBody::new(futures_util::stream::iter(frames))), 8).await
    }

    #[tokio::test]
    async fn reads_one_message_however_it_is_cut() {
        let whole = Ok(Bytes::from_static(b"\0\0\0\0\x02hi"));
        assert_eq!(read_chunks(&[b"\0\0\0\0\x02hi"]).await, whole);
        assert_eq!(read_chunks(&[b"\0\0", b"\0\0\x02", b"h", b"i"]).await, whole);
        assert_eq!(read_chunks(&[b"\0\0\0\0\0"]).await, Ok(Bytes::from_static(b"\0\0\0\0\0")));
    }

    #[tokio::test]
    async fn refuses_what_is_not_one_whole_message() {
        let cases: [(&'static [&'static [u8]], Refusal); 6] = [
            (&[], Refusal::NotOneMessage),
            (&[b"\0\0\0\0\x01a\0\0\0\0\x01b"], Refusal::NotOneMessage),
            (&[b"\0\0\0\0\x01a", b"\0"], Refusal::NotOneMessage),
            (&[b"\0\0\0\0\x05half"], Refusal::BadFrame),
            (&[b"\x07\0\0\0\0"], Refusal::BadFrame),
            (&[b"\0\0\0\0\x09"], Refusal::MessageTooLarge),
        ];
        for (chunks, refusal) in cases {
            assert_eq!(read_chunks(chunks).await, Err(refusal), "{chunks:?}");
        }
    }
}
