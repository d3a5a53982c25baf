//! `examples/gateway.rs`, before `hello.rs` and `chat.rs`.

use std::time::Duration;

use futures_util::{Stream, stream};
use proto::{EnterRequest, Line, gateway_client::GatewayClient};
use service_runtime::origin::Origin;
use tokio::{
    sync::mpsc,
    time::{Instant, timeout},
};
use tonic::{Code, Request, Status, transport::Channel};

use crate::process::Example;

#[path = "../../examples/generated/gateway.rs"]
mod proto;

struct Started {
    greeter: Example,
    chat: Example,
    gateway: Example,
    client: GatewayClient<Channel>,
}

async fn start() -> Started {
    let greeter = Example::start("hello", &["--listen", "127.0.0.1:0"]);
    let chat = Example::start("chat", &["127.0.0.1:0"]);
    let [to_greeter, to_chat] = [&greeter, &chat].map(|example| format!("http://{}", example.address));
    let gateway = Example::start("gateway", &["--listen", "127.0.0.1:0", "--greeter", &to_greeter, "--chat", &to_chat]);
    let channel = Channel::from_shared(format!("http://{}", gateway.address)).unwrap().connect().await.unwrap();
    Started { greeter, chat, gateway, client: GatewayClient::new(channel) }
}

fn with_the_word<T>(message: T) -> Request<T> {
    let mut request = Request::new(message);
    request.metadata_mut().insert("authorization", "Bearer sesame".parse().unwrap());
    request
}

fn you() -> EnterRequest {
    EnterRequest { name: "you".into() }
}

fn line(text: &str) -> Line {
    Line { name: "you".into(), text: text.into() }
}

fn said(status: &Status) -> (Code, String) {
    (status.code(), Origin::of(status).unwrap().reason)
}

/// Lines that the test sends.
fn lines() -> (mpsc::Sender<Line>, impl Stream<Item = Line> + Send + 'static) {
    let (lines, receiver) = mpsc::channel(1);
    (lines, stream::unfold(receiver, |mut receiver| async { Some((receiver.recv().await?, receiver)) }))
}

async fn soon<T>(future: impl Future<Output = T>) -> T {
    timeout(Duration::from_secs(20), future).await.expect("it comes within 20 s")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn calls_both_peers_for_a_caller_that_knows_the_word_and_names_the_one_that_fails() {
    let Started { greeter, chat, mut gateway, mut client } = start().await;
    assert_eq!(client.enter(you()).await.unwrap_err().code(), Code::Unauthenticated);
    assert_eq!(client.enter(with_the_word(you())).await.unwrap().into_inner().greeting, "hello, you");
    let log = gateway.line_with("other_peers");
    assert!(log.contains("endpoint=/gateway.v1.Gateway/Enter status=ok"), "{log}");
    assert!(log.contains(&format!("url=http://{} ", greeter.address)), "{log}");
    assert!(log.contains(&format!("other_peers=\"chat url=http://{} attempts=1\"", chat.address)), "{log}");

    drop(chat);
    let failed = client.enter(with_the_word(you())).await.unwrap_err();
    assert_eq!(said(&failed), (Code::Unavailable, "CHAT_UNREACHABLE".into()));
    let log = gateway.line_with("other_peers");
    assert!(log.contains("reason=CHAT_UNREACHABLE"), "{log}");
    drop(greeter);
    let failed = client.enter(with_the_word(you())).await.unwrap_err();
    assert_eq!(said(&failed), (Code::Unavailable, "GREETER_UNREACHABLE".into()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn passes_a_stream_on_both_ways_and_its_end_and_its_failure() {
    let Started { chat, mut client, gateway: _gateway, .. } = start().await;
    let (say, lines) = lines();
    let mut heard = soon(client.talk(with_the_word(lines))).await.unwrap().into_inner();
    for text in ["one", "two"] {
        say.send(line(text)).await.unwrap();
        assert_eq!(soon(heard.message()).await.unwrap(), Some(line(text)));
    }
    drop(chat);
    assert_eq!(said(&soon(heard.message()).await.unwrap_err()), (Code::Unavailable, "CHAT_CONNECTION_LOST".into()));
    soon(say.closed()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn ends_a_stream_at_its_callers_deadline_and_when_its_caller_leaves() {
    let Started { mut chat, mut client, gateway: _gateway, .. } = start().await;
    let (say, lines_of_one) = lines();
    let mut request = with_the_word(lines_of_one);
    request.metadata_mut().insert("grpc-timeout", "3S".parse().unwrap());
    let began = Instant::now();
    let mut heard = soon(client.talk(request)).await.unwrap().into_inner();
    say.send(line("one")).await.unwrap();
    assert_eq!(soon(heard.message()).await.unwrap(), Some(line("one")));
    // The cap on a unary call to a peer is 2 s, and holds for no stream.
    assert_eq!(soon(heard.message()).await.unwrap_err().code(), Code::DeadlineExceeded);
    assert!(began.elapsed() > Duration::from_millis(2_900), "{:?}", began.elapsed());
    let log = chat.line_with("endpoint=/chat.v1.Chat/Talk");
    assert!(log.contains("DEADLINE_EXCEEDED") || log.contains("CANCELLED"), "{log}");

    let (say, lines_of_another) = lines();
    let mut heard = soon(client.talk(with_the_word(lines_of_another))).await.unwrap().into_inner();
    say.send(line("one")).await.unwrap();
    assert_eq!(soon(heard.message()).await.unwrap(), Some(line("one")));
    drop(heard);
    drop(say);
    let log = chat.line_with("endpoint=/chat.v1.Chat/Talk");
    assert!(log.contains("CANCELLED"), "{log}");
}
