//! Deadlines of streams: their caller's, and no other.

use futures_util::stream;
use tokio::time::{Instant, timeout};
use tonic::Request;

use super::{MS, calls, item, next, reason};
use crate::service::{Act, in_memory};

const DEADLINE_EXCEEDED: &str = "DeadlineExceeded DEADLINE_EXCEEDED";

#[tokio::test(start_paused = true)]
async fn ends_a_stream_and_keeps_what_was_delivered() {
    let mut peer = in_memory(|_| {}, None);
    let began = Instant::now();
    // Beyond the cap on unary calls, 2 s.
    let calls = calls(peer.server.clone()).within(10_000 * MS);
    let mut download = calls.client().download(item("")).await.unwrap().into_inner();
    let acts = peer.downloads.recv().await.unwrap().acts;
    acts.send(Act::Send("before".into())).await.unwrap();
    assert_eq!(next(&mut download).await, Some(Ok("before".into())));
    let end = next(&mut download).await.unwrap().unwrap_err();
    assert!(end.starts_with(DEADLINE_EXCEEDED), "{end}");
    // 5 ms are kept back of a caller's time.
    let took = began.elapsed();
    assert!((9_994 * MS..=9_996 * MS).contains(&took), "{took:?}");
    acts.closed().await;
    assert!(began.elapsed() <= 10_050 * MS);
}

#[tokio::test(start_paused = true)]
async fn is_what_the_user_set_for_the_call_where_that_is_less() {
    let mut peer = in_memory(|_| {}, None);
    let calls = calls(peer.server.clone()).within(10_000 * MS);
    let mut request = Request::new(item(""));
    request.metadata_mut().insert("grpc-timeout", "300m".parse().unwrap());
    let began = Instant::now();
    let mut download = calls.client().download(request).await.unwrap().into_inner();
    let _download = peer.downloads.recv().await.unwrap();
    let end = next(&mut download).await.unwrap().unwrap_err();
    // To its caller the peer is too slow, whatever time there is left.
    assert_eq!(end, "Unavailable STREAMS_TIMEOUT no answer");
    assert!((294 * MS..=301 * MS).contains(&began.elapsed()), "{:?}", began.elapsed());
}

#[tokio::test(start_paused = true)]
async fn is_not_there_where_the_caller_has_none() {
    let mut peer = in_memory(|_| {}, None);
    let calls = calls(peer.server.clone());
    let mut download = calls.client().download(item("")).await.unwrap().into_inner();
    let acts = peer.downloads.recv().await.unwrap().acts;
    let an_hour = 3_600_000 * MS;
    assert!(timeout(an_hour, next(&mut download)).await.is_err());
    acts.send(Act::Send("still there".into())).await.unwrap();
    assert_eq!(next(&mut download).await, Some(Ok("still there".into())));

    let mut client = calls.client();
    let upload = client.upload(stream::pending());
    assert!(timeout(an_hour, upload).await.is_err());
}

#[tokio::test(start_paused = true)]
async fn ends_a_request_stream_that_never_ends() {
    let mut peer = in_memory(|_| {}, None);
    // It sends nothing; it sends for ever to a handler that reads; and to one that does not.
    for (first, rest) in [(None, None), (Some("a"), Some("b")), (Some("wait"), Some("b"))] {
        let calls = calls(peer.server.clone()).within(1_000 * MS);
        let began = Instant::now();
        let paced = stream::unfold(rest, |rest| async move {
            match rest {
                Some(_) => tokio::time::sleep(MS).await,
                None => std::future::pending().await,
            }
            Some((item(rest.unwrap().repeat(1_000)), rest))
        });
        let first = stream::iter(first.map(item));
        let answer = calls.client().upload(futures_util::StreamExt::chain(first, paced)).await;
        assert!(reason(&answer.unwrap_err()).starts_with(DEADLINE_EXCEEDED));
        assert!((994 * MS..=1_010 * MS).contains(&began.elapsed()), "{:?}", began.elapsed());
        assert_eq!(peer.ended.recv().await, Some("Upload"));
        assert!(began.elapsed() <= 1_050 * MS);
    }
}
