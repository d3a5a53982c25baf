//! A query of a JSON request: either every pair of it can be decoded, or the request is refused.

use http::{Uri, uri::PathAndQuery};

use service_runtime::{harness::read_query, status::Refusal};

pub const WORDS: &str = r"msg= & = && %26 %3D %25 + %2B %C3%BC %FF % %2 # ? \xc3\xbc";

pub fn holds(input: &[u8]) -> bool {
    let Ok(path) = PathAndQuery::try_from(&[b"/echo?", input].concat()[..]) else { return false };
    let uri = Uri::from(path);
    let pairs = pairs(uri.query().unwrap_or("").as_bytes());
    match (read_query(&uri), pairs) {
        (Err(Refusal::BadQuery), None) => false,
        (Ok(query), Some(pairs)) => {
            for (key, _) in &pairs {
                let first = pairs.iter().find(|(other, _)| other == key).map(|(_, value)| value.as_str());
                assert_eq!(Some(query.text(key).as_str()), first, "{key}");
            }
            assert_eq!(
                query.text("no such key"),
                pairs.iter().find(|(key, _)| key == "no such key").map_or("", |(_, value)| value)
            );
            true
        }
        (read, pairs) => panic!("{:?} where {pairs:?} were meant", read.map(|_| ())),
    }
}

/// Keys and values, one byte after the other.
pub fn pairs(query: &[u8]) -> Option<Vec<(String, String)>> {
    let mut pairs = vec![(Vec::new(), None::<Vec<u8>>)];
    let (mut bytes, mut begun) = (query.iter(), false);
    while let Some(byte) = bytes.next() {
        let (key, value) = pairs.last_mut().expect("there is always one");
        match (byte, &value) {
            (b'&', _) if begun => {
                pairs.push((Vec::new(), None));
                begun = false;
                continue;
            }
            (b'&', _) => continue,
            (b'=', None) => *value = Some(Vec::new()),
            _ => {
                let decoded = match byte {
                    b'+' => b' ',
                    b'%' => 16 * digit(*bytes.next()?)? + digit(*bytes.next()?)?,
                    plain => *plain,
                };
                value.as_mut().unwrap_or(key).push(decoded);
            }
        }
        begun = true;
    }
    if !begun {
        pairs.pop();
    }
    let text = |bytes| String::from_utf8(bytes).ok();
    pairs.into_iter().map(|(key, value)| Some((text(key)?, text(value.unwrap_or_default())?))).collect()
}

fn digit(byte: u8) -> Option<u8> {
    char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok())
}
