//! Cancels, both ways and at once.

use h2::Reason;
use tokio::time::Instant;

use super::{MS, calls, item, items, next, peer::by_hand, reason};
use crate::{
    caller::frame,
    service::{Act, in_memory},
};

/// What the contract allows (`docs/contract.md`, "Streaming").
const AT_ONCE: std::time::Duration = std::time::Duration::from_millis(50);

#[tokio::test(start_paused = true)]
async fn of_a_caller_reach_the_handler() {
    let mut peer = in_memory(|_| {}, None);
    let calls = calls(peer.server.clone());
    // Before a message of the answer, and after one.
    for sent in [0, 1] {
        let mut download = calls.client().download(item("")).await.unwrap().into_inner();
        let acts = peer.downloads.recv().await.unwrap().acts;
        for _ in 0..sent {
            acts.send(Act::Send("a".into())).await.unwrap();
            assert!(next(&mut download).await.unwrap().is_ok());
        }
        let began = Instant::now();
        drop(download);
        acts.closed().await;
        assert!(began.elapsed() <= AT_ONCE, "{:?}", began.elapsed());
    }
    // In the middle of its own stream.
    let (send, sent) = items();
    let mut chat = calls.client().chat(sent).await.unwrap().into_inner();
    send.send(item("a")).await.unwrap();
    assert!(next(&mut chat).await.unwrap().is_ok());
    let began = Instant::now();
    drop(chat);
    assert_eq!(peer.ended.recv().await, Some("Chat"));
    assert!(began.elapsed() <= AT_ONCE, "{:?}", began.elapsed());

    // Before there is an answer.
    let (send, sent) = items();
    let mut client = calls.client();
    let upload = tokio::spawn(async move { client.upload(sent).await });
    send.send(item("wait")).await.unwrap();
    tokio::time::sleep(MS).await;
    let began = Instant::now();
    upload.abort();
    assert_eq!(peer.ended.recv().await, Some("Upload"));
    assert!(began.elapsed() <= AT_ONCE, "{:?}", began.elapsed());
    send.closed().await;
}

#[tokio::test(start_paused = true)]
async fn of_a_caller_reach_a_peer_that_has_begun_to_answer_and_waits_for_more() {
    let (dial, mut incoming) = by_hand();
    let calls = calls(dial);
    for streams in [true, false] {
        let (send, sent) = items();
        let mut client = calls.client();
        let call = tokio::spawn(async move {
            if streams {
                drop(client.chat(sent).await.unwrap());
            } else {
                client.upload(sent).await.unwrap();
            }
        });
        send.send(item("a")).await.unwrap();
        let answer = incoming.call().await.begin(&[]);
        tokio::time::sleep(MS).await;
        let began = Instant::now();
        call.abort();
        assert_eq!(answer.reset_by_caller().await, Reason::CANCEL);
        send.closed().await;
        assert!(began.elapsed() <= AT_ONCE, "{:?}", began.elapsed());
    }
}

#[tokio::test(start_paused = true)]
async fn of_a_peer_end_the_stream_with_the_code_of_its_reset() {
    for (reset, expected) in [
        (Reason::CANCEL, "Unavailable STREAMS_CONNECTION_LOST"),
        (Reason::ENHANCE_YOUR_CALM, "ResourceExhausted STREAMS_OVERLOADED"),
        (Reason::INTERNAL_ERROR, "Internal STREAMS_BROKEN"),
        // The headers were there: whatever it says, it was processed.
        (Reason::REFUSED_STREAM, "Unavailable STREAMS_UNREACHABLE"),
    ] {
        let (dial, mut incoming) = by_hand();
        let calls = calls(dial);
        let (send, sent) = items();
        let mut client = calls.client();
        let chat = tokio::spawn(async move { client.chat(sent).await });
        let mut answer = incoming.call().await.begin(&[]);
        answer.data(frame(0, b"\x0a\x01a"));
        let mut chat = chat.await.unwrap().unwrap().into_inner();
        assert_eq!(next(&mut chat).await, Some(Ok("a".into())));
        let began = Instant::now();
        answer.reset(reset);
        let end = next(&mut chat).await.unwrap().unwrap_err();
        assert!(end.starts_with(expected), "{reset:?}: {end}");
        send.closed().await;
        assert!(began.elapsed() <= AT_ONCE, "{:?}", began.elapsed());
        assert!(incoming.is_empty(), "{reset:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn of_a_peer_before_its_answer_end_a_request_stream() {
    let (dial, mut incoming) = by_hand();
    let calls = calls(dial);
    let (send, sent) = items();
    let mut client = calls.client();
    let upload = tokio::spawn(async move { client.upload(sent).await });
    send.send(item("a")).await.unwrap();
    let call = incoming.call().await;
    tokio::time::sleep(MS).await;
    call.reset(Reason::CANCEL);
    let failed = upload.await.unwrap().unwrap_err();
    assert!(reason(&failed).starts_with("Unavailable STREAMS_CONNECTION_LOST"), "{failed:?}");
    send.closed().await;
}
