//! What a peer says, drawn from a number: mostly what a peer may say, then changed a little, or not at all.

use std::{sync::LazyLock, time::Duration};

use rand::{RngExt, SeedableRng, rngs::StdRng};

use super::{acts, frame::Frame};
use crate::mutate::Mutator;

/// One connection from the peer's side.
#[derive(Debug)]
pub struct Conversation {
    /// Bytes, and the pause after them.
    pub said: Vec<(Vec<u8>, Duration)>,
    pub end: End,
    /// How many bytes may be under way; fewer make the server wait.
    pub window: usize,
}

/// What the peer does once it has said all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// Says that there is no more, and takes what comes.
    Closes,
    /// Is gone.
    Vanishes,
    /// Says nothing any more, and takes what comes.
    Listens,
    /// Neither says nor takes anything.
    Freezes,
}

/// With fewer bytes under way, whatever the server says waits for its peer.
pub const NARROW: usize = 512;

/// Beyond this, bytes are not changed one by one: it is a big header or a flood, whose point is its size.
const SMALL: usize = 4096;

/// Words of HTTP/1.1 and HTTP/2, and requests to begin with over HTTP/1.1.
static HTTP: LazyLock<Mutator> = LazyLock::new(|| {
    let words = r"\r\n \r\n\r\n GET POST /hello \x20HTTP/1.1 \x20HTTP/1.0 host:\x20x content-length:\x20 0 5 99999 -1 chunked \
        transfer-encoding:\x20chunked connection:\x20close expect:\x20100-continue upgrade:\x20h2c %FF \x00\x00\x00 \x00\x00\x04\x08\x00";
    Mutator::new(include_str!("../../corpus/http1.txt"), words)
});

impl Conversation {
    pub fn of(seed: u64) -> Self {
        let random = &mut StdRng::seed_from_u64(seed);
        let bytes = match random.random_range(0..100) {
            0..80 => http2(random),
            80..97 => (0..random.random_range(1..4)).flat_map(|_| HTTP.input(random.random())).collect(),
            _ => HTTP.garbage(random),
        };
        let end = match random.random_range(0..10) {
            0..5 => End::Closes,
            5..7 => End::Vanishes,
            7..9 => End::Listens,
            _ => End::Freezes,
        };
        let window = if random.random_ratio(1, 4) { random.random_range(16..NARROW) } else { 64 * 1024 };
        Conversation { said: pieces(&bytes, random), end, window }
    }
}

fn http2(random: &mut StdRng) -> Vec<u8> {
    let mut frames = acts::frames(random);
    if random.random_ratio(1, 3) {
        (0..random.random_range(1..4)).for_each(|_| change(&mut frames, random));
    }
    let greeting = acts::greeting(random);
    let mut bytes = [greeting, frames.iter().flat_map(Frame::bytes).collect()].concat();
    if bytes.len() < SMALL && random.random_ratio(1, 6) {
        (0..random.random_range(1..4)).for_each(|_| HTTP.change(&mut bytes, random));
    }
    bytes
}

/// Does something to one of the frames.
fn change(frames: &mut Vec<Frame>, random: &mut StdRng) {
    if frames.is_empty() {
        return;
    }
    let (at, other) = (random.random_range(0..frames.len()), random.random_range(0..frames.len()));
    match random.random_range(0..10) {
        0 => frames.insert(at, frames[other].clone()),
        1 => drop(frames.remove(at)),
        2 => frames.swap(at, other),
        3 => frames[at].flags ^= 1 << random.random_range(0..8),
        4 => frames[at].flags = random.random(),
        5 => frames[at].stream = [0, 1, 2, 3, 5, 99, u32::MAX >> 1, u32::MAX][random.random_range(0..8)],
        6 => frames[at].kind = random.random_range(0..12),
        7 => frames[at].says = Some([0, 1, 4, 9, 16384, 16385, 0x00ff_ffff][random.random_range(0..7)]),
        _ if frames[at].payload.len() < SMALL => HTTP.change(&mut frames[at].payload, random),
        _ => frames[at].payload.truncate(at),
    }
}

/// Cut anywhere, with a pause here and there.
fn pieces(mut bytes: &[u8], random: &mut StdRng) -> Vec<(Vec<u8>, Duration)> {
    let mut pieces = Vec::new();
    let cuts = if random.random() { 0 } else { random.random_range(1..5) };
    for _ in 0..cuts {
        let (piece, rest) = bytes.split_at(random.random_range(0..=bytes.len()));
        let pause = [0, 0, 1, 50, 5_000][random.random_range(0..5)];
        pieces.push((piece.to_vec(), Duration::from_millis(pause)));
        bytes = rest;
    }
    // Most wait for an answer, and a few longer than the server does for a request.
    let pause = [0, 1, 1, 1, 12_000][random.random_range(0..5)];
    pieces.push((bytes.to_vec(), Duration::from_millis(pause)));
    pieces
}
