//! Which calls are open on a wire, by the frames that have passed: what the peer knows of them.

use std::collections::BTreeSet;

use bytes::{Buf, BytesMut};
use hostile_peer::frame::{self, DATA, END_STREAM, Frame, HEADERS, PREFACE, RST_STREAM};

use super::draw::Way;

/// The calls that the client has begun and neither side has ended.
#[derive(Default)]
pub struct Streams {
    out: BytesMut,
    greeted: bool,
    back: BytesMut,
    newest: u32,
    pub open: BTreeSet<u32>,
}

impl Streams {
    pub fn follow(&mut self, way: Way, bytes: &[u8]) {
        let unread = if way == Way::Out { &mut self.out } else { &mut self.back };
        unread.extend_from_slice(bytes);
        if way == Way::Out && !self.greeted && unread.len() >= PREFACE.len() {
            self.greeted = true;
            unread.advance(PREFACE.len());
        }
        while way == Way::Back || self.greeted {
            let unread = if way == Way::Out { &mut self.out } else { &mut self.back };
            // What is no frame opens and ends no call.
            let Ok(Some(frame)) = frame::take(unread) else { return };
            self.frame(way, &frame);
        }
    }

    fn frame(&mut self, way: Way, frame: &Frame) {
        let Frame { kind, flags, stream, .. } = *frame;
        let ends = matches!(kind, DATA | HEADERS) && flags & END_STREAM != 0;
        if way == Way::Out && kind == HEADERS && stream > self.newest {
            self.newest = stream;
            self.open.insert(stream);
        } else if kind == RST_STREAM || way == Way::Back && ends {
            self.open.remove(&stream);
        }
    }
}
