//! Metadata of a peer's answer: it comes through to the generated client, before the messages and after them.

use futures_util::stream;
use tonic::Request;

use super::{calls, item, next, peer::by_hand};

const MESSAGE: &[u8] = b"\x0a\x01a";
const INITIAL: &[(&str, &str)] = &[("x-initial", "one"), ("x-initial", "two")];
const TRAILING: &[(&str, &str)] = &[("grpc-status", "0"), ("x-trailing-bin", "qrvM")];

#[tokio::test(start_paused = true)]
async fn of_a_stream_comes_before_its_messages_and_after_them() {
    let (dial, mut incoming) = by_hand();
    let calls = calls(dial);
    let mut client = calls.client();
    let mut request = Request::new(item(""));
    request.metadata_mut().insert("x-asked", "this".parse().unwrap());
    let call = tokio::spawn(async move { client.download(request).await });
    let call_of_peer = incoming.call().await;
    assert_eq!(call_of_peer.header("x-asked"), Some("this"));
    let mut answer = call_of_peer.begin(INITIAL);
    let begun = call.await.unwrap().unwrap();
    let initial: Vec<_> = begun.metadata().get_all("x-initial").iter().collect();
    assert_eq!(initial, ["one", "two"]);
    let mut download = begun.into_inner();
    answer.data(crate::caller::frame(0, MESSAGE));
    answer.end(TRAILING);
    assert_eq!(next(&mut download).await, Some(Ok("a".into())));
    assert_eq!(next(&mut download).await, None);
    let trailers = download.trailers().await.unwrap().unwrap();
    assert_eq!(trailers.get_bin("x-trailing-bin").unwrap().to_bytes().unwrap(), &[0xaa, 0xbb, 0xcc][..]);
}

#[tokio::test(start_paused = true)]
async fn of_an_answer_that_is_one_message_comes_with_it() {
    for streams in [false, true] {
        let (dial, mut incoming) = by_hand();
        let calls = calls(dial);
        let mut client = calls.client();
        let call = tokio::spawn(async move {
            if streams { client.upload(stream::iter([item("a")])).await } else { client.echo(item("a")).await }
        });
        incoming.call().await.answer(INITIAL, &[MESSAGE], TRAILING);
        let answer = call.await.unwrap().unwrap();
        assert_eq!(answer.metadata().get_all("x-initial").iter().count(), 2);
        let trailing = answer.metadata().get_bin("x-trailing-bin").unwrap();
        assert_eq!(trailing.to_bytes().unwrap(), &[0xaa, 0xbb, 0xcc][..]);
    }
}
