//! The end of a streamed answer: a status that is there and can be read, or none.

use service_runtime::origin::Origin;

use super::{
    calls, item, next,
    peer::{Fields, by_hand},
};
use crate::caller::frame;

/// What a stream comes to that has one message and these headers and trailers; without trailers the message is its end.
async fn end(headers: Fields<'_>, trailers: Option<Fields<'_>>) -> Option<Result<Vec<u8>, String>> {
    let (dial, mut incoming) = by_hand();
    let calls = calls(dial);
    let mut client = calls.client();
    let call = tokio::spawn(async move { client.download(item("")).await });
    let mut answer = incoming.call().await.begin(headers);
    answer.data(frame(0, b"\x0a\x01a"));
    match trailers {
        Some(trailers) => answer.end(trailers),
        None => answer.end_without_trailers(),
    }
    let mut download = call.await.unwrap().unwrap().into_inner();
    assert_eq!(next(&mut download).await, Some(Ok("a".into())));
    next(&mut download).await
}

fn broken(details: &str) -> Option<Result<Vec<u8>, String>> {
    Some(Err(format!("Internal STREAMS_BROKEN {details}")))
}

#[tokio::test(start_paused = true)]
async fn is_broken_where_there_is_no_status_or_one_that_cannot_be_read() {
    assert_eq!(end(&[], Some(&[("grpc-status", "0")])).await, None);
    assert_eq!(end(&[], None).await, broken("no status"));
    assert_eq!(end(&[], Some(&[("x-status", "0")])).await, broken("no status"));
    for value in ["abc", "", "-1"] {
        assert_eq!(end(&[], Some(&[("grpc-status", value)])).await, broken("bad status"), "{value}");
    }
    let twice = [("grpc-status", "0"), ("grpc-status", "14")];
    assert_eq!(end(&[], Some(&twice)).await, broken("bad status"));
}

#[tokio::test(start_paused = true)]
async fn survives_details_that_are_not_base64() {
    let details = ("grpc-status-details-bin", "*** not base64 ***");
    assert_eq!(end(&[], Some(&[("grpc-status", "0"), details])).await, None);
    assert_eq!(end(&[details], Some(&[("grpc-status", "0")])).await, None);
    let failed = end(&[], Some(&[("grpc-status", "14"), details])).await;
    assert_eq!(failed, Some(Err("Unavailable STREAMS_UNAVAILABLE".into())));
}

#[tokio::test(start_paused = true)]
async fn is_not_in_headers_that_do_not_end_the_stream() {
    for early in ["0", "14", "abc"] {
        let early = &[("grpc-status", early), ("grpc-message", "early")];
        assert_eq!(end(early, Some(&[("grpc-status", "0")])).await, None);
        assert_eq!(
            end(early, Some(&[("grpc-status", "14")])).await,
            Some(Err("Unavailable STREAMS_UNAVAILABLE".into()))
        );
        assert_eq!(end(early, None).await, broken("no status"));
    }
}

#[tokio::test(start_paused = true)]
async fn may_stand_in_headers_that_are_all_there_is() {
    for (status, expected) in
        [("0", None), ("5", Some("Internal STREAMS_ERROR")), ("abc", Some("Internal STREAMS_BROKEN"))]
    {
        let (dial, mut incoming) = by_hand();
        let calls = calls(dial);
        let mut client = calls.client();
        let call = tokio::spawn(async move { client.download(item("")).await });
        incoming.call().await.trailers_only(&[("grpc-status", status), ("x-more", "more")]);
        match (call.await.unwrap(), expected) {
            (Ok(answer), None) => {
                assert_eq!(answer.metadata().get("x-more").unwrap(), "more");
                assert_eq!(next(&mut answer.into_inner()).await, None);
            }
            (Err(failed), Some(expected)) => assert!(super::reason(&failed).starts_with(expected), "{failed:?}"),
            other => panic!("{status}: {other:?}"),
        }
    }
}

#[tokio::test(start_paused = true)]
async fn keeps_the_peers_own_code_for_whoever_asks() {
    let (dial, mut incoming) = by_hand();
    let calls = calls(dial);
    let mut client = calls.client();
    let call = tokio::spawn(async move { client.download(item("")).await });
    let headers = [("served-by", "streams/one")];
    incoming.call().await.answer(&headers, &[], &[("grpc-status", "12"), ("grpc-message", "private")]);
    let failed = call.await.unwrap().unwrap().into_inner().message().await.unwrap_err();
    let origin = Origin::of(&failed).unwrap();
    assert_eq!((origin.reason.as_str(), origin.upstream_code.as_deref()), ("STREAMS_ERROR", Some("UNIMPLEMENTED")));
    assert_eq!(origin.instance.as_deref(), Some("one"));
    assert!(!failed.message().contains("private"), "{failed:?}");
}
