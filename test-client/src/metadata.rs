//! Metadata as it is shown: every value of every key, as text.

use std::collections::BTreeMap;

use http::{HeaderMap, HeaderName, HeaderValue};
use serde_json::{Map, Value, json};

/// The values of `name` in their order. One field of a binary key may hold several values, with commas between them (gRPC over
/// HTTP/2, "Custom-Metadata"); these are base64 with its padding, which may be missing on the wire.
pub fn values(metadata: &HeaderMap, name: &HeaderName) -> Vec<String> {
    let fields = metadata.get_all(name).iter();
    match name.as_str().ends_with("-bin") {
        true => fields.flat_map(|field| text(field).split(',').map(padded).collect::<Vec<_>>()).collect(),
        false => fields.map(text).collect(),
    }
}

/// As an object in the order of its keys: a string for a key that came once, an array of strings for one that came several times.
pub fn object(metadata: &HeaderMap) -> Value {
    let value = |name| match <[String; 1]>::try_from(values(metadata, name)) {
        Ok([value]) => json!(value),
        Err(values) => json!(values),
    };
    keys(metadata).into_iter().map(|(key, name)| (key.to_owned(), value(name))).collect::<Map<_, _>>().into()
}

/// As lines `key: value` in the order of the keys, one for each value.
pub fn lines(metadata: &HeaderMap) -> Vec<String> {
    let of_key = |name| values(metadata, name).into_iter().map(move |value| format!("{name}: {value}"));
    keys(metadata).into_values().flat_map(of_key).collect()
}

fn keys(metadata: &HeaderMap) -> BTreeMap<&str, &HeaderName> {
    metadata.keys().map(|name| (name.as_str(), name)).collect()
}

fn text(value: &HeaderValue) -> String {
    value.to_str().map_or_else(|_| value.as_bytes().escape_ascii().to_string(), str::to_owned)
}

/// What is not base64 stays as it is.
fn padded(text: &str) -> String {
    let text = text.trim();
    let digits = text.trim_end_matches('=');
    let plain = |b: u8| b.is_ascii_alphanumeric() || b == b'+' || b == b'/';
    let missing = match digits.len() % 4 {
        _ if !digits.bytes().all(plain) => return text.to_owned(),
        1 => return text.to_owned(),
        0 => 0,
        n => 4 - n,
    };
    format!("{digits}{}", "=".repeat(missing))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn metadata(fields: &[(&'static str, &[u8])]) -> HeaderMap {
        let mut metadata = HeaderMap::new();
        for (name, value) in fields {
            metadata.append(*name, HeaderValue::from_bytes(value).unwrap());
        }
        metadata
    }

    #[test]
    fn is_a_string_of_one_value_and_an_array_of_several() {
        let metadata = metadata(&[("b", b"1"), ("a", b"1"), ("b", b"2, 3"), ("c", b"caf\xe9")]);
        let expected = json!({"a": "1", "b": ["1", "2, 3"], "c": "caf\\xe9"});
        assert_eq!(object(&metadata), expected);
        assert_eq!(lines(&metadata), ["a: 1", "b: 1", "b: 2, 3", "c: caf\\xe9"]);
        assert_eq!(object(&HeaderMap::new()), json!({}));
    }

    #[test]
    fn is_padded_base64_where_the_key_is_binary() {
        for (field, value) in [
            (&b"3q2+7w"[..], json!("3q2+7w==")),
            (b"3q2+7w==", json!("3q2+7w==")),
            (b"AAH/", json!("AAH/")),
            (b"", json!("")),
            (b"AQ,Ag", json!(["AQ==", "Ag=="])),
            (b"AQ==, Ag==", json!(["AQ==", "Ag=="])),
            (b"*** no ***", json!("*** no ***")),
            (b"AAAAA", json!("AAAAA")),
        ] {
            assert_eq!(object(&metadata(&[("x-bin", field)]))["x-bin"], value);
        }
    }
}
