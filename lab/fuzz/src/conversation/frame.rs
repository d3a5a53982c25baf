//! HTTP/2 frames and header blocks, as a peer writes them who need not keep to the rules.

pub use hostile_peer::frame::{
    CONTINUATION, DATA, END_HEADERS, END_STREAM, GOAWAY, HEADERS, PADDED, PING, PREFACE, PRIORITY, RST_STREAM,
    SETTINGS, WINDOW_UPDATE,
};
use hostile_peer::frame::{put_head, put_string};

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
        let mut bytes = Vec::new();
        let length = self.says.map_or(self.payload.len(), |says| says as usize);
        put_head(&mut bytes, length, self.kind, self.flags, self.stream);
        bytes.extend_from_slice(&self.payload);
        bytes
    }
}

/// A header field as a literal that no table remembers. Source: RFC 7541, 6.2.2.
pub fn field(name: &str, value: &[u8]) -> Vec<u8> {
    let mut field = vec![0];
    put_string(&mut field, name.as_bytes());
    put_string(&mut field, value);
    field
}
