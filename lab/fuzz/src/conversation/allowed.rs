//! What a server may answer, whatever it is asked: its codes, and HTTP/2 that is well-formed.

use std::collections::HashSet;

use super::{
    frame::{CONTINUATION, DATA, END_STREAM, GOAWAY, HEADERS, PING, PREFACE, RST_STREAM, SETTINGS, WINDOW_UPDATE},
    noted::Answer,
};

/// OK, and what the contract has for bad requests; health knows NOT_FOUND. Of UNKNOWN only a panic is the cause.
const GRPC: [&str; 8] = ["0", "3", "4", "5", "8", "12", "13", "14"];
const HTTP: [u16; 14] = [200, 400, 404, 405, 408, 413, 415, 429, 431, 500, 501, 503, 504, 505];

/// What of the answers is not allowed.
pub fn answers(answers: &[Answer]) -> Vec<String> {
    let is_allowed = |answer: &&Answer| {
        HTTP.contains(&answer.http) && answer.grpc.as_ref().is_none_or(|code| GRPC.contains(&code.as_str()))
    };
    answers.iter().filter(|answer| !is_allowed(answer)).map(|answer| format!("{answer:?}")).collect()
}

/// What of the bytes that came back is not allowed, given what was said.
pub fn bytes(said: &[u8], heard: &[u8]) -> Vec<String> {
    if heard.is_empty() {
        return Vec::new();
    }
    if said.starts_with(PREFACE) { http2(heard) } else { http1(heard) }
}

fn http1(heard: &[u8]) -> Vec<String> {
    let line = heard.split(|byte| *byte == b'\r').next().unwrap_or_default();
    let status =
        line.get(9..12).and_then(|digits| std::str::from_utf8(digits).ok()).and_then(|digits| digits.parse().ok());
    // HTTP/2 said so late that its preface was taken for a request.
    let allowed = line.starts_with(b"HTTP/1.") && status.is_some_and(|status| HTTP.contains(&status) || status == 100);
    if allowed { Vec::new() } else { vec![format!("answered {}", line.escape_ascii())] }
}

/// The last frame may be cut: so is a connection whose peer is given up.
fn http2(mut heard: &[u8]) -> Vec<String> {
    let (mut wrong, mut ended, mut is_first) = (Vec::new(), HashSet::new(), true);
    while let [a, b, c, kind, flags, s, t, u, v, rest @ ..] = heard {
        let length = usize::from(*a) << 16 | usize::from(*b) << 8 | usize::from(*c);
        let stream = u32::from_be_bytes([*s, *t, *u, *v]);
        let payload = rest.get(..length).unwrap_or(rest);
        let whole = payload.len() == length;
        if std::mem::take(&mut is_first) && *kind != SETTINGS {
            wrong.push(format!("begins with frame {kind}"));
        }
        let code = match *kind {
            RST_STREAM if whole => payload.get(..4),
            GOAWAY if whole => payload.get(4..8),
            DATA | HEADERS | CONTINUATION | SETTINGS | PING | WINDOW_UPDATE | RST_STREAM | GOAWAY => Some(&[0; 4][..]),
            _ => None,
        };
        if code.is_none_or(|code| code[..3] != [0; 3] || code[3] > 13) {
            wrong.push(format!("frame {kind} with {}", payload.escape_ascii()));
        }
        if matches!(*kind, DATA | HEADERS) && (stream % 2 == 0 || ended.contains(&stream)) {
            wrong.push(format!("frame {kind} on stream {stream}, which has ended"));
        }
        if matches!(*kind, DATA | HEADERS) && flags & END_STREAM != 0 {
            ended.insert(stream);
        }
        if *kind == HEADERS && whole {
            wrong
                .extend(status(payload).filter(|status| !HTTP.contains(status)).map(|status| format!("HTTP {status}")));
        }
        heard = rest.get(length..).unwrap_or_default();
    }
    wrong
}

/// `:status`, where the block begins with it and no table is needed that was filled before. Source: RFC 7541, 6 and B.
fn status(block: &[u8]) -> Option<u16> {
    const INDEXED: [u16; 7] = [200, 204, 206, 304, 400, 404, 500];
    match block {
        [index @ 0x88..=0x8e, ..] => Some(INDEXED[usize::from(index - 0x88)]),
        [0x08 | 0x18 | 0x48, 3, digits @ ..] => std::str::from_utf8(digits.get(..3)?).ok()?.parse().ok(),
        [0x08 | 0x18 | 0x48, length @ 0x82..=0x83, coded @ ..] => digits(coded.get(..usize::from(length - 0x80))?),
        _ => None,
    }
}

/// Three digits in Huffman's code: 0, 1 and 2 have five bits, the others six.
fn digits(coded: &[u8]) -> Option<u16> {
    let mut bits = coded.iter().flat_map(|byte| (0..8).rev().map(move |at| u16::from(byte >> at & 1)));
    let mut take = |count| (0..count).try_fold(0, |value, _| Some(value << 1 | bits.next()?));
    let mut number = 0;
    for _ in 0..3 {
        let five = take(5)?;
        let digit = if five < 3 { five } else { (five << 1 | take(1)?) - 0x16 };
        number = number * 10 + digit;
    }
    Some(number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_the_status_however_it_is_written() {
        for (block, expected) in [
            (&[0x88][..], Some(200)),
            (&[0x48, 3, b'4', b'1', b'5'], Some(415)),
            // 302, as RFC 7541, C.6.1 has it.
            (&[0x48, 0x82, 0x64, 0x02], Some(302)),
            (&[0xbf], None),
        ] {
            assert_eq!(status(block), expected, "{block:?}");
        }
    }

    #[test]
    fn finds_what_is_not_allowed() {
        assert_eq!(answers(&[Answer { http: 200, grpc: Some("0".into()) }, Answer { http: 404, grpc: None }]).len(), 0);
        assert_eq!(answers(&[Answer { http: 200, grpc: Some("2".into()) }, Answer { http: 418, grpc: None }]).len(), 2);
        let settings = [0, 0, 0, SETTINGS, 0, 0, 0, 0, 0];
        let end = [0, 0, 1, HEADERS, 5, 0, 0, 0, 1, 0x88];
        assert_eq!(http2(&[&settings[..], &end].concat()), Vec::<String>::new());
        for bad in
            [&end[..], &[&settings[..], &end, &end].concat(), &[&settings[..], &[0, 0, 0, 5, 0, 0, 0, 0, 1]].concat()]
        {
            assert_eq!(http2(bad).len(), 1, "{bad:?}");
        }
        assert_eq!(http1(b"HTTP/1.1 418 x\r\n").len() + http1(b"garbage").len(), 2);
    }
}
