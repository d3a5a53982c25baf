//! gRPC over HTTP/2 as both halves need it: the content-type, and one message and no more.
//!
//! The body of a unary call's request or answer is read whole and within a limit. The size is known from the frame's
//! header: a message over the limit is refused before its body is read.

use std::error::Error;

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, header::CONTENT_TYPE};
use http_body::Body;
use http_body_util::BodyExt;

/// A flag and a length before each message. Source: gRPC over HTTP/2, "Length-Prefixed-Message".
pub(crate) const FRAME_HEADER: usize = 5;

/// `application/grpc` or `application/grpc+proto`, parameters allowed; not `+json`, not gRPC-Web.
pub(crate) fn has_grpc_content(headers: &HeaderMap) -> bool {
    let value = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or("");
    let media_type = value.split(';').next().unwrap_or("").trim();
    ["application/grpc", "application/grpc+proto"].iter().any(|known| media_type.eq_ignore_ascii_case(known))
}

/// What is wrong with a body.
#[derive(Debug)]
pub(crate) enum Wrong<E> {
    /// There is no message in it.
    Missing,
    /// There is more than one.
    Second,
    /// It ends before its message does.
    CutShort,
    /// The message is compressed.
    Compressed,
    /// The flag before the message is neither 0 nor 1.
    BadFlag,
    TooLarge,
    /// It did not come to its end.
    Failed(E),
}

/// A body that came to its end.
#[derive(Debug)]
pub(crate) struct Whole {
    bytes: Bytes,
    pub trailers: HeaderMap,
}

impl Whole {
    /// The one message, with its frame header. It is asked for last: a status may say why there is none.
    pub fn message<E>(self) -> Result<Bytes, Wrong<E>> {
        match self.bytes.len() {
            0 => Err(Wrong::Missing),
            n if n < expected(&self.bytes, usize::MAX)? => Err(Wrong::CutShort),
            _ => Ok(self.bytes),
        }
    }
}

/// Reads to the end of the body, or to the first byte that is too much.
pub(crate) async fn read<B>(mut body: B, limit: usize) -> Result<Whole, Wrong<B::Error>>
where
    B: Body<Data = Bytes> + Unpin,
    B::Error: Error,
{
    let mut bytes = BytesMut::new();
    let mut trailers = HeaderMap::new();
    while let Some(frame) = body.frame().await {
        match frame.map_err(Wrong::Failed)?.into_data() {
            Ok(data) => bytes.extend_from_slice(&data),
            Err(frame) => trailers = frame.into_trailers().unwrap_or_default(),
        }
        if bytes.len() > expected(&bytes, limit)? {
            return Err(Wrong::Second);
        }
    }
    Ok(Whole { bytes: bytes.freeze(), trailers })
}

/// How long the frame is that `bytes` begins; at least a header.
fn expected<E>(bytes: &[u8], limit: usize) -> Result<usize, Wrong<E>> {
    let Some(([flag, length @ ..], _)) = bytes.split_first_chunk::<FRAME_HEADER>() else {
        return Ok(FRAME_HEADER);
    };
    match flag {
        0 => {}
        1 => return Err(Wrong::Compressed),
        _ => return Err(Wrong::BadFlag),
    }
    let length = usize::try_from(u32::from_be_bytes(*length)).unwrap_or(usize::MAX);
    if length > limit { Err(Wrong::TooLarge) } else { Ok(length.saturating_add(FRAME_HEADER)) }
}

#[cfg(test)]
mod tests {
    use http_body_util::StreamBody;
    use tonic::Status;

    use super::*;

    async fn read_chunks(chunks: &'static [&'static [u8]]) -> Result<Bytes, Wrong<Status>> {
        let frames = chunks.iter().map(|chunk| Ok::<_, Status>(http_body::Frame::data(Bytes::from_static(chunk))));
        read(StreamBody::new(futures_util::stream::iter(frames)), 8).await?.message()
    }

    #[tokio::test]
    async fn reads_one_message_however_it_is_cut() {
        let cuts: [&'static [&'static [u8]]; 2] = [&[b"\0\0\0\0\x02hi"], &[b"\0\0", b"\0\0\x02", b"h", b"i"]];
        for chunks in cuts {
            assert_eq!(read_chunks(chunks).await.unwrap(), &b"\0\0\0\0\x02hi"[..]);
        }
        assert_eq!(read_chunks(&[b"\0\0\0\0\0"]).await.unwrap(), &b"\0\0\0\0\0"[..]);
        assert_eq!(read_chunks(&[b"\0\0\0\0\x08eightful"]).await.unwrap().len(), 13);
    }

    #[tokio::test]
    async fn refuses_what_is_not_one_whole_message() {
        let cases: [(&'static [&'static [u8]], &str); 8] = [
            (&[], "Missing"),
            (&[b"\0\0\0\0\x01a\0\0\0\0\x01b"], "Second"),
            (&[b"\0\0\0\0\x01a", b"\0"], "Second"),
            (&[b"\0\0\0\0\x05half"], "CutShort"),
            (&[b"\0\0\0"], "CutShort"),
            (&[b"\x01\0\0\0\0"], "Compressed"),
            (&[b"\x07\0\0\0\0"], "BadFlag"),
            (&[b"\0\0\0\0\x09"], "TooLarge"),
        ];
        for (chunks, wrong) in cases {
            assert_eq!(format!("{:?}", read_chunks(chunks).await.unwrap_err()), wrong, "{chunks:?}");
        }
    }

    #[tokio::test]
    async fn keeps_the_trailers() {
        let trailers = HeaderMap::from_iter([(http::header::AGE, http::HeaderValue::from_static("1"))]);
        let frames = [Ok::<_, Status>(http_body::Frame::trailers(trailers.clone()))];
        let whole = read(StreamBody::new(futures_util::stream::iter(frames)), 8).await.unwrap();
        assert_eq!(whole.trailers, trailers);
    }

    #[tokio::test]
    async fn tells_a_body_that_failed() {
        let frames = [Err::<http_body::Frame<Bytes>, _>(Status::aborted("x"))];
        let read = read(StreamBody::new(futures_util::stream::iter(frames)), 8).await;
        assert!(matches!(read.unwrap_err(), Wrong::Failed(status) if status.message() == "x"));
    }
}
