//! Turns an event into one line: `time LEVEL service=A key=value …`, or the same as a JSON object.

use std::{fmt, time::SystemTime};

use serde_json::{Map, Value};
use tracing::{
    Event, Subscriber,
    field::{Field, Visit},
};
use tracing_subscriber::{Layer, layer::Context};

use super::{LogFormat, writer::Writer};

/// The layer that formats each event and hands it to the writer.
pub struct Lines {
    pub service: &'static str,
    pub format: LogFormat,
    pub writer: Writer,
}

impl<S: Subscriber> Layer<S> for Lines {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let mut fields = Fields(Map::new());
        fields.put("service", self.service.into());
        event.record(&mut fields);
        let time = humantime::format_rfc3339_millis(SystemTime::now()).to_string();
        let level = event.metadata().level().as_str();
        self.writer.write(match self.format {
            LogFormat::Text => text(&time, level, &fields.0),
            LogFormat::Json => json(time, level, fields.0),
        });
    }
}

fn text(time: &str, level: &str, fields: &Map<String, Value>) -> String {
    let mut line = format!("{time} {level}");
    for (key, value) in fields {
        line.push(' ');
        line.push_str(key);
        line.push('=');
        match value {
            Value::String(text) if needs_quotes(text) => line.push_str(&format!("{text:?}")),
            Value::String(text) => line.push_str(text),
            other => line.push_str(&other.to_string()),
        }
    }
    line.push('\n');
    line
}

/// Text that a reader of `key=value` could take for something else. Debug formatting then escapes it: a log line is one line.
fn needs_quotes(text: &str) -> bool {
    let plain = |c: char| c.is_ascii_graphic() && !matches!(c, '"' | '=' | '\\');
    text.is_empty() || !text.chars().all(plain)
}

fn json(time: String, level: &str, fields: Map<String, Value>) -> String {
    let mut object = Map::new();
    object.insert("time".into(), time.into());
    object.insert("level".into(), level.into());
    object.extend(fields);
    format!("{}\n", Value::Object(object))
}

/// An event's fields in the order in which they were written.
struct Fields(Map<String, Value>);

impl Fields {
    fn put(&mut self, key: &str, value: Value) {
        self.0.insert(key.to_owned(), value);
    }
}

impl Visit for Fields {
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
        let mut fields = Fields(Map::new());
        fields.put("service", "A".into());
        fields.put("error", "Service A is unavailable: cannot connect".into());
        fields.put("latency_ms", 1.into());
        fields.put("peer", "two\nlines and a \"quote\"".into());
        assert_eq!(
            text("2026-02-04T21:20:40.123Z", "INFO", &fields.0),
            "2026-02-04T21:20:40.123Z INFO service=A error=\"Service A is unavailable: cannot connect\" \
             latency_ms=1 peer=\"two\\nlines and a \\\"quote\\\"\"\n"
        );
    }

    #[test]
    fn writes_the_same_fields_as_json() {
        let mut fields = Fields(Map::new());
        fields.put("service", "A".into());
        fields.put("latency_ms", 1.into());
        assert_eq!(
            json("2026-02-04T21:20:40.123Z".into(), "INFO", fields.0),
            "{\"time\":\"2026-02-04T21:20:40.123Z\",\"level\":\"INFO\",\"service\":\"A\",\"latency_ms\":1}\n"
        );
    }
}
