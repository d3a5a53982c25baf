//! Inputs as text, so that a repository can keep them: one a line, `\n`, `\r`, `\\` and `\x00` for what is no text.

/// The inputs of a file; a line that begins with `#` says something about those below it.
pub fn inputs(text: &str) -> Vec<Vec<u8>> {
    text.lines().filter(|line| !line.starts_with('#')).map(unescape).collect()
}

/// Words between spaces, written in the same way.
pub fn words(text: &str) -> Vec<Vec<u8>> {
    text.split_whitespace().map(unescape).collect()
}

/// One line for an input.
pub fn line(input: &[u8]) -> String {
    let line = input.escape_ascii().to_string().replace("\\'", "'").replace("\\\"", "\"");
    // Else it would be taken for a remark.
    line.strip_prefix('#').map_or(line.clone(), |rest| format!("\\x23{rest}"))
}

fn unescape(text: &str) -> Vec<u8> {
    let (mut bytes, mut rest) = (Vec::new(), text.as_bytes());
    while let [first, after @ ..] = rest {
        let (byte, after) = match (first, after) {
            (b'\\', [b'n', after @ ..]) => (b'\n', after),
            (b'\\', [b'r', after @ ..]) => (b'\r', after),
            (b'\\', [b't', after @ ..]) => (b'\t', after),
            (b'\\', [b'\\', after @ ..]) => (b'\\', after),
            (b'\\', [b'x', high, low, after @ ..]) => (hex(*high) << 4 | hex(*low), after),
            _ => (*first, after),
        };
        bytes.push(byte);
        rest = after;
    }
    bytes
}

fn hex(digit: u8) -> u8 {
    let value = char::from(digit).to_digit(16).expect("a hex digit after \\x");
    u8::try_from(value).expect("below 16")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_back_what_it_writes() {
        let all: Vec<u8> = (0..=255).collect();
        for input in [&all[..], b"", b"# no remark", b"\\x41", b"'\"", b"\r\n\t"] {
            assert_eq!(inputs(&format!("# a remark\n{}\n", line(input))), [input.to_vec()]);
        }
        assert_eq!(words(r"%20 \x20 a"), [b"%20".to_vec(), b" ".to_vec(), b"a".to_vec()]);
    }
}
