//! Header blocks of the other side, read (RFC 7541): what an answer's status is stands in one.

use std::collections::VecDeque;

use crate::huffman;

/// Names and values, in the order in which they came.
pub(crate) type Read = Vec<(String, String)>;

/// What both sides start with (RFC 9113, 6.5.2), and what a client that says nothing of it keeps.
const TABLE_SIZE: usize = 4096;
/// What a field counts besides its letters (RFC 7541, 4.1).
const OVERHEAD: usize = 32;

/// What one side of a connection remembers of the header blocks before.
#[derive(Debug, Default)]
pub(crate) struct Decoder {
    /// The newest first.
    remembered: VecDeque<(String, String)>,
}

impl Decoder {
    /// Reads a whole block. None: it is none.
    pub(crate) fn read(&mut self, mut block: &[u8]) -> Option<Read> {
        let mut fields = Read::new();
        while let Some(first) = block.first().copied() {
            match first {
                0x80.. => fields.push(self.field(integer(&mut block, 7)?)?),
                0x40..0x80 => {
                    let field = self.literal(&mut block, 6)?;
                    self.remember(field.clone());
                    fields.push(field);
                }
                // A new size of the table: a smaller one forgets fields, and an index of one of those names none.
                0x20..0x40 => drop(integer(&mut block, 5)?),
                _ => fields.push(self.literal(&mut block, 4)?),
            }
        }
        Some(fields)
    }

    fn literal(&self, block: &mut &[u8], prefix: u8) -> Option<(String, String)> {
        let name = match integer(block, prefix)? {
            0 => string(block)?,
            index => self.field(index)?.0,
        };
        Some((name, string(block)?))
    }

    fn field(&self, index: usize) -> Option<(String, String)> {
        match STATIC.get(index.checked_sub(1)?) {
            Some((name, value)) => Some(((*name).to_owned(), (*value).to_owned())),
            None => self.remembered.get(index - 1 - STATIC.len()).cloned(),
        }
    }

    fn remember(&mut self, field: (String, String)) {
        self.remembered.push_front(field);
        let size = |(name, value): &(String, String)| name.len() + value.len() + OVERHEAD;
        while self.remembered.iter().map(size).sum::<usize>() > TABLE_SIZE {
            self.remembered.pop_back();
        }
    }
}

/// RFC 7541, 5.1.
fn integer(block: &mut &[u8], prefix: u8) -> Option<usize> {
    let full = (1_usize << prefix) - 1;
    let mut value = usize::from(next(block)?) & full;
    if value < full {
        return Some(value);
    }
    for shift in [0, 7, 14, 21] {
        let byte = usize::from(next(block)?);
        value += (byte & 127) << shift;
        if byte < 128 {
            return Some(value);
        }
    }
    None
}

fn next(block: &mut &[u8]) -> Option<u8> {
    let (first, rest) = block.split_first()?;
    *block = rest;
    Some(*first)
}

/// RFC 7541, 5.2.
fn string(block: &mut &[u8]) -> Option<String> {
    let is_huffman = *block.first()? & 0x80 != 0;
    let length = integer(block, 7)?;
    let (text, rest) = block.split_at_checked(length)?;
    *block = rest;
    let text = if is_huffman { huffman::read(text)? } else { text.to_vec() };
    Some(String::from_utf8_lossy(&text).into_owned())
}

/// RFC 7541, appendix A.
#[rustfmt::skip]
const STATIC: [(&str, &str); 61] = [
    (":authority", ""), (":method", "GET"), (":method", "POST"), (":path", "/"), (":path", "/index.html"),
    (":scheme", "http"), (":scheme", "https"), (":status", "200"), (":status", "204"), (":status", "206"),
    (":status", "304"), (":status", "400"), (":status", "404"), (":status", "500"), ("accept-charset", ""),
    ("accept-encoding", "gzip, deflate"), ("accept-language", ""), ("accept-ranges", ""), ("accept", ""),
    ("access-control-allow-origin", ""), ("age", ""), ("allow", ""), ("authorization", ""), ("cache-control", ""),
    ("content-disposition", ""), ("content-encoding", ""), ("content-language", ""), ("content-length", ""),
    ("content-location", ""), ("content-range", ""), ("content-type", ""), ("cookie", ""), ("date", ""), ("etag", ""),
    ("expect", ""), ("expires", ""), ("from", ""), ("host", ""), ("if-match", ""), ("if-modified-since", ""),
    ("if-none-match", ""), ("if-range", ""), ("if-unmodified-since", ""), ("last-modified", ""), ("link", ""),
    ("location", ""), ("max-forwards", ""), ("proxy-authenticate", ""), ("proxy-authorization", ""), ("range", ""),
    ("referer", ""), ("refresh", ""), ("retry-after", ""), ("server", ""), ("set-cookie", ""),
    ("strict-transport-security", ""), ("transfer-encoding", ""), ("user-agent", ""), ("vary", ""), ("via", ""),
    ("www-authenticate", ""),
];

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(expected: &[(&str, &str)]) -> Option<Read> {
        Some(expected.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect())
    }

    #[test]
    fn reads_the_responses_of_rfc_7541_one_after_the_other() {
        // As in appendix C.6; the second block names what the first one has left behind.
        let first = b"\x48\x82\x64\x02\x58\x85\xae\xc3\x77\x1a\x4b";
        let second = b"\x48\x83\x64\x0e\xff\xbf";
        let mut decoder = Decoder::default();
        assert_eq!(decoder.read(first), fields(&[(":status", "302"), ("cache-control", "private")]));
        assert_eq!(decoder.read(second), fields(&[(":status", "307"), ("cache-control", "private")]));
    }

    #[test]
    fn forgets_the_oldest_when_the_table_is_full() {
        let mut decoder = Decoder::default();
        for n in 0..200 {
            decoder.remember((n.to_string(), String::new()));
        }
        assert_eq!(decoder.remembered.front().unwrap().0, "199");
        assert!(decoder.remembered.len() < TABLE_SIZE / OVERHEAD, "{}", decoder.remembered.len());
    }

    #[test]
    fn gives_up_on_what_is_no_block() {
        for garbage in [&b"\xff\xff\xff\xff\xff\xff"[..], b"\xff", b"\x80", b"\xfe", b"\x00\x05ab", b"\x40"] {
            assert_eq!(Decoder::default().read(garbage), None, "{garbage:?}");
        }
    }
}
