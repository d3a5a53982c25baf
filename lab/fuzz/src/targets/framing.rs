//! gRPC's framing: exactly one message, however its bytes are cut, and never more of it in memory than the limit.

use std::{cell::Cell, rc::Rc};

use bytes::Bytes;
use futures_util::{FutureExt, stream};
use http_body::Frame;
use http_body_util::StreamBody;
use tonic::Status;

use super::cuts;
use service_runtime::harness::{Encoding, FRAME_HEADER, Wrong, read_message};

pub const WORDS: &str =
    r"\x00 \x01 \x00\x00\x00\x00\x00 \x00\x00\x00\x00\x01a \x00\x00\x00\x00@ \x00\x00\x00\x00A \x01\x00\x00\x00\x00";

/// Of a message, without its header.
pub const LIMIT: usize = 64;

pub fn holds(input: &[u8]) -> bool {
    let expected = one(input);
    for pieces in cuts(input) {
        assert_eq!(read(&pieces), expected, "in {} pieces", pieces.len());
    }
    expected.is_ok()
}

fn read(pieces: &[&[u8]]) -> Result<Vec<u8>, &'static str> {
    let held = Rc::new(Cell::new(0));
    let frames = pieces.iter().map(|piece| {
        assert!(held.get() <= LIMIT + FRAME_HEADER, "{} bytes, and it asks for more", held.get());
        held.set(held.get() + piece.len());
        Ok::<_, Status>(Frame::data(Bytes::copy_from_slice(piece)))
    });
    let body = StreamBody::new(stream::iter(frames));
    let read = async { read_message(body, LIMIT, Encoding::Identity).await?.message().0 };
    let read = read.now_or_never().expect("there is nothing to wait for");
    read.map(|message| message.to_vec()).map_err(|wrong| word(&wrong))
}

fn word<E>(wrong: &Wrong<E>) -> &'static str {
    match wrong {
        Wrong::Missing => "missing",
        Wrong::Second => "second",
        Wrong::CutShort => "cut short",
        Wrong::Compressed => "compressed",
        Wrong::BadFlag => "bad flag",
        Wrong::TooLarge => "too large",
        Wrong::Failed(_) => "failed",
    }
}

/// What the whole body is. Source: gRPC over HTTP/2, "Length-Prefixed-Message".
pub fn one(body: &[u8]) -> Result<Vec<u8>, &'static str> {
    let [flag, a, b, c, d, message @ ..] = body else {
        return Err(if body.is_empty() { "missing" } else { "cut short" });
    };
    let length = [a, b, c, d].iter().fold(0, |length, byte| length * 256 + u64::from(**byte));
    match flag {
        0 if length > LIMIT as u64 => Err("too large"),
        0 if length > message.len() as u64 => Err("cut short"),
        0 if length < message.len() as u64 => Err("second"),
        0 => Ok(body.to_vec()),
        1 => Err("compressed"),
        _ => Err("bad flag"),
    }
}
