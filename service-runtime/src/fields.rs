//! Header fields that come more than once: which of them are lists, and which must not be (RFC 9110, 5.3).

use http::{HeaderMap, HeaderValue, header::AsHeaderName};

/// A field that has one value by its specification, and has come several times: whoever reads the first of them, and whoever
/// reads the last, understand something else.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Repeated;

/// The value of a field that has one; `None` where it is absent.
pub fn single(headers: &HeaderMap, name: impl AsHeaderName) -> Result<Option<&HeaderValue>, Repeated> {
    let mut values = headers.get_all(name).iter();
    let first = values.next();
    if values.next().is_some() { Err(Repeated) } else { Ok(first) }
}

/// The values of a field that is a list, in order, as the one field that means the same; `None` where it is absent.
pub fn list(headers: &HeaderMap, name: impl AsHeaderName) -> Option<HeaderValue> {
    let all = headers.get_all(name);
    let mut values = all.iter();
    let first = values.next()?;
    if values.next().is_none() {
        return Some(first.clone());
    }
    let values: Vec<&[u8]> = all.iter().map(HeaderValue::as_bytes).collect();
    // Values that were read from a header make a value again.
    HeaderValue::from_bytes(&values.join(&b", "[..])).ok()
}

/// A value that does not come again, such as an id: marked, so that HPACK does not keep it. It would take the place of one that
/// does, be compared with its predecessors, and cost each service some 4,000 instructions a call.
pub fn once(mut value: HeaderValue) -> HeaderValue {
    value.set_sensitive(true);
    value
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(values: &[&'static str]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append("a", HeaderValue::from_static(value));
        }
        headers
    }

    #[test]
    fn takes_one_value_and_no_second() {
        assert_eq!(single(&headers(&[]), "a"), Ok(None));
        assert_eq!(single(&headers(&["x"]), "a"), Ok(Some(&HeaderValue::from_static("x"))));
        assert_eq!(single(&headers(&["x", "x"]), "a"), Err(Repeated));
    }

    #[test]
    fn makes_one_list_of_all_values() {
        assert_eq!(list(&headers(&[]), "a"), None);
        assert_eq!(list(&headers(&["x"]), "a").unwrap(), "x");
        assert_eq!(list(&headers(&["x, y", "z"]), "a").unwrap(), "x, y, z");
    }
}
