//! Makes an input out of a number: one of the corpus, changed in a few places, or a few bytes out of nothing.

use rand::{Rng, RngExt, SeedableRng, rngs::StdRng};

use super::corpus;

/// Longer inputs find nothing more, and take longer.
const LONGEST: usize = 4096;

/// What parsers trip over.
const BYTES: &[u8] = b"\0\x01\x7f\x80\xff%+-:;,=&/ \t\r\n0919azAZ";
const NUMBERS: [&str; 12] = [
    "0",
    "-1",
    "00000000",
    "99999999",
    "999999999",
    "127",
    "256",
    "65536",
    "2147483648",
    "4294967296",
    "18446744073709551616",
    "1.5",
];
const LENGTHS: [u32; 10] = [0, 1, 5, 63, 64, 65, 0xffff, 0x7fff_ffff, 0x8000_0000, u32::MAX];

/// Knows what to begin with, and which words mean something to whoever reads the inputs.
pub struct Mutator {
    corpus: Vec<Vec<u8>>,
    words: Vec<Vec<u8>>,
}

impl Mutator {
    /// Both as `corpus` reads them.
    pub fn new(inputs: &str, words: &str) -> Self {
        Mutator { corpus: corpus::inputs(inputs), words: corpus::words(words) }
    }

    /// The input of this number, always the same.
    pub fn input(&self, seed: u64) -> Vec<u8> {
        let mut random = StdRng::seed_from_u64(seed);
        let mut input = self.begin(&mut random);
        // Most stay near to what is well-formed, where the branches are; some are changed beyond recognition.
        let changes = match random.random_range(0..8) {
            0..4 => 1,
            4..7 => random.random_range(2..5),
            _ => random.random_range(5..20),
        };
        for _ in 0..changes {
            self.change(&mut input, &mut random);
        }
        input.truncate(LONGEST);
        input
    }

    /// Changes bytes of any other kind in the same ways.
    pub fn change(&self, input: &mut Vec<u8>, random: &mut StdRng) {
        let at = random.random_range(0..=input.len());
        let end = (at + random.random_range(0..16)).min(input.len());
        match random.random_range(0..11) {
            0 => set(input, at, |byte, random| byte ^ 1 << random.random_range(0..8), random),
            1 => set(input, at, |_, random| pick(BYTES, random), random),
            2 => set(input, at, |byte, random| byte.wrapping_add(random.random_range(0..3)).wrapping_sub(1), random),
            3 => drop(input.splice(at..at, bytes(4, random))),
            4 => drop(input.splice(at..at, self.word(random))),
            5 => drop(input.splice(at..end, self.word(random))),
            6 => drop(input.drain(at..end)),
            7 => repeat(input, at, end, random),
            8 => self.splice(input, at, random),
            9 => number(input, at, random),
            _ => length(input, at, random),
        }
        input.truncate(LONGEST);
    }

    /// A few bytes out of nothing.
    pub fn garbage(&self, random: &mut StdRng) -> Vec<u8> {
        let garbage = bytes(64, random);
        if random.random() { garbage } else { [self.word(random), garbage].concat() }
    }

    fn begin(&self, random: &mut StdRng) -> Vec<u8> {
        match random.random_ratio(1, 16) {
            true => self.garbage(random),
            false => self.one(random),
        }
    }

    fn one(&self, random: &mut StdRng) -> Vec<u8> {
        if self.corpus.is_empty() { Vec::new() } else { self.corpus[random.random_range(0..self.corpus.len())].clone() }
    }

    fn word(&self, random: &mut StdRng) -> Vec<u8> {
        match self.words.is_empty() {
            true => bytes(4, random),
            false => self.words[random.random_range(0..self.words.len())].clone(),
        }
    }

    /// Goes on as another input does.
    fn splice(&self, input: &mut Vec<u8>, at: usize, random: &mut StdRng) {
        let other = self.one(random);
        input.truncate(at);
        input.extend(&other[random.random_range(0..=other.len())..]);
    }
}

fn pick<T: Copy>(all: &[T], random: &mut StdRng) -> T {
    all[random.random_range(0..all.len())]
}

fn bytes(most: usize, random: &mut StdRng) -> Vec<u8> {
    let mut bytes = vec![0; random.random_range(0..=most)];
    random.fill_bytes(&mut bytes);
    bytes
}

fn set(input: &mut [u8], at: usize, change: impl Fn(u8, &mut StdRng) -> u8, random: &mut StdRng) {
    if let Some(byte) = input.get_mut(at) {
        *byte = change(*byte, random);
    }
}

fn repeat(input: &mut Vec<u8>, at: usize, end: usize, random: &mut StdRng) {
    let times = if random.random_ratio(1, 16) { 64 } else { random.random_range(1..4) };
    let again = input[at..end].repeat(times);
    input.splice(at..at, again);
}

/// Puts another number where there is one.
fn number(input: &mut Vec<u8>, at: usize, random: &mut StdRng) {
    let digit = |byte: &u8| byte.is_ascii_digit();
    let Some(begin) = input.iter().skip(at).position(digit).map(|skipped| at + skipped) else { return };
    let end = input[begin..].iter().position(|byte| !digit(byte)).map_or(input.len(), |length| begin + length);
    input.splice(begin..end, pick(&NUMBERS, random).bytes());
}

/// Puts a length, as gRPC and HTTP/2 write them.
fn length(input: &mut [u8], at: usize, random: &mut StdRng) {
    let left = u32::try_from(input.len().saturating_sub(at + 4)).unwrap_or(u32::MAX);
    let length = if random.random() { left } else { pick(&LENGTHS, random) };
    if let Some(place) = input.get_mut(at..at + 4) {
        place.copy_from_slice(&length.to_be_bytes());
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn makes_the_same_input_of_the_same_seed_and_others_of_others() {
        let mutator = Mutator::new("hello\n12345", "%20 world");
        let inputs: Vec<_> = (0..1_000).map(|seed| mutator.input(seed)).collect();
        assert!((0..1_000).all(|seed| mutator.input(seed) == inputs[usize::try_from(seed).unwrap()]));
        assert!(inputs.iter().all(|input| input.len() <= LONGEST));
        assert!(inputs.iter().collect::<HashSet<_>>().len() > 500);
    }
}
