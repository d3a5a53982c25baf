//! The user's own subscriber: it keeps every event, for tests to find the line of a call by its request id.

use std::{
    fmt::Write as _,
    sync::{Mutex, Once},
    time::Duration,
};

use service_runtime::telemetry::{self, LogConfig};
use tracing::{
    Event, Subscriber,
    field::{Field, Visit},
};
use tracing_subscriber::{Layer, layer::Context, layer::SubscriberExt as _, util::SubscriberInitExt as _};

static LINES: Mutex<Vec<String>> = Mutex::new(Vec::new());

struct Kept;

struct Text(String);

impl Visit for Text {
    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        let _ = write!(self.0, " {}={value:?}", field.name());
    }
}

impl<S: Subscriber> Layer<S> for Kept {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let mut text = Text(event.metadata().level().to_string());
        event.record(&mut text);
        LINES.lock().unwrap().push(text.0);
    }
}

/// Installs it, once for all tests of this process.
pub fn install() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| tracing_subscriber::registry().with(Kept).init());
}

/// The line that holds `text`, as soon as it is there.
pub async fn line_with(text: &str) -> String {
    let found = || LINES.lock().unwrap().iter().find(|line| line.contains(text)).cloned();
    tokio::time::timeout(crate::scripted::LONG, async {
        loop {
            match found() {
                Some(line) => return line,
                None => tokio::time::sleep(Duration::from_millis(5)).await,
            }
        }
    })
    .await
    .unwrap_or_else(|_| panic!("no line with {text}"))
}

#[test]
fn a_subscriber_that_is_there_already_is_kept() {
    install();
    let error = telemetry::install("chatter", &LogConfig::default()).err().unwrap();
    assert!(error.to_string().starts_with("a tracing subscriber is installed already"), "{error}");
}
