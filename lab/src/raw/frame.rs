//! Frames of HTTP/2 as bytes (RFC 9113), as far as a caller needs them that looks into no header of an answer.

use anyhow::bail;
use bytes::{Buf, BufMut, Bytes, BytesMut};

/// The message of a call, or of its answer.
pub const DATA: u8 = 0;
/// The headers of either, and the trailers.
pub const HEADERS: u8 = 1;
/// The end of one stream.
pub const RST_STREAM: u8 = 3;
/// What either side wants of the other.
pub const SETTINGS: u8 = 4;
/// Asks for its own echo.
pub const PING: u8 = 6;
/// No more streams, after the one that it names.
pub const GOAWAY: u8 = 7;
/// More bytes may come.
pub const WINDOW_UPDATE: u8 = 8;

/// A SETTINGS or PING that is an answer.
pub const ACK: u8 = 1;
/// The last frame of this side of a stream.
pub const END_STREAM: u8 = 1;
/// The last frame of these headers.
pub const END_HEADERS: u8 = 4;

/// The code of an RST_STREAM whose sender has lost interest.
pub const CANCEL: u32 = 8;

/// How many bytes of an answer may come before a WINDOW_UPDATE, on each stream.
pub const INITIAL_WINDOW_SIZE: u16 = 4;

/// What a client says first.
pub const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// The longest payload that either side may send, for neither lets the other send a longer one.
const MAX_FRAME_SIZE: usize = 16_384;
/// A name of fewer bytes than that has its length in one byte (RFC 7541, 5.1).
const SHORT: usize = 127;

/// One frame.
#[derive(Debug)]
pub struct Frame {
    /// What it is.
    pub kind: u8,
    /// How it is meant.
    pub flags: u8,
    /// Which stream it is about; 0 is the connection.
    pub stream: u32,
    /// The rest.
    pub payload: Bytes,
}

/// Takes the next frame, if all of it has arrived. Errors: one that is longer than it may be.
pub fn take(incoming: &mut BytesMut) -> anyhow::Result<Option<Frame>> {
    let Some(mut head) = incoming.get(..9) else { return Ok(None) };
    let length = head.get_uint(3) as usize;
    if length > MAX_FRAME_SIZE {
        bail!("a frame of {length} bytes");
    }
    if incoming.len() < 9 + length {
        return Ok(None);
    }
    let mut head = incoming.split_to(9).split_off(3);
    let (kind, flags, stream) = (head.get_u8(), head.get_u8(), head.get_u32() & (u32::MAX >> 1));
    Ok(Some(Frame { kind, flags, stream, payload: incoming.split_to(length).freeze() }))
}

/// Appends a frame.
pub fn put(out: &mut Vec<u8>, kind: u8, flags: u8, stream: u32, payload: &[u8]) {
    out.put_uint(payload.len() as u64, 3);
    out.put_u8(kind);
    out.put_u8(flags);
    out.put_u32(stream);
    out.put_slice(payload);
}

/// The preface, and SETTINGS with this window for each stream.
pub fn opening(window: u32) -> Vec<u8> {
    let mut out = PREFACE.to_vec();
    let mut setting = INITIAL_WINDOW_SIZE.to_be_bytes().to_vec();
    setting.put_u32(window);
    put(&mut out, SETTINGS, 0, 0, &setting);
    out
}

/// HEADERS of a gRPC call to `path`, with as many more as are given, and one more for each that is longer than it may be.
pub fn put_headers(out: &mut Vec<u8>, stream: u32, path: &str, more: &[(&str, &str)]) {
    let always = [
        (":method", "POST"),
        (":scheme", "http"),
        (":path", path),
        (":authority", "localhost"),
        ("content-type", "application/grpc"),
        ("te", "trailers"),
    ];
    // Every field as a literal that is never indexed, so that neither side keeps state (RFC 7541, 6.2.2).
    let mut block = Vec::new();
    for (name, value) in always.iter().chain(more) {
        block.push(0);
        for text in [name, value] {
            assert!(text.len() < SHORT, "a short header");
            block.push(text.len() as u8);
            block.put_slice(text.as_bytes());
        }
    }
    put(out, HEADERS, END_HEADERS, stream, &block);
}

/// A gRPC message as DATA that ends this side of the stream.
pub fn put_message(out: &mut Vec<u8>, stream: u32, message: &[u8]) {
    let framed = framed(message);
    let mut parts = framed.chunks(MAX_FRAME_SIZE).peekable();
    while let Some(part) = parts.next() {
        put(out, DATA, if parts.peek().is_none() { END_STREAM } else { 0 }, stream, part);
    }
}

/// A message with gRPC's five bytes before it.
pub fn framed(message: &[u8]) -> Vec<u8> {
    let mut framed = vec![0];
    framed.put_u32(u32::try_from(message.len()).expect("far below 4 GiB"));
    framed.put_slice(message);
    framed
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_what_it_has_put_and_waits_for_the_rest() {
        let mut out = Vec::new();
        put_message(&mut out, 3, &[7; 20_000]);
        let mut incoming = BytesMut::from(&out[..out.len() - 1]);
        let first = take(&mut incoming).unwrap().unwrap();
        assert_eq!((first.kind, first.flags, first.stream, first.payload.len()), (DATA, 0, 3, MAX_FRAME_SIZE));
        assert!(take(&mut incoming).unwrap().is_none());
        incoming.put_u8(7);
        let second = take(&mut incoming).unwrap().unwrap();
        assert_eq!((second.flags, second.payload.len()), (END_STREAM, 20_005 - MAX_FRAME_SIZE));
        assert!(take(&mut BytesMut::from("HTTP/1.1 400 Bad Request")).is_err());
    }
}
