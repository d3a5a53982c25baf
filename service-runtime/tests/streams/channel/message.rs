//! Messages of an answer: whole, decodable, and within the limit, whatever compression does to them.

use std::io::Write as _;

use bytes::Bytes;
use futures_util::stream;
use prost::Message as _;
use tonic::codec::CompressionEncoding::Gzip;

use super::{calls, calls_with, item, next, peer::by_hand, reason};
use crate::{
    caller::frame,
    service::{Act, in_memory},
};

const OK: &[(&str, &str)] = &[("grpc-status", "0")];
const TOO_LARGE: &str = "Internal STREAMS_BROKEN too large";

#[tokio::test(start_paused = true)]
async fn over_the_limit_is_broken_and_the_handler_learns_of_it() {
    let mut peer = in_memory(|config| config.max_message_size = 1 << 20, None);
    let calls = calls(peer.server.clone());
    let mut download = calls.client().download(item("")).await.unwrap().into_inner();
    let acts = peer.downloads.recv().await.unwrap().acts;
    acts.send(Act::Send(vec![7; 60_000])).await.unwrap();
    acts.send(Act::Send(vec![7; 70_000])).await.unwrap();
    assert_eq!(next(&mut download).await, Some(Ok(vec![7; 60_000])));
    assert_eq!(next(&mut download).await, Some(Err(TOO_LARGE.into())));
    acts.closed().await;
    for answer in [
        calls.client().echo(item(vec![7; 70_000])).await.map(|_| ()),
        calls
            .client()
            .chat(stream::iter([item(vec![7; 70_000])]))
            .await
            .unwrap()
            .into_inner()
            .message()
            .await
            .map(|_| ()),
    ] {
        assert_eq!(reason(&answer.unwrap_err()), TOO_LARGE);
    }
}

#[tokio::test(start_paused = true)]
async fn of_more_than_four_mebibytes_come_where_limit_and_generated_client_allow_them() {
    let large = vec![7; 5 << 20];
    let mut peer = in_memory(|config| config.max_message_size = 8 << 20, None);
    let calls = calls_with(peer.server.clone(), |config| config.max_message_size = 8 << 20);
    let mut client = calls.client().max_decoding_message_size(usize::MAX);
    assert_eq!(client.echo(item(large.clone())).await.unwrap().into_inner().content.len(), large.len());
    let mut download = client.download(item("")).await.unwrap().into_inner();
    peer.downloads.recv().await.unwrap().acts.send(Act::Send(large.clone())).await.unwrap();
    assert_eq!(next(&mut download).await.unwrap().unwrap().len(), large.len());
    // Its own limit is what the generated client complains of, and `checked` restates that.
    let answer = calls.client().echo(item(large)).await;
    let answer = calls.upstream.checked(&calls.context, answer);
    assert!(reason(&answer.unwrap_err()).starts_with("Internal STREAMS_BROKEN"));
}

#[tokio::test(start_paused = true)]
async fn that_cannot_be_decoded_are_restated_by_checked() {
    let (dial, mut incoming) = by_hand();
    let calls = calls(dial);
    let mut client = calls.client();
    let call = tokio::spawn(async move { client.echo(item("")).await });
    incoming.call().await.answer(&[], &[&[0xff; 11]], OK);
    let answer = call.await.unwrap();
    let status = calls.upstream.checked(&calls.context, answer).unwrap_err();
    assert_eq!(reason(&status), "Internal STREAMS_BROKEN undecodable");
    assert!(calls.context.call.peer_calls()[0].cause.as_ref().unwrap().contains("undecodable"));
}

#[tokio::test(start_paused = true)]
async fn are_one_for_a_method_that_answers_once() {
    let one = &b"\x0a\x01a"[..];
    for (messages, expected) in [(&[][..], "no message"), (&[one, one][..], "two messages")] {
        let (dial, mut incoming) = by_hand();
        let calls = calls(dial);
        let mut client = calls.client();
        let call = tokio::spawn(async move { client.upload(stream::iter([item("a")])).await });
        incoming.call().await.answer(&[], messages, OK);
        let status = call.await.unwrap().unwrap_err();
        assert_eq!(reason(&status), format!("Internal STREAMS_BROKEN {expected}"));
    }
}

#[tokio::test(start_paused = true)]
async fn that_end_early_or_have_a_flag_that_is_none_are_broken() {
    for (bytes, expected) in [
        (&b"\0\0\0\0\x05half"[..], "Internal STREAMS_BROKEN cut short"),
        (b"\0\0", "Internal STREAMS_BROKEN cut short"),
        (b"\x07\0\0\0\0", "Internal STREAMS_BROKEN bad frame"),
        (b"\x01\0\0\0\0", "Internal STREAMS_BROKEN compressed"),
    ] {
        let (dial, mut incoming) = by_hand();
        let calls = calls(dial);
        let mut client = calls.client();
        let call = tokio::spawn(async move { client.download(item("")).await });
        let mut answer = incoming.call().await.begin(&[]);
        answer.data(frame(0, b"\x0a\x01a"));
        answer.data(bytes);
        answer.end(OK);
        let mut download = call.await.unwrap().unwrap().into_inner();
        assert_eq!(next(&mut download).await, Some(Ok("a".into())));
        let end = next(&mut download).await.unwrap().unwrap_err();
        assert!(end.starts_with(expected), "{end}");
    }
}

#[tokio::test(start_paused = true)]
async fn are_decompressed_for_a_client_that_says_it_can() {
    let mut peer = in_memory(|_| {}, Some(Gzip));
    let calls = calls(peer.server.clone());
    let mut client = calls.client().send_compressed(Gzip).accept_compressed(Gzip);
    assert_eq!(client.echo(item(vec![7; 60_000])).await.unwrap().into_inner().content, [7; 60_000]);
    let uploaded = client.upload(stream::iter([item("1"), item("2")])).await.unwrap().into_inner();
    assert_eq!(uploaded, item("2"));
    let mut download = client.download(item("")).await.unwrap().into_inner();
    let acts = peer.downloads.recv().await.unwrap().acts;
    acts.send(Act::Send(vec![7; 60_000])).await.unwrap();
    assert_eq!(next(&mut download).await, Some(Ok(vec![7; 60_000])));
    let mut chat = client.chat(stream::iter([item("x")])).await.unwrap().into_inner();
    assert_eq!(next(&mut chat).await, Some(Ok("x".into())));
    assert_eq!(next(&mut chat).await, None);
}

/// A compressed item of this many bytes, all of them 0.
fn compressed(length: usize) -> Bytes {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    encoder.write_all(&item(vec![0; length]).encode_to_vec()).unwrap();
    frame(1, &encoder.finish().unwrap())
}

#[tokio::test(start_paused = true)]
async fn hold_the_limit_for_what_comes_out_of_them() {
    for streams in [false, true] {
        let (dial, mut incoming) = by_hand();
        let calls = calls(dial);
        let mut client = calls.client().accept_compressed(Gzip);
        let call = tokio::spawn(async move {
            if streams {
                client.download(item("")).await?.into_inner().message().await.map(|_| ())
            } else {
                client.echo(item("")).await.map(|_| ())
            }
        });
        let call_of_peer = incoming.call().await;
        assert_eq!(call_of_peer.header("grpc-accept-encoding"), Some("gzip,identity"));
        let mut answer = call_of_peer.begin(&[("grpc-encoding", "gzip")]);
        let bomb = compressed(1 << 20);
        assert!(bomb.len() < 64 * 1024);
        answer.data(bomb);
        answer.end(OK);
        assert_eq!(reason(&call.await.unwrap().unwrap_err()), TOO_LARGE);
    }
}
