//! gRPC over HTTP/2 as both halves need it: the content-type, and one message and no more.
//!
//! The body of a unary call's request or answer is read whole and within a limit. The size is known from the frame's
//! header: a message over the limit is refused before its body is read.

use std::error::Error;

use bytes::{BufMut, Bytes, BytesMut};
use http::{HeaderMap, HeaderName, HeaderValue, header::CONTENT_TYPE};
use http_body::Body;
use http_body_util::BodyExt;

use crate::fields::single;

/// A flag and a length before each message. Source: gRPC over HTTP/2, "Length-Prefixed-Message".
pub const FRAME_HEADER: usize = 5;

/// How the messages of a request or an answer are compressed.
pub const GRPC_ENCODING: HeaderName = HeaderName::from_static("grpc-encoding");
/// Which compressions whoever says so can undo.
pub const GRPC_ACCEPT_ENCODING: HeaderName = HeaderName::from_static("grpc-accept-encoding");

/// `application/grpc` or `application/grpc+proto`, parameters allowed; not `+json`, not gRPC-Web, not two of them.
pub fn has_grpc_content(headers: &HeaderMap) -> bool {
    let value = single(headers, CONTENT_TYPE).ok().flatten();
    // What nearly every caller says is known without taking it apart.
    if value.is_some_and(|value| value == "application/grpc") {
        return true;
    }
    let value = value.and_then(|value| value.to_str().ok()).unwrap_or("");
    let media_type = value.split(';').next().unwrap_or("").trim();
    ["application/grpc", "application/grpc+proto"].iter().any(|known| media_type.eq_ignore_ascii_case(known))
}

/// What is wrong with a body.
#[derive(Debug)]
pub enum Wrong<E> {
    /// There is no message in it.
    Missing,
    /// There is more than one.
    Second,
    /// It ends before its message does.
    CutShort,
    /// The message is compressed, and no header said so.
    Compressed,
    /// The flag before the message is neither 0 nor 1, or what is compressed is not what its header says.
    BadFlag,
    TooLarge,
    /// It did not come to its end.
    Failed(E),
}

/// How the messages of a body are compressed. Source: gRPC over HTTP/2, "Message-Encoding".
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoding {
    Identity,
    #[cfg(feature = "gzip")]
    Gzip,
    #[cfg(feature = "zstd")]
    Zstd,
    /// One that this build cannot undo: the generated code refuses it by the same header.
    Other,
}

impl Encoding {
    /// What `grpc-encoding` says; two of them say nothing that could be undone.
    pub fn of(headers: &HeaderMap) -> Self {
        let Ok(value) = single(headers, GRPC_ENCODING) else { return Encoding::Other };
        match value.map(HeaderValue::as_bytes) {
            None | Some(b"identity") => Encoding::Identity,
            #[cfg(feature = "gzip")]
            Some(b"gzip") => Encoding::Gzip,
            #[cfg(feature = "zstd")]
            Some(b"zstd") => Encoding::Zstd,
            Some(_) => Encoding::Other,
        }
    }

    /// A whole frame as one that is not compressed, so that a limit on sizes holds for what comes out of it.
    #[cfg_attr(
        not(any(feature = "gzip", feature = "zstd")),
        expect(unused_variables, reason = "there is nothing to undo")
    )]
    pub fn undo<E>(self, frame: Bytes, limit: usize) -> Result<Bytes, Wrong<E>> {
        if frame.first() != Some(&1) {
            return Ok(frame);
        }
        match self {
            Encoding::Identity | Encoding::Other => Err(Wrong::Compressed),
            #[cfg(feature = "gzip")]
            Encoding::Gzip => read_decompressed(flate2::read::GzDecoder::new(&frame[FRAME_HEADER..]), limit),
            #[cfg(feature = "zstd")]
            Encoding::Zstd => match zstd::stream::read::Decoder::with_buffer(&frame[FRAME_HEADER..]) {
                Ok(decoder) => read_decompressed(decoder, limit),
                Err(_) => Err(Wrong::BadFlag),
            },
        }
    }
}

/// Reads at most one byte more than the limit, however much there would be.
#[cfg(any(feature = "gzip", feature = "zstd"))]
fn read_decompressed<E>(decoder: impl std::io::Read, limit: usize) -> Result<Bytes, Wrong<E>> {
    use std::io::Read as _;
    let mut message = Vec::new();
    let most = u64::try_from(limit).unwrap_or(u64::MAX).saturating_add(1);
    decoder.take(most).read_to_end(&mut message).map_err(|_| Wrong::BadFlag)?;
    if message.len() > limit { Err(Wrong::TooLarge) } else { Ok(frame(&message)) }
}

/// A message with gRPC's frame header before it. Its length is below 4 GiB: whoever makes one has bounded it before.
pub fn frame(message: &[u8]) -> Bytes {
    let mut framed = BytesMut::with_capacity(FRAME_HEADER + message.len());
    framed.put_u8(0);
    framed.put_u32(u32::try_from(message.len()).expect("bounded before"));
    framed.put_slice(message);
    framed.freeze()
}

/// A body that came to its end.
#[derive(Debug)]
pub struct Whole {
    bytes: Bytes,
    pub trailers: HeaderMap,
}

impl Whole {
    /// The one message, with its frame header, and what came after it. It is asked for last: a status may say why there is none.
    pub fn message<E>(self) -> (Result<Bytes, Wrong<E>>, HeaderMap) {
        let message = match self.bytes.len() {
            0 => Err(Wrong::Missing),
            n if n < length(&self.bytes) => Err(Wrong::CutShort),
            _ => Ok(self.bytes),
        };
        (message, self.trailers)
    }
}

/// Reads to the end of the body, or to the first byte that is too much. Only where its `encoding` is not identity may its message
/// be compressed.
pub async fn read<B>(mut body: B, limit: usize, encoding: Encoding) -> Result<Whole, Wrong<B::Error>>
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
        if bytes.len() > expected(&bytes, limit, encoding)? {
            return Err(Wrong::Second);
        }
    }
    Ok(Whole { bytes: bytes.freeze(), trailers })
}

/// The first frame in `bytes`, taken out of them; `None` as long as it is not whole.
pub fn take_frame<E>(bytes: &mut BytesMut, limit: usize, encoding: Encoding) -> Result<Option<Bytes>, Wrong<E>> {
    let length = expected(bytes, limit, encoding)?;
    let is_whole = bytes.len() >= FRAME_HEADER.max(length);
    Ok(is_whole.then(|| bytes.split_to(length).freeze()))
}

/// How long the frame is that `bytes` begins; at least a header.
fn length(bytes: &[u8]) -> usize {
    let Some(([_, length @ ..], _)) = bytes.split_first_chunk::<FRAME_HEADER>() else {
        return FRAME_HEADER;
    };
    usize::try_from(u32::from_be_bytes(*length)).unwrap_or(usize::MAX).saturating_add(FRAME_HEADER)
}

/// The same, where the frame may be what it says it is.
fn expected<E>(bytes: &[u8], limit: usize, encoding: Encoding) -> Result<usize, Wrong<E>> {
    if bytes.len() < FRAME_HEADER {
        return Ok(FRAME_HEADER);
    }
    match bytes[0] {
        0 => {}
        1 if encoding == Encoding::Identity => return Err(Wrong::Compressed),
        1 => {}
        _ => return Err(Wrong::BadFlag),
    }
    let length = length(bytes);
    if length > limit.saturating_add(FRAME_HEADER) { Err(Wrong::TooLarge) } else { Ok(length) }
}

/// Counts the messages in the data of a body as it passes, however it is cut.
#[derive(Debug, Default)]
pub struct MessageCount {
    header: [u8; FRAME_HEADER],
    filled: usize,
    payload_left: usize,
    messages: u64,
}

impl MessageCount {
    /// The next bytes of the body.
    pub fn follow(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let skipped = self.payload_left.min(bytes.len());
            self.payload_left -= skipped;
            bytes = &bytes[skipped..];
            let taken = bytes.len().min(FRAME_HEADER - self.filled);
            self.header[self.filled..self.filled + taken].copy_from_slice(&bytes[..taken]);
            self.filled += taken;
            bytes = &bytes[taken..];
            if self.filled == FRAME_HEADER {
                let [_, length @ ..] = self.header;
                self.payload_left = usize::try_from(u32::from_be_bytes(length)).unwrap_or(usize::MAX);
                self.filled = 0;
                self.messages += 1;
            }
        }
    }

    /// Messages that have begun.
    pub fn so_far(&self) -> u64 {
        self.messages
    }
}

#[cfg(test)]
mod tests {
    use http_body_util::StreamBody;
    use tonic::Status;

    use super::*;

    async fn read_chunks(chunks: &'static [&'static [u8]]) -> Result<Bytes, Wrong<Status>> {
        let frames = chunks.iter().map(|chunk| Ok::<_, Status>(http_body::Frame::data(Bytes::from_static(chunk))));
        read(StreamBody::new(futures_util::stream::iter(frames)), 8, Encoding::Identity).await?.message().0
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
        let whole = read(StreamBody::new(futures_util::stream::iter(frames)), 8, Encoding::Identity).await.unwrap();
        assert_eq!(whole.trailers, trailers);
    }

    #[tokio::test]
    async fn tells_a_body_that_failed() {
        let frames = [Err::<http_body::Frame<Bytes>, _>(Status::aborted("x"))];
        let read = read(StreamBody::new(futures_util::stream::iter(frames)), 8, Encoding::Identity).await;
        assert!(matches!(read.unwrap_err(), Wrong::Failed(status) if status.message() == "x"));
    }

    #[test]
    fn counts_messages_however_they_are_cut() {
        let body = [&frame(b"one")[..], &frame(b""), &frame(b"three")].concat();
        for chunk in 1..=body.len() {
            let mut count = MessageCount::default();
            body.chunks(chunk).for_each(|bytes| count.follow(bytes));
            assert_eq!(count.so_far(), 3, "in chunks of {chunk}");
        }
    }

    #[test]
    fn takes_a_compressed_message_only_where_a_header_says_how() {
        let compressed = Bytes::from_static(b"\x01\0\0\0\x02hi");
        let undo = |encoding: Encoding| encoding.undo::<Status>(compressed.clone(), 8);
        assert!(matches!(undo(Encoding::Identity), Err(Wrong::Compressed)));
        assert_eq!(Encoding::Identity.undo::<Status>(frame(b"hi"), 8).unwrap(), frame(b"hi"));
    }

    #[cfg(feature = "gzip")]
    #[test]
    fn holds_the_limit_for_what_comes_out_of_a_compressed_message() {
        use std::io::Write as _;
        let gzip = |bytes: &[u8]| {
            let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
            encoder.write_all(bytes).unwrap();
            let message = encoder.finish().unwrap();
            let mut framed = frame(&message).to_vec();
            framed[0] = 1;
            Bytes::from(framed)
        };
        let undo = |frame: Bytes| Encoding::Gzip.undo::<Status>(frame, 1_000);
        assert_eq!(undo(gzip(&[7; 1_000])).unwrap(), frame(&[7; 1_000]));
        assert!(gzip(&[0; 100_000]).len() < 1_000);
        assert!(matches!(undo(gzip(&[0; 100_000])), Err(Wrong::TooLarge)));
        assert!(matches!(undo(Bytes::from_static(b"\x01\0\0\0\x02hi")), Err(Wrong::BadFlag)));
    }
}
