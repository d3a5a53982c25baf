//! Frames and header blocks as bytes (RFC 9113 and RFC 7541), as far as a peer needs them that indexes no header.
//!
//! It is public for tests that must know to the byte what they have sent, and when.

use std::{borrow::Cow, fmt};

use bytes::{Buf, BufMut, Bytes, BytesMut};

/// The message of a call, or of its answer.
pub const DATA: u8 = 0;
/// The headers of either, and the trailers.
pub const HEADERS: u8 = 1;
/// Which stream comes first: deprecated.
pub const PRIORITY: u8 = 2;
/// The end of one stream.
pub const RST_STREAM: u8 = 3;
/// What either side wants of the other.
pub const SETTINGS: u8 = 4;
/// An answer to what was not asked.
pub const PUSH_PROMISE: u8 = 5;
/// Asks for its own echo.
pub const PING: u8 = 6;
/// No more streams, after the one that it names.
pub const GOAWAY: u8 = 7;
/// More bytes may come.
pub const WINDOW_UPDATE: u8 = 8;
/// More headers.
pub const CONTINUATION: u8 = 9;

/// What RST_STREAM and GOAWAY give as their reason, in the order of their numbers (RFC 9113, 7).
const ERRORS: [&str; 14] = [
    "NO_ERROR",
    "PROTOCOL_ERROR",
    "INTERNAL_ERROR",
    "FLOW_CONTROL_ERROR",
    "SETTINGS_TIMEOUT",
    "STREAM_CLOSED",
    "FRAME_SIZE_ERROR",
    "REFUSED_STREAM",
    "CANCEL",
    "COMPRESSION_ERROR",
    "CONNECT_ERROR",
    "ENHANCE_YOUR_CALM",
    "INADEQUATE_SECURITY",
    "HTTP_1_1_REQUIRED",
];

/// The error code of a call that its caller has given up.
pub const CANCEL: u32 = 8;

/// The name of an error code; its number where it has none.
pub(crate) fn error_name(code: u32) -> Cow<'static, str> {
    match ERRORS.get(code as usize) {
        Some(name) => Cow::Borrowed(name),
        None => Cow::Owned(code.to_string()),
    }
}

/// A SETTINGS or PING that is an answer.
pub const ACK: u8 = 1;
/// The last frame of this side of a stream.
pub const END_STREAM: u8 = 1;
/// The last frame of these headers.
pub const END_HEADERS: u8 = 4;
/// The payload has a length of padding before it, and padding behind it.
pub const PADDED: u8 = 8;

/// Whether a server may push.
pub const ENABLE_PUSH: u16 = 2;
/// How many streams the other side may have open.
pub const MAX_CONCURRENT_STREAMS: u16 = 3;
/// How many bytes may come before a WINDOW_UPDATE, on each stream.
pub const INITIAL_WINDOW_SIZE: u16 = 4;
/// How long a payload may be.
pub const MAX_FRAME_SIZE_SETTING: u16 = 5;

/// What a client says first.
pub const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// The longest payload that either side may send, for neither lets the other send a longer one.
pub const MAX_FRAME_SIZE: usize = 16_384;

/// How many bytes stand before a gRPC message: a flag, and the message's length.
pub const MESSAGE_HEAD: usize = 5;

/// Header fields, in the order in which they are sent.
pub(crate) type Fields = Vec<(&'static str, Cow<'static, str>)>;

/// A frame that the other side has sent.
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

/// What comes is something else: no preface, or a frame longer than it may be.
#[derive(Debug)]
pub struct NotHttp2;

impl fmt::Display for NotHttp2 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("what came is no HTTP/2, or a frame of more than 16384 bytes")
    }
}

impl std::error::Error for NotHttp2 {}

/// Takes the next frame, if all of it has arrived. Errors: it is longer than it may be.
pub fn take(incoming: &mut BytesMut) -> Result<Option<Frame>, NotHttp2> {
    let Some(mut head) = incoming.get(..9) else { return Ok(None) };
    let length = head.get_uint(3) as usize;
    if length > MAX_FRAME_SIZE {
        return Err(NotHttp2);
    }
    if incoming.len() < 9 + length {
        return Ok(None);
    }
    let mut head = incoming.split_to(9).split_off(3);
    let kind = head.get_u8();
    let flags = head.get_u8();
    let stream = head.get_u32() & (u32::MAX >> 1);
    Ok(Some(Frame { kind, flags, stream, payload: incoming.split_to(length).freeze() }))
}

/// Appends a frame's first nine bytes.
pub fn put_head(out: &mut impl BufMut, length: usize, kind: u8, flags: u8, stream: u32) {
    out.put_uint(length as u64, 3);
    out.put_u8(kind);
    out.put_u8(flags);
    out.put_u32(stream);
}

/// Appends a whole frame.
pub fn put(out: &mut impl BufMut, kind: u8, flags: u8, stream: u32, payload: &[u8]) {
    put_head(out, payload.len(), kind, flags, stream);
    out.put_slice(payload);
}

/// Appends SETTINGS with these.
pub fn put_settings(out: &mut impl BufMut, settings: &[(u16, u32)]) {
    put_head(out, settings.len() * 6, SETTINGS, 0, 0);
    for (name, value) in settings {
        out.put_u16(*name);
        out.put_u32(*value);
    }
}

/// Appends HEADERS, and as many CONTINUATIONs as they need.
pub fn put_headers(
    out: &mut impl BufMut,
    stream: u32,
    fields: &[(impl AsRef<str>, impl AsRef<str>)],
    end_stream: bool,
) {
    let block = header_block(fields);
    let mut parts = block.chunks(MAX_FRAME_SIZE).peekable();
    let mut kind = HEADERS;
    let mut flags = if end_stream { END_STREAM } else { 0 };
    while let Some(part) = parts.next() {
        let last = if parts.peek().is_none() { END_HEADERS } else { 0 };
        put(out, kind, flags | last, stream, part);
        kind = CONTINUATION;
        flags = 0;
    }
}

/// Appends a body as DATA; with `end_stream`, the last of them ends this side of the stream.
pub fn put_body(out: &mut impl BufMut, stream: u32, body: &[u8], end_stream: bool) {
    let mut parts = body.chunks(MAX_FRAME_SIZE).peekable();
    while let Some(part) = parts.next() {
        let last = end_stream && parts.peek().is_none();
        put(out, DATA, if last { END_STREAM } else { 0 }, stream, part);
    }
}

/// Every field as a literal with a literal name, never indexed, so that no state is kept (RFC 7541, 6.2.2).
pub fn header_block(fields: &[(impl AsRef<str>, impl AsRef<str>)]) -> Vec<u8> {
    let mut block = Vec::new();
    for (name, value) in fields {
        block.push(0);
        put_string(&mut block, name.as_ref().as_bytes());
        put_string(&mut block, value.as_ref().as_bytes());
    }
    block
}

/// Appends a name or a value, in plain letters (RFC 7541, 5.2).
pub fn put_string(block: &mut Vec<u8>, text: &[u8]) {
    // The length has a prefix of 7 bits, and what does not fit follows in groups of 7 (RFC 7541, 5.1).
    let length = text.len();
    if length < 127 {
        block.push(length as u8);
    } else {
        block.push(127);
        let mut rest = length - 127;
        while rest >= 128 {
            block.push((rest % 128) as u8 | 128);
            rest /= 128;
        }
        block.push(rest as u8);
    }
    block.extend_from_slice(text);
}

/// Appends a gRPC message: a flag, 1 for a compressed message; its length in four bytes; and the message.
///
/// Source: gRPC over HTTP/2, "Length-Prefixed-Message".
pub fn put_message(out: &mut impl BufMut, flag: u8, message: &[u8]) {
    put_message_head(out, flag, message.len());
    out.put_slice(message);
}

/// Appends the first [`MESSAGE_HEAD`] bytes of a gRPC message.
pub fn put_message_head(out: &mut impl BufMut, flag: u8, length: usize) {
    out.put_u8(flag);
    out.put_u32(u32::try_from(length).unwrap_or(u32::MAX));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn writes_the_lengths_of_rfc_7541() {
        let mut block = Vec::new();
        // 1337 is the RFC's own example, with a prefix of 5 bits; with 7 it is 127 + 1210.
        put_string(&mut block, &[b'x'; 1337]);
        assert_eq!(block[..4], [127, 0xba, 0x09, b'x']);
    }

    #[test]
    fn cuts_long_headers_into_continuations() {
        let mut out = BytesMut::new();
        put_headers(&mut out, 1, &[("x", "y".repeat(40_000))], true);
        let frames: Vec<_> = std::iter::from_fn(|| take(&mut out).unwrap()).map(|f| (f.kind, f.flags)).collect();
        assert_eq!(frames, [(HEADERS, END_STREAM), (CONTINUATION, 0), (CONTINUATION, END_HEADERS)]);
    }

    #[test]
    fn cuts_a_long_body_and_ends_with_its_last_part() {
        for (end_stream, last) in [(true, END_STREAM), (false, 0)] {
            let mut out = BytesMut::new();
            put_body(&mut out, 3, &[7; 20_000], end_stream);
            let frames: Vec<_> = std::iter::from_fn(|| take(&mut out).unwrap())
                .map(|f| (f.kind, f.flags, f.stream, f.payload.len()))
                .collect();
            assert_eq!(frames, [(DATA, 0, 3, MAX_FRAME_SIZE), (DATA, last, 3, 20_000 - MAX_FRAME_SIZE)]);
        }
    }

    #[test]
    fn waits_for_the_rest_of_a_frame_and_refuses_a_long_one() {
        let mut whole = BytesMut::new();
        put(&mut whole, PING, ACK, 0, b"12345678");
        for length in 0..whole.len() {
            assert!(take(&mut BytesMut::from(&whole[..length])).unwrap().is_none());
        }
        assert_eq!(take(&mut whole).unwrap().unwrap().payload, "12345678");
        assert!(take(&mut BytesMut::from("GET / HTTP/1.1")).is_err());
    }
}
