//! Frames and header blocks as bytes (RFC 9113 and RFC 7541), as far as somebody needs them who writes no header short.

use std::borrow::Cow;

use bytes::{Buf, BufMut, Bytes, BytesMut};

pub(crate) const DATA: u8 = 0;
pub(crate) const HEADERS: u8 = 1;
pub(crate) const PRIORITY: u8 = 2;
pub(crate) const RST_STREAM: u8 = 3;
pub(crate) const SETTINGS: u8 = 4;
pub(crate) const PUSH_PROMISE: u8 = 5;
pub(crate) const PING: u8 = 6;
pub(crate) const GOAWAY: u8 = 7;
pub(crate) const WINDOW_UPDATE: u8 = 8;
pub(crate) const CONTINUATION: u8 = 9;

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

/// The name of an error code; its number where it has none.
pub(crate) fn error_name(code: u32) -> Cow<'static, str> {
    match ERRORS.get(code as usize) {
        Some(name) => Cow::Borrowed(name),
        None => Cow::Owned(code.to_string()),
    }
}

pub(crate) const ACK: u8 = 1;
pub(crate) const END_STREAM: u8 = 1;
pub(crate) const END_HEADERS: u8 = 4;
pub(crate) const PADDED: u8 = 8;

pub(crate) const ENABLE_PUSH: u16 = 2;
pub(crate) const MAX_CONCURRENT_STREAMS: u16 = 3;
pub(crate) const INITIAL_WINDOW_SIZE: u16 = 4;
pub(crate) const MAX_FRAME_SIZE_SETTING: u16 = 5;

/// What a client says first.
pub(crate) const PREFACE: &[u8; 24] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// The longest payload that either side may send, for neither lets the other send a longer one.
pub(crate) const MAX_FRAME_SIZE: usize = 16_384;

/// Header fields, in the order in which they are sent.
pub(crate) type Fields = Vec<(&'static str, Cow<'static, str>)>;

/// A frame that the other side has sent.
#[derive(Debug)]
pub(crate) struct Frame {
    pub kind: u8,
    pub flags: u8,
    pub stream: u32,
    pub payload: Bytes,
}

/// What comes is something else: no preface, or a frame longer than it may be.
#[derive(Debug)]
pub(crate) struct NotHttp2;

/// Takes the next frame, if all of it has arrived.
pub(crate) fn take(incoming: &mut BytesMut) -> Result<Option<Frame>, NotHttp2> {
    let Some(mut head) = incoming.get(..9) else { return Ok(None) };
    let length = head.get_uint(3) as usize;
    if length > MAX_FRAME_SIZE {
        return Err(NotHttp2);
    }
    if incoming.len() < 9 + length {
        return Ok(None);
    }
    let mut head = incoming.split_to(9).split_off(3);
    let (kind, flags, stream) = (head.get_u8(), head.get_u8(), head.get_u32() & (u32::MAX >> 1));
    Ok(Some(Frame { kind, flags, stream, payload: incoming.split_to(length).freeze() }))
}

/// Appends a frame's first nine bytes.
pub(crate) fn put_head(out: &mut BytesMut, length: usize, kind: u8, flags: u8, stream: u32) {
    out.put_uint(length as u64, 3);
    out.put_u8(kind);
    out.put_u8(flags);
    out.put_u32(stream);
}

/// Appends a whole frame.
pub(crate) fn put(out: &mut BytesMut, kind: u8, flags: u8, stream: u32, payload: &[u8]) {
    put_head(out, payload.len(), kind, flags, stream);
    out.put_slice(payload);
}

/// Appends SETTINGS with these.
pub(crate) fn put_settings(out: &mut BytesMut, settings: &[(u16, u32)]) {
    put_head(out, settings.len() * 6, SETTINGS, 0, 0);
    for (name, value) in settings {
        out.put_u16(*name);
        out.put_u32(*value);
    }
}

/// Appends HEADERS, and as many CONTINUATIONs as they need.
pub(crate) fn put_headers(out: &mut BytesMut, stream: u32, fields: &Fields, end_stream: bool) {
    let block = header_block(fields);
    let mut parts = block.chunks(MAX_FRAME_SIZE).peekable();
    let (mut kind, mut flags) = (HEADERS, if end_stream { END_STREAM } else { 0 });
    while let Some(part) = parts.next() {
        let last = if parts.peek().is_none() { END_HEADERS } else { 0 };
        put(out, kind, flags | last, stream, part);
        (kind, flags) = (CONTINUATION, 0);
    }
}

/// Every field as a literal with a literal name, never indexed, so that no state is kept (RFC 7541, 6.2.2).
pub(crate) fn header_block(fields: &Fields) -> Vec<u8> {
    let mut block = Vec::new();
    for (name, value) in fields {
        block.push(0);
        put_string(&mut block, name);
        put_string(&mut block, value);
    }
    block
}

fn put_string(block: &mut Vec<u8>, text: &str) {
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
    block.extend_from_slice(text.as_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn writes_the_lengths_of_rfc_7541() {
        let mut block = Vec::new();
        // 1337 is the RFC's own example, with a prefix of 5 bits; with 7 it is 127 + 1210.
        put_string(&mut block, &"x".repeat(1337));
        assert_eq!(block[..4], [127, 0xba, 0x09, b'x']);
    }

    #[test]
    fn cuts_long_headers_into_continuations() {
        let mut out = BytesMut::new();
        put_headers(&mut out, 1, &vec![("x", "y".repeat(40_000).into())], true);
        let frames: Vec<_> = std::iter::from_fn(|| take(&mut out).unwrap()).map(|f| (f.kind, f.flags)).collect();
        assert_eq!(frames, [(HEADERS, END_STREAM), (CONTINUATION, 0), (CONTINUATION, END_HEADERS)]);
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
