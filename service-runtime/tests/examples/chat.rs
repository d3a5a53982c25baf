//! `examples/chat.rs`: what one says all hear, and a drain ends the streams.

use futures_util::stream;
use proto::{Line, ListenRequest, Receipt, chat_client::ChatClient};
use tonic::{Streaming, transport::Channel};

use crate::process::Example;

#[path = "../../examples/generated/chat.rs"]
mod proto;

fn line(text: &str) -> Line {
    Line { name: "test".into(), text: text.into() }
}

async fn next(lines: &mut Streaming<Line>) -> Option<String> {
    lines.message().await.unwrap().map(|line| line.text)
}

#[tokio::test]
async fn all_four_kinds_of_method_meet_in_one_room_until_a_drain_ends_them() {
    let example = Example::start("chat", &["127.0.0.1:0"]);
    let url = format!("http://{}", example.address);
    let mut clients = Vec::new();
    for _ in 0..3 {
        clients.push(ChatClient::<Channel>::new(Channel::from_shared(url.clone()).unwrap().connect().await.unwrap()));
    }
    let mut listens = clients[0].listen(ListenRequest {}).await.unwrap().into_inner();
    let (say, said) = tokio::sync::mpsc::channel::<Line>(1);
    let said = stream::unfold(said, |mut said| async { Some((said.recv().await?, said)) });
    let mut talks = clients[1].talk(said).await.unwrap().into_inner();

    clients[2].say(line("one")).await.unwrap();
    say.send(line("two")).await.unwrap();
    for heard in [&mut listens, &mut talks] {
        let both = [next(heard).await.unwrap(), next(heard).await.unwrap()];
        assert!(both.contains(&"one".into()) && both.contains(&"two".into()), "{both:?}");
    }
    let dictated = clients[2].dictate(stream::iter(["three", "four"].map(line))).await.unwrap().into_inner();
    assert_eq!(dictated, Receipt { lines: 2 });
    assert_eq!((next(&mut listens).await, next(&mut listens).await), (Some("three".into()), Some("four".into())));

    // The streams end with OK, though no caller has left.
    example.terminate();
    assert_eq!(next(&mut listens).await, None);
    while next(&mut talks).await.is_some() {}
    let (status, log) = example.ended();
    assert!(status.success(), "{status} {log}");
    assert!(log.contains("endpoint=/chat.v1.Chat/Listen status=ok"), "{log}");
    assert!(log.trim_end().ends_with("state=drained calls_cut=0"), "{log}");
}
