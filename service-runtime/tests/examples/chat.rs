//! `examples/chat.rs`: what one says all hear, and a drain ends the streams.

use std::time::Duration;

use futures_util::stream;
use proto::{Line, ListenRequest, Receipt, chat_client::ChatClient};
use tokio::time::timeout;
use tonic::{Code, Status, Streaming, transport::Channel};

use crate::process::Example;

#[path = "../../examples/generated/chat.rs"]
mod proto;

fn line(text: &str) -> Line {
    Line { name: "test".into(), text: text.into() }
}

/// The next line, or the end of the stream. A room in which it is not heard fails the test instead of holding it.
async fn next(lines: &mut Streaming<Line>) -> Result<Option<String>, Status> {
    let next = timeout(Duration::from_secs(20), lines.message()).await.expect("a line within 20 s");
    Ok(next?.map(|line| line.text))
}

async fn heard(lines: &mut Streaming<Line>) -> Option<String> {
    next(lines).await.unwrap()
}

/// A client with a connection of its own.
async fn client(example: &Example) -> ChatClient<Channel> {
    let url = format!("http://{}", example.address);
    ChatClient::new(Channel::from_shared(url).unwrap().connect().await.unwrap())
}

#[tokio::test]
async fn all_four_kinds_of_method_meet_in_one_room_until_a_drain_ends_them() {
    let example = Example::start("chat", &["127.0.0.1:0"]);
    let mut clients = [client(&example).await, client(&example).await, client(&example).await];
    let mut listens = clients[0].listen(ListenRequest {}).await.unwrap().into_inner();
    let (say, said) = tokio::sync::mpsc::channel::<Line>(1);
    let said = stream::unfold(said, |mut said| async { Some((said.recv().await?, said)) });
    let mut talks = clients[1].talk(said).await.unwrap().into_inner();

    clients[2].say(line("one")).await.unwrap();
    say.send(line("two")).await.unwrap();
    for lines in [&mut listens, &mut talks] {
        let both = [heard(lines).await.unwrap(), heard(lines).await.unwrap()];
        assert!(both.contains(&"one".into()) && both.contains(&"two".into()), "{both:?}");
    }
    let dictated = clients[2].dictate(stream::iter(["three", "four"].map(line))).await.unwrap().into_inner();
    assert_eq!(dictated, Receipt { lines: 2 });
    assert_eq!((heard(&mut listens).await, heard(&mut listens).await), (Some("three".into()), Some("four".into())));

    // The streams end with OK, though no caller has left.
    example.terminate();
    assert_eq!(heard(&mut listens).await, None);
    while heard(&mut talks).await.is_some() {}
    let (status, log) = example.ended();
    assert!(status.success(), "{status} {log}");
    assert!(log.contains("endpoint=/chat.v1.Chat/Listen status=ok"), "{log}");
    assert!(log.trim_end().ends_with("state=drained calls_cut=0"), "{log}");
}

#[tokio::test]
async fn a_listener_that_does_not_read_is_told_that_it_missed_lines() {
    let example = Example::start("chat", &["127.0.0.1:0"]);
    let mut listens = client(&example).await.listen(ListenRequest {}).await.unwrap().into_inner();
    // Ten MiB: more than the windows of the stream, the sockets and the backlog of the room take.
    let lines = (0..10_000).map(|_| line(&"x".repeat(1024)));
    assert_eq!(client(&example).await.dictate(stream::iter(lines)).await.unwrap().into_inner().lines, 10_000);
    let mut count = 0;
    let status = loop {
        match next(&mut listens).await {
            Ok(line) => assert!(line.is_some(), "it ended with OK after {count} lines"),
            Err(status) => break status,
        }
        count += 1;
    };
    assert_eq!(status.code(), Code::DataLoss, "{status:?} after {count} lines");
    assert!(count < 10_000, "{count}");
}
