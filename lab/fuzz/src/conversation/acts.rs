//! What a peer does over HTTP/2, one thing after the other: calls, good ones and bad ones, and all that goes with them.

use std::iter;

use rand::{RngExt, rngs::StdRng};

use super::frame::{
    CONTINUATION, DATA, END_HEADERS, END_STREAM, Frame, GOAWAY, HEADERS, PADDED, PING, PREFACE, PRIORITY, RST_STREAM,
    SETTINGS, WINDOW_UPDATE, field,
};

/// The preface and SETTINGS.
pub fn greeting(random: &mut StdRng) -> Vec<u8> {
    let settings = if random.random_ratio(7, 8) { Vec::new() } else { settings(random) };
    [PREFACE.to_vec(), Frame::new(SETTINGS, 0, 0, settings).bytes()].concat()
}

/// What follows it.
pub fn frames(random: &mut StdRng) -> Vec<Frame> {
    let (mut frames, mut stream) = (Vec::new(), 1);
    for _ in 0..random.random_range(1..6) {
        match random.random_range(0..200) {
            0..160 => {
                frames.extend(call(stream, random));
                stream += 2;
            }
            160 => frames.extend(flood(stream, random)),
            _ => frames.push(other(stream.saturating_sub(2).max(1), random)),
        }
    }
    frames
}

/// A request that may be whole, and may be right.
fn call(stream: u32, random: &mut StdRng) -> Vec<Frame> {
    let (block, body) = (headers(random), body(random));
    let no_body = random.random_ratio(1, 10);
    let mut frames = block_frames(stream, &block, if no_body { END_STREAM } else { 0 }, random);
    if no_body {
        return frames;
    }
    let cut = random.random_range(0..=body.len());
    let cut = if random.random() { body.len() } else { cut };
    if cut < body.len() {
        frames.push(Frame::new(DATA, 0, stream, &body[..cut]));
    }
    match random.random_range(0..20) {
        // Never finished.
        0 => {}
        1 => frames.push(Frame::new(RST_STREAM, 0, stream, [0, 0, 0, random.random_range(0..15)])),
        2 => frames.push(Frame::new(DATA, END_STREAM | PADDED, stream, [&[2][..], &body, &[0, 0]].concat())),
        3 => {
            frames.push(Frame::new(DATA, 0, stream, body));
            frames.extend(block_frames(stream, &field("x-trailer", b"1"), END_STREAM, random));
        }
        _ => frames.push(Frame::new(DATA, END_STREAM, stream, &body[if cut < body.len() { cut } else { 0 }..])),
    }
    frames
}

/// A header block in one frame or several.
fn block_frames(stream: u32, block: &[u8], flags: u8, random: &mut StdRng) -> Vec<Frame> {
    // As much as a frame may hold (RFC 9113, 4.2).
    let most = if random.random_ratio(1, 8) { random.random_range(1..64) } else { 16_384 };
    let mut chunks = block.chunks(most).peekable();
    let kinds = iter::once((HEADERS, flags)).chain(iter::repeat((CONTINUATION, 0)));
    let mut frames = Vec::new();
    for (kind, flags) in kinds {
        let Some(chunk) = chunks.next() else { break };
        let end = if chunks.peek().is_none() { END_HEADERS } else { 0 };
        frames.push(Frame::new(kind, flags | end, stream, chunk));
    }
    frames
}

fn headers(random: &mut StdRng) -> Vec<u8> {
    // POST or GET, http: of the static table (RFC 7541, appendix A).
    let mut block = vec![if random.random_ratio(1, 8) { 0x82 } else { 0x83 }, 0x86];
    let paths = ["/hello.v1.Greeter/Hello"; 14].into_iter().chain([
        "/hello.v1.Greeter/Nope",
        "/hello?name=you",
        "/hello?name=%FF",
        "/",
        "/grpc.health.v1.Health/Check",
        "/grpc.health.v1.Health/Watch",
        "/grpc.health.v1.Health/List",
    ]);
    let paths: Vec<_> = paths.collect();
    block.extend(field(":path", paths[random.random_range(0..paths.len())].as_bytes()));
    block.extend(field(":authority", b"a"));
    if random.random_ratio(7, 8) {
        block.extend(field("content-type", b"application/grpc"));
    }
    let more: [(&str, &[u8], u32); 12] = [
        ("te", b"trailers", 2),
        ("grpc-timeout", b"1S", 4),
        ("grpc-timeout", b"0n", 16),
        ("grpc-timeout", b"abc", 16),
        ("grpc-encoding", b"snappy", 16),
        ("x-request-id", b"abc", 8),
        ("rpc-behavior", b"sleep-1", 16),
        ("content-length", b"10", 16),
        // These HTTP/2 does not allow.
        ("content-length", b"8", 64),
        ("connection", b"close", 64),
        ("Upper", b"x", 64),
        (":path", b"/again", 64),
    ];
    for (name, value, seldom) in more {
        if random.random_ratio(1, seldom) {
            block.extend(field(name, value));
        }
    }
    if random.random_ratio(1, 100) {
        // Around 16 and 32 KiB the answers change.
        let size = [15_000, 17_000, 31_000, 34_000, 100_000][random.random_range(0..5)];
        (0..size / 5_000).for_each(|_| block.extend(field("x-big", &[b'x'; 5_000])));
    }
    block
}

fn body(random: &mut StdRng) -> Vec<u8> {
    if random.random() {
        return b"\0\0\0\0\x05\n\x03you".to_vec();
    }
    let bodies: [&[u8]; 8] = [
        b"\0\0\0\0\0",
        b"",
        b"\0\0\0\0\x01",
        b"\x01\0\0\0\0",
        b"\x07\0\0\0\0",
        b"\0\0\0\0\x03\n\x05a",
        b"\0\0\0\0\0\0\0\0\0\0",
        b"\0\0\x01\0\0",
    ];
    bodies[random.random_range(0..bodies.len())].to_vec()
}

fn settings(random: &mut StdRng) -> Vec<u8> {
    let values = [0, 1, 10, 4096, 16_384, 65_535, 0x7fff_ffff, u32::MAX];
    let one = |random: &mut StdRng| {
        let (key, value) = (random.random_range(0..9_u16), values[random.random_range(0..values.len())]);
        [&key.to_be_bytes()[..], &value.to_be_bytes()].concat()
    };
    (0..random.random_range(1..4)).flat_map(|_| one(random)).collect()
}

/// Whatever else there is.
fn other(stream: u32, random: &mut StdRng) -> Frame {
    let on = if random.random() { stream } else { 0 };
    match random.random_range(0..10) {
        0 => Frame::new(PING, random.random_range(0..2), 0, *b"12345678"),
        1 => Frame::new(SETTINGS, 1, 0, []),
        2 => Frame::new(SETTINGS, 0, 0, settings(random)),
        3 => Frame::new(WINDOW_UPDATE, 0, on, [0, 0, random.random(), 1]),
        4 => Frame::new(WINDOW_UPDATE, 0, on, [0x7f, 0xff, 0xff, 0xff]),
        5 => Frame::new(RST_STREAM, 0, stream, [0, 0, 0, random.random_range(0..15)]),
        6 => Frame::new(GOAWAY, 0, 0, [0; 8]),
        7 => Frame::new(PRIORITY, 0, stream, [0, 0, 0, 0, 16]),
        8 => Frame::new(DATA, random.random_range(0..2), stream + 2, [0; 5]),
        _ => Frame::new(random.random(), random.random(), on, [0; 4]),
    }
}

/// The same thing too often.
fn flood(stream: u32, random: &mut StdRng) -> Vec<Frame> {
    let frame = other(stream, random);
    let reset = || [headers_only(stream), Frame::new(RST_STREAM, 0, stream, [0, 0, 0, 8])];
    match random.random() {
        true => vec![frame; 2_000],
        false => (0..1_000).flat_map(|at| reset().map(|frame| Frame { stream: stream + 2 * at, ..frame })).collect(),
    }
}

fn headers_only(stream: u32) -> Frame {
    let block = [vec![0x83, 0x86, 0x84], field(":authority", b"a")].concat();
    Frame::new(HEADERS, END_HEADERS, stream, block)
}
