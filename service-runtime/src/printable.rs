//! Text that somebody else wrote, made fit for a terminal and for whoever reads it there.

use std::borrow::Cow;

/// Whether `c` does something where it is shown, instead of being shown.
///
/// These are the control characters of ASCII and of Latin-1 (to a terminal U+009B begins a command, as ESC and `[` do), DEL, what
/// ends a line or a paragraph in Unicode, and what overrides the direction of writing, so that a line reads otherwise than it is.
/// Source of the last: Unicode Technical Report 36, 2.10.
pub fn is_harmful(c: char) -> bool {
    c.is_control() || matches!(c, '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// `text` on one line that does nothing to a terminal: what is harmful is escaped, as in `\n` and `\u{9b}`.
pub fn printable(text: &str) -> Cow<'_, str> {
    replaced(text, |c| c.escape_default().to_string())
}

/// The same of text whose lines are to stay lines.
pub fn printable_lines(text: &str) -> String {
    text.split('\n').map(printable).collect::<Vec<_>>().join("\n")
}

/// The same of JSON on one line, which then is the same JSON: `\u009b`. It leaves nothing but strings to be escaped in it.
pub fn printable_json(json: &str) -> Cow<'_, str> {
    replaced(json, |c| format!("\\u{:04x}", u32::from(c)))
}

fn replaced(text: &str, escape: impl Fn(char) -> String) -> Cow<'_, str> {
    if !text.contains(is_harmful) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        if is_harmful(c) { out.push_str(&escape(c)) } else { out.push(c) }
    }
    Cow::Owned(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_whatever_does_something_to_a_terminal_or_to_the_order_of_what_is_read() {
        for (text, shown) in [
            ("\u{1b}[2J", "\\u{1b}[2J"),
            ("\u{9b}2J", "\\u{9b}2J"),
            ("a\u{7f}b", "a\\u{7f}b"),
            ("a\r\n\tb", "a\\r\\n\\tb"),
            ("a\u{85}b\u{2028}c\u{2029}d", "a\\u{85}b\\u{2028}c\\u{2029}d"),
            ("\u{202a}\u{202e}\u{2066}\u{2069}", "\\u{202a}\\u{202e}\\u{2066}\\u{2069}"),
        ] {
            assert_eq!(printable(text), shown);
        }
        assert_eq!(printable_lines("a\u{9b}\nb\r\n"), "a\\u{9b}\nb\\r\n");
    }

    #[test]
    fn leaves_every_text_of_every_script_as_it_is() {
        for text in ["", "hello", "grüße \"x\" \\", "שלום", "👩\u{200d}💻", "日本語", "\u{200f}a\u{a0}b"] {
            assert!(matches!(printable(text), Cow::Borrowed(same) if same == text), "{text}");
            assert!(matches!(printable_json(text), Cow::Borrowed(same) if same == text), "{text}");
        }
    }

    #[test]
    fn makes_no_other_json_of_json() {
        let value = serde_json::json!({"echo\u{9b}": "a\u{9b}b\u{7f}c\u{202e}d\n"});
        let text = value.to_string();
        assert_eq!(printable_json(&text), r#"{"echo\u009b":"a\u009bb\u007fc\u202ed\n"}"#);
        assert_eq!(serde_json::from_str::<serde_json::Value>(&printable_json(&text)).unwrap(), value);
    }
}
