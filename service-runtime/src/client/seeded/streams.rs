//! Which calls are open on a wire, by the frames that have passed: what the peer knows of them.

use std::collections::BTreeSet;

use super::draw::Way;

/// A client's connection preface comes before its first frame. Source: RFC 9113, 3.4.
const PREFACE: usize = 24;

const DATA: u8 = 0;
const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const END_STREAM: u8 = 1;

/// The calls that the client has begun and neither side has ended.
#[derive(Default)]
pub struct Streams {
    out: Vec<u8>,
    greeted: bool,
    back: Vec<u8>,
    newest: u32,
    pub open: BTreeSet<u32>,
}

impl Streams {
    pub fn follow(&mut self, way: Way, bytes: &[u8]) {
        let unread = if way == Way::Out { &mut self.out } else { &mut self.back };
        unread.extend_from_slice(bytes);
        if way == Way::Out && !self.greeted && unread.len() >= PREFACE {
            self.greeted = true;
            unread.drain(..PREFACE);
        }
        while way == Way::Back || self.greeted {
            let unread = if way == Way::Out { &mut self.out } else { &mut self.back };
            let Some([a, b, c, kind, flags, id @ ..]) = unread.first_chunk::<9>().copied() else { return };
            let length = usize::from(a) << 16 | usize::from(b) << 8 | usize::from(c);
            if unread.len() < 9 + length {
                return;
            }
            unread.drain(..9 + length);
            self.frame(way, kind, flags, u32::from_be_bytes(id));
        }
    }

    fn frame(&mut self, way: Way, kind: u8, flags: u8, id: u32) {
        let ends = matches!(kind, DATA | HEADERS) && flags & END_STREAM != 0;
        if way == Way::Out && kind == HEADERS && id > self.newest {
            self.newest = id;
            self.open.insert(id);
        } else if kind == RST_STREAM || way == Way::Back && ends {
            self.open.remove(&id);
        }
    }
}
