//! Answers of HTTP/1.1, as far as a client needs them that sends its next request on the same connection.

use bytes::{Buf, BytesMut};

use super::answer::Answer;

/// How long the body of an answer is.
enum Length {
    Known(usize),
    Chunked,
    UntilClose,
}

/// What is written where, in an answer that comes in parts.
#[derive(Debug, Default)]
pub(crate) struct Reading {
    pub answer: Option<Answer>,
    /// Of a body that ends with the connection, no length is known.
    pub until_close: bool,
}

impl Reading {
    /// Takes what there is of one answer; true once that is whole.
    pub(crate) fn take(&mut self, incoming: &mut BytesMut) -> bool {
        let Some(end) = find(incoming, b"\r\n\r\n") else { return false };
        let answer = head(&incoming[..end]);
        let rest = &incoming[end + 4..];
        let taken = match length(&answer) {
            Length::Known(length) if rest.len() >= length => Some(length),
            Length::Chunked => find(rest, b"0\r\n\r\n").map(|at| at + 5),
            Length::Known(_) => None,
            Length::UntilClose => {
                self.until_close = true;
                None
            }
        };
        let body = rest[..taken.unwrap_or(rest.len())].to_vec();
        self.answer = Some(Answer { body, whole: taken.is_some(), ..answer });
        if let Some(taken) = taken {
            incoming.advance(end + 4 + taken);
        }
        taken.is_some()
    }
}

fn find(bytes: &[u8], what: &[u8]) -> Option<usize> {
    bytes.windows(what.len()).position(|window| window == what)
}

fn head(bytes: &[u8]) -> Answer {
    let text = String::from_utf8_lossy(bytes);
    let mut lines = text.split("\r\n");
    let status = lines.next().and_then(|line| line.split(' ').nth(1)?.parse().ok()).unwrap_or(0);
    let field = |line: &str| {
        let (name, value) = line.split_once(':')?;
        Some((name.to_ascii_lowercase(), value.trim().to_owned()))
    };
    Answer { status, fields: lines.filter_map(field).collect(), ..Answer::default() }
}

/// RFC 9112, 6.3.
fn length(answer: &Answer) -> Length {
    match (answer.status, answer.field("transfer-encoding"), answer.field("content-length")) {
        (100..200 | 204 | 304, ..) => Length::Known(0),
        (_, Some(_), _) => Length::Chunked,
        (_, None, Some(length)) => length.parse().map_or(Length::UntilClose, Length::Known),
        (_, None, None) => Length::UntilClose,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_one_answer_after_the_other() {
        let two = "HTTP/1.1 404 Not Found\r\nContent-Length: 2\r\n\r\nnoHTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n\r\n";
        let mut incoming = BytesMut::from(two);
        let mut first = Reading::default();
        assert!(first.take(&mut incoming));
        let answer = first.answer.unwrap();
        assert_eq!(
            (answer.status, answer.body.as_slice(), answer.field("content-length")),
            (404, &b"no"[..], Some("2"))
        );
        let mut second = Reading::default();
        assert!(second.take(&mut incoming) && incoming.is_empty());
        assert_eq!(second.answer.unwrap().status, 200);
    }

    #[test]
    fn waits_for_what_is_missing() {
        let whole = "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello";
        for length in 0..whole.len() {
            assert!(!Reading::default().take(&mut BytesMut::from(&whole[..length])), "{length}");
        }
        let mut reading = Reading::default();
        assert!(!reading.take(&mut BytesMut::from("HTTP/1.0 200 OK\r\n\r\nhello")) && reading.until_close);
    }
}
