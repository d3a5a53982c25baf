//! Messages as text, for corpora: a first line, headers, an empty line, a body.

use http::{HeaderMap, HeaderName, HeaderValue};

/// The parts of a message; what is no header is left out.
pub struct Text<'a> {
    pub first: &'a [u8],
    pub headers: HeaderMap,
    pub body: &'a [u8],
}

impl<'a> Text<'a> {
    pub fn read(input: &'a [u8]) -> Self {
        let end = input.windows(2).position(|pair| pair == b"\n\n");
        let (head, body) = end.map_or((input, &[][..]), |end| (&input[..end], &input[end + 2..]));
        let (first, lines) = split(head, b'\n');
        Text { first, headers: headers(lines), body }
    }
}

/// What stands before and after the first such byte.
pub fn split(bytes: &[u8], at: u8) -> (&[u8], &[u8]) {
    bytes.iter().position(|byte| *byte == at).map_or((bytes, &[]), |at| (&bytes[..at], &bytes[at + 1..]))
}

pub fn headers(lines: &[u8]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for line in lines.split(|byte| *byte == b'\n') {
        let (name, value) = split(line, b':');
        let value = value.strip_prefix(b" ").unwrap_or(value);
        if let (Ok(name), Ok(value)) = (HeaderName::from_bytes(name), HeaderValue::from_bytes(value)) {
            headers.append(name, value);
        }
    }
    headers
}
