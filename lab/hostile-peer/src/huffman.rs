//! The letters of a header block that are written short (RFC 7541, appendix B).
//!
//! The code is canonical: how long each letter's code is says what it is. Only the codes of printable ASCII are here, and of
//! NUL, which stands between them: a header holds nothing else.

/// A number of bits, and the letters whose codes have that many, in the order of their codes.
const CODES: [(u8, &[u8]); 11] = [
    (5, b"012aceiost"),
    (6, b" %-./3456789=A_bdfghlmnpru"),
    (7, b":BCDEFGHIJKLMNOPQRSTUVWYjkqvwxyz"),
    (8, b"&*,;XZ"),
    (10, b"!\"()?"),
    (11, b"'+|"),
    (12, b"#>"),
    (13, b"\0$@[]~"),
    (14, b"^}"),
    (15, b"<`{"),
    (19, b"\\"),
];

/// Reads it. None: a code that no header has.
pub(crate) fn read(coded: &[u8]) -> Option<Vec<u8>> {
    let mut text = Vec::new();
    let mut code = 0_u32;
    let mut length = 0_u8;
    for bit in coded.iter().flat_map(|byte| (0..8).rev().map(move |at| u32::from(byte >> at & 1))) {
        code = code << 1 | bit;
        length += 1;
        if let Some(letter) = letter(code, length) {
            text.push(letter);
            code = 0;
            length = 0;
        } else if length == 30 {
            return None;
        }
    }
    // What is left is filled up with ones, less than a byte of them.
    (length < 8 && code + 1 == 1 << length).then_some(text)
}

fn letter(code: u32, length: u8) -> Option<u8> {
    let mut first = 0_u32;
    let mut bits = 0_u8;
    for (more, letters) in CODES {
        first <<= more - bits;
        bits = more;
        if bits == length {
            return code.checked_sub(first).and_then(|index| letters.get(index as usize).copied());
        }
        first += letters.len() as u32;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_the_examples_of_rfc_7541() {
        for (coded, text) in [
            (&b"\xf1\xe3\xc2\xe5\xf2\x3a\x6b\xa0\xab\x90\xf4\xff"[..], "www.example.com"),
            (b"\xa8\xeb\x10\x64\x9c\xbf", "no-cache"),
            (b"\x25\xa8\x49\xe9\x5b\xb8\xe8\xb4\xbf", "custom-value"),
            (
                b"\xd0\x7a\xbe\x94\x10\x54\xd4\x44\xa8\x20\x05\x95\x04\x0b\x81\x66\xe0\x82\xa6\x2d\x1b\xff",
                "Mon, 21 Oct 2013 20:13:21 GMT",
            ),
        ] {
            assert_eq!(read(coded).as_deref(), Some(text.as_bytes()), "{text}");
        }
    }

    #[test]
    fn has_a_code_for_every_printable_letter_once() {
        let mut letters: Vec<u8> = CODES.iter().flat_map(|(_, letters)| letters.iter().copied()).collect();
        letters.sort_unstable();
        assert_eq!(letters, [0].into_iter().chain(b' '..=b'~').collect::<Vec<_>>());
    }

    #[test]
    fn gives_up_on_a_code_that_no_header_has_and_on_bad_filling() {
        assert_eq!(read(b"\xff\xff\xff\xff"), None);
        assert_eq!(read(b"\x00\x00"), None);
        assert_eq!(read(b""), Some(Vec::new()));
    }
}
