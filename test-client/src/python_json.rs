//! JSON with the spaces that Python's `json.dumps` sets, which is how the lab's own client printed: `{"status": "ok"}`.

use std::io;

use serde::Serialize as _;
use serde_json::{Serializer, Value, ser::Formatter};
use service_runtime::printable::printable_json;

/// `value` on one line. Text beyond ASCII stays as it is, unless a terminal would obey it: `\u009b`.
pub fn to_string(value: &Value) -> String {
    let mut line = Vec::new();
    let written = value.serialize(&mut Serializer::with_formatter(&mut line, Spaced));
    written.expect("a JSON value can be written to memory");
    let line = String::from_utf8(line).expect("serde_json writes UTF-8");
    printable_json(&line).into_owned()
}

struct Spaced;

impl Formatter for Spaced {
    fn begin_array_value<W: ?Sized + io::Write>(&mut self, writer: &mut W, first: bool) -> io::Result<()> {
        if first { Ok(()) } else { writer.write_all(b", ") }
    }

    fn begin_object_key<W: ?Sized + io::Write>(&mut self, writer: &mut W, first: bool) -> io::Result<()> {
        if first { Ok(()) } else { writer.write_all(b", ") }
    }

    fn begin_object_value<W: ?Sized + io::Write>(&mut self, writer: &mut W) -> io::Result<()> {
        writer.write_all(b": ")
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn sets_spaces_as_python_does() {
        let value = json!({"service_b": "ok", "service_a": {"echo": "grüße \"x\"\n"}, "list": [1, null, []]});
        assert_eq!(
            to_string(&value),
            r#"{"service_b": "ok", "service_a": {"echo": "grüße \"x\"\n"}, "list": [1, null, []]}"#
        );
    }
}
