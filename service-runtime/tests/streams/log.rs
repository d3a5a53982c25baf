//! The log line of a stream: one, at its end, with the number of its messages.

use std::{
    collections::BTreeMap,
    fmt::Debug,
    sync::{Mutex, Once},
};

use tonic::Code;
use tracing::{Event, Metadata, Subscriber, field::Field};
use tracing_subscriber::{
    Layer,
    layer::{Context, SubscriberExt as _},
};

use crate::{
    caller::{Connection, DEFAULT_WINDOW, item, soon},
    service::{Act, serve},
};

type Line = BTreeMap<&'static str, String>;

/// What the runtime says in this process.
static LINES: Mutex<Vec<Line>> = Mutex::new(Vec::new());

struct Lines;

impl<S: Subscriber> Layer<S> for Lines {
    fn enabled(&self, metadata: &Metadata<'_>, _: Context<'_, S>) -> bool {
        metadata.target().starts_with("service_runtime")
    }

    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let mut line = Line::new();
        event.record(&mut |field: &Field, value: &dyn Debug| {
            line.insert(field.name(), format!("{value:?}"));
        });
        LINES.lock().unwrap().push(line);
    }
}

/// Before the first server: `tracing` remembers of each place that logs whether somebody listens.
pub fn install() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| tracing::subscriber::set_global_default(tracing_subscriber::registry().with(Lines)).unwrap());
}

/// Endpoint, code, messages received and sent, of each line of the calls with this id, quoted as `Debug` does it.
fn lines(request_id: &str) -> Vec<[String; 4]> {
    let lines = LINES.lock().unwrap();
    let ours = lines.iter().filter(|line| line.get("request_id") == Some(&format!("{request_id:?}")));
    let get = |line: &Line, name| line.get(name).cloned().unwrap_or_default();
    ours.map(|line| ["endpoint", "code", "messages_received", "messages_sent"].map(|name| get(line, name))).collect()
}

fn line(method: &str, code: &str, received: &str, sent: &str) -> Vec<[String; 4]> {
    let (endpoint, code) = (format!("\"/streams.v1.Streams/{method}\""), format!("{code:?}"));
    vec![[endpoint, code, received.to_owned(), sent.to_owned()]]
}

#[tokio::test]
async fn is_written_at_the_end_with_the_number_of_messages() {
    let mut server = serve().await;
    let connection = Connection::open(server.address, DEFAULT_WINDOW).await;

    let mut up = connection.call("Upload", &[("x-request-id", "up")]).await.unwrap();
    up.items.send_data([item("1"), item("2"), item("3")].concat().into(), true).unwrap();
    assert_eq!(up.answer().await.unwrap().status.code(), Code::Ok);
    assert_eq!(lines("up"), line("Upload", "OK", "3", ""));

    let mut chat = connection.call("Chat", &[("x-request-id", "chat")]).await.unwrap();
    chat.items.send_data([item("1"), item("2")].concat().into(), true).unwrap();
    assert_eq!(chat.answer().await.unwrap().status.code(), Code::Ok);
    assert_eq!(lines("chat"), line("Chat", "OK", "2", "2"));

    let call = connection.download(&[("x-request-id", "cancelled")]).await;
    let download = server.download().await;
    download.acts.send(Act::Send(vec![])).await.unwrap();
    let (items, mut answers) = call.begun().await;
    assert_eq!(answers.next().await.unwrap().unwrap(), item(""));
    assert_eq!(lines("cancelled").len(), 0, "the stream is open");
    drop((items, answers));
    soon(download.acts.closed()).await;
    assert_eq!(lines("cancelled"), line("Download", "CANCELLED", "", "1"));

    let call = connection.download(&[("x-request-id", "panicked")]).await;
    server.download().await.acts.send(Act::Panic).await.unwrap();
    assert_eq!(call.answer().await.unwrap().status.code(), Code::Unknown);
    assert_eq!(lines("panicked"), line("Download", "UNKNOWN", "", "0"));
}
