//! Turns an event into one line: `time LEVEL service=A key=value …`, or the same as a JSON object.

use std::{
    fmt::{self, Write as _},
    time::SystemTime,
};

use serde_json::{Map, Value};
use tracing::{
    Event, Level, Subscriber,
    field::{Field, Visit},
};
use tracing_subscriber::{Layer, layer::Context};

use super::{LogFormat, writer::Writer};
use crate::printable::printable_json;

/// The layer that formats each event and hands it to the writer.
pub struct Lines {
    pub service: String,
    pub format: LogFormat,
    pub writer: Writer,
}

impl<S: Subscriber> Layer<S> for Lines {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let time = humantime::format_rfc3339_millis(SystemTime::now());
        let level = event.metadata().level();
        self.writer.write(match self.format {
            LogFormat::Text | LogFormat::Lab => {
                let last = (self.format == LogFormat::Lab).then_some(LAST_OF_THE_LAB);
                let mut text = Text::new(time, level, last);
                text.put("service", &self.service);
                event.record(&mut text);
                text.line()
            }
            LogFormat::Json => {
                let mut json = Json::new(time, level);
                json.put("service", self.service.as_str().into());
                event.record(&mut json);
                json.line()
            }
        });
    }
}

/// The last of the fields that the lab asks for; a call's own follow it. Other events have no field of that name, and stay whole.
const LAST_OF_THE_LAB: &str = "latency_ms";

/// A line of `key=value`, written as the fields come: this is on the way of every call.
struct Text {
    line: String,
    /// The key that ends the line, if one does.
    last: Option<&'static str>,
    is_over: bool,
}

impl Text {
    fn new(time: impl fmt::Display, level: &Level, last: Option<&'static str>) -> Self {
        // Long enough for a call's line, which then needs no second place.
        let mut line = String::with_capacity(384);
        let _ = write!(line, "{time} {level}");
        Text { line, last, is_over: false }
    }

    /// Whether the field is wanted; then its key is written.
    fn key(&mut self, key: &str) -> bool {
        if self.is_over {
            return false;
        }
        self.is_over = self.last == Some(key);
        self.line.push(' ');
        self.line.push_str(key);
        self.line.push('=');
        true
    }

    fn put(&mut self, key: &str, text: &str) {
        match self.key(key) {
            true if needs_quotes(text) => drop(write!(self.line, "{text:?}")),
            true => self.line.push_str(text),
            false => {}
        }
    }

    fn put_plain(&mut self, key: &str, value: impl fmt::Display) {
        if self.key(key) {
            let _ = write!(self.line, "{value}");
        }
    }

    fn line(mut self) -> String {
        self.line.push('\n');
        self.line
    }
}

/// Text that a reader of `key=value` could take for something else. Debug formatting then escapes it: a log line is one line.
fn needs_quotes(text: &str) -> bool {
    let plain = |c: char| c.is_ascii_graphic() && !matches!(c, '"' | '=' | '\\');
    text.is_empty() || !text.chars().all(plain)
}

impl Visit for Text {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.put(field.name(), value);
    }
    fn record_u64(&mut self, field: &Field, value: u64) {
        self.put_plain(field.name(), value);
    }
    fn record_i64(&mut self, field: &Field, value: i64) {
        self.put_plain(field.name(), value);
    }
    fn record_bool(&mut self, field: &Field, value: bool) {
        self.put_plain(field.name(), value);
    }
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.put(field.name(), &format!("{value:?}"));
    }
}

/// An event as one object, its fields in the order in which they came.
struct Json(Map<String, Value>);

impl Json {
    fn new(time: impl fmt::Display, level: &Level) -> Self {
        let mut json = Json(Map::new());
        json.put("time", time.to_string().into());
        json.put("level", level.as_str().into());
        json
    }

    fn put(&mut self, key: &str, value: Value) {
        self.0.insert(key.to_owned(), value);
    }

    fn line(self) -> String {
        // serde_json escapes the control characters of ASCII; what a terminal obeys besides them would go out as it is.
        format!("{}\n", printable_json(&Value::Object(self.0).to_string()))
    }
}

impl Visit for Json {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.put(field.name(), value.into());
    }
    fn record_u64(&mut self, field: &Field, value: u64) {
        self.put(field.name(), value.into());
    }
    fn record_i64(&mut self, field: &Field, value: i64) {
        self.put(field.name(), value.into());
    }
    fn record_bool(&mut self, field: &Field, value: bool) {
        self.put(field.name(), value.into());
    }
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.put(field.name(), format!("{value:?}").into());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes_only_what_could_be_misread_and_stays_on_one_line() {
        let mut line = Text::new("2026-02-04T21:20:40.123Z", &Level::INFO, None);
        line.put("service", "A");
        line.put("error", "Service A is unavailable: cannot connect");
        line.put_plain("latency_ms", 1);
        line.put("peer", "two\nlines and a \"quote\"");
        assert_eq!(
            line.line(),
            "2026-02-04T21:20:40.123Z INFO service=A error=\"Service A is unavailable: cannot connect\" \
             latency_ms=1 peer=\"two\\nlines and a \\\"quote\\\"\"\n"
        );
    }

    #[test]
    fn ends_with_the_labs_last_field_and_leaves_other_lines_whole() {
        let mut call = Text::new("2026-02-04T21:20:40.123Z", &Level::INFO, Some(LAST_OF_THE_LAB));
        call.put("endpoint", "/echo");
        call.put("error", "latency_ms=1");
        call.put_plain("latency_ms", 2);
        call.put("code", "OK");
        call.put_plain("http", 200);
        assert_eq!(call.line(), "2026-02-04T21:20:40.123Z INFO endpoint=/echo error=\"latency_ms=1\" latency_ms=2\n");
        let mut other = Text::new("2026-02-04T21:20:40.123Z", &Level::INFO, Some(LAST_OF_THE_LAB));
        other.put("peer", "service-a");
        other.put("state", "ready");
        assert_eq!(other.line(), "2026-02-04T21:20:40.123Z INFO peer=service-a state=ready\n");
    }

    #[test]
    fn writes_the_same_fields_as_json() {
        let mut line = Json::new("2026-02-04T21:20:40.123Z", &Level::INFO);
        line.put("service", "A".into());
        line.put("latency_ms", 1.into());
        assert_eq!(
            line.line(),
            "{\"time\":\"2026-02-04T21:20:40.123Z\",\"level\":\"INFO\",\"service\":\"A\",\"latency_ms\":1}\n"
        );
    }

    #[test]
    fn escapes_in_both_formats_what_a_terminal_would_obey() {
        let mut text = Text::new("now", &Level::INFO, None);
        text.put("endpoint", "\u{9b}2J\u{7f}\u{202e}");
        assert_eq!(text.line(), "now INFO endpoint=\"\\u{9b}2J\\u{7f}\\u{202e}\"\n");
        let mut json = Json(Map::new());
        json.put("endpoint", "\u{9b}2J\u{7f}\u{202e}".into());
        assert_eq!(json.line(), "{\"endpoint\":\"\\u009b2J\\u007f\\u202e\"}\n");
    }
}
