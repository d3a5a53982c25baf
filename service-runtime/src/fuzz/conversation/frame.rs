//! HTTP/2 frames and header blocks, as a peer writes them who need not keep to the rules.

pub const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

pub const DATA: u8 = 0;
pub const HEADERS: u8 = 1;
pub const PRIORITY: u8 = 2;
pub const RST_STREAM: u8 = 3;
pub const SETTINGS: u8 = 4;
pub const PING: u8 = 6;
pub const GOAWAY: u8 = 7;
pub const WINDOW_UPDATE: u8 = 8;
pub const CONTINUATION: u8 = 9;

pub const END_STREAM: u8 = 1;
pub const END_HEADERS: u8 = 4;
pub const PADDED: u8 = 8;

/// One frame; its length may be another than it says.
#[derive(Clone, Debug, Default)]
pub struct Frame {
    pub kind: u8,
    pub flags: u8,
    pub stream: u32,
    pub payload: Vec<u8>,
    pub says: Option<u32>,
}

impl Frame {
    pub fn new(kind: u8, flags: u8, stream: u32, payload: impl Into<Vec<u8>>) -> Self {
        Frame { kind, flags, stream, payload: payload.into(), says: None }
    }

    pub fn bytes(&self) -> Vec<u8> {
        let length = u32::try_from(self.payload.len()).expect("it is short");
        let [_, a, b, c] = self.says.unwrap_or(length).to_be_bytes();
        [&[a, b, c, self.kind, self.flags][..], &self.stream.to_be_bytes(), &self.payload].concat()
    }
}

/// A header field as a literal that no table remembers. Source: RFC 7541, 6.2.2.
pub fn field(name: &str, value: &[u8]) -> Vec<u8> {
    [&[0][..], &length(name.len()), name.as_bytes(), &length(value.len()), value].concat()
}

/// Source: RFC 7541, 5.1, with a prefix of seven bits.
fn length(length: usize) -> Vec<u8> {
    let Some(mut left) = length.checked_sub(127) else { return vec![length.to_be_bytes()[7]] };
    let mut bytes = vec![127];
    while left > 127 {
        bytes.push(left.to_le_bytes()[0] | 128);
        left >>= 7;
    }
    bytes.push(left.to_le_bytes()[0]);
    bytes
}
