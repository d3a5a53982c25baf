//! What reads bytes of strangers, each with what must hold whatever they are.

mod answer;
mod behavior;
mod frames;
mod framing;
mod gzip;
mod identity;
mod percent;
mod pushback;
mod query;
mod request;
mod text;
mod timeout;
mod wire;

/// Something that reads what others wrote.
#[derive(Clone, Copy)]
pub struct Target {
    /// Also the name of its corpus.
    pub name: &'static str,
    /// The inputs to begin with, one a line.
    pub corpus: &'static str,
    /// Words that mean something to it.
    pub words: &'static str,
    /// Panics where something does not hold; tells whether the input was taken, and not refused.
    pub holds: fn(&[u8]) -> bool,
}

macro_rules! targets {
    ($($name:ident),*) => {
        [$(Target {
            name: stringify!($name),
            corpus: include_str!(concat!("../../corpus/", stringify!($name), ".txt")),
            words: $name::WORDS,
            holds: $name::holds,
        }),*]
    };
}

/// All of them.
pub const TARGETS: [Target; 12] =
    targets![timeout, percent, query, framing, frames, wire, behavior, identity, pushback, request, answer, gzip];

pub use framing::LIMIT;

/// The same bytes in pieces: whole, each by itself, and of sizes that they say themselves.
fn cuts(bytes: &[u8]) -> [Vec<&[u8]>; 3] {
    let (mut uneven, mut rest) = (Vec::new(), bytes);
    while let [first, ..] = rest {
        let (piece, after) = rest.split_at(rest.len().min(1 + usize::from(first % 16)));
        uneven.push(piece);
        rest = after;
    }
    [vec![bytes], bytes.chunks(1).collect(), uneven]
}
