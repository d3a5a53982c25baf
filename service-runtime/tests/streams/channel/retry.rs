//! Which calls are made again: as many as the contract says, and no order is placed twice.

use futures_util::stream;
use h2::Reason;
use hostile_peer::frame::{DATA, HEADERS};
use service_runtime::client::{MethodConfig, MethodKind, UpstreamConfig};
use tonic::{IntoRequest as _, Request};

use super::{
    Calls, MS, calls, calls_with, item, items, next,
    peer::{GoesAwayAt, Incoming, by_hand},
    reason,
};
use crate::caller::frame;

const OK: &[(&str, &str)] = &[("grpc-status", "0")];
const UNAVAILABLE: &[(&str, &str)] = &[("grpc-status", "14")];
const MESSAGE: &[u8] = b"\x0a\x01a";

fn start() -> (Calls, Incoming) {
    let (dial, incoming) = by_hand();
    (calls(dial), incoming)
}

#[tokio::test(start_paused = true)]
async fn makes_a_refused_request_stream_again_once_where_nothing_of_it_was_taken() {
    let (calls, mut incoming) = start();
    let (send, sent) = items();
    let mut client = calls.client();
    let upload = tokio::spawn(async move { client.upload(sent).await });
    incoming.call().await.reset(Reason::REFUSED_STREAM);
    let second = incoming.call().await;
    send.send(item("a")).await.unwrap();
    drop(send);
    second.answer(&[], &[MESSAGE], OK);
    assert_eq!(upload.await.unwrap().unwrap().into_inner(), item("a"));

    let mut client = calls.client();
    let upload = tokio::spawn(async move { client.upload(stream::pending()).await });
    for _ in 0..2 {
        incoming.call().await.reset(Reason::REFUSED_STREAM);
    }
    let failed = upload.await.unwrap().unwrap_err();
    assert!(reason(&failed).starts_with("Unavailable STREAMS_UNREACHABLE"), "{failed:?}");
    assert!(incoming.is_empty());
}

#[tokio::test(start_paused = true)]
async fn does_not_make_a_request_stream_again_whose_body_was_begun() {
    for reset in [true, false] {
        let (calls, mut incoming) = start();
        let (send, sent) = items();
        let mut client = calls.client();
        let upload = tokio::spawn(async move { client.upload(sent).await });
        send.send(item("a")).await.unwrap();
        let call = incoming.call().await;
        tokio::time::sleep(MS).await;
        if reset {
            call.reset(Reason::REFUSED_STREAM);
        } else {
            call.trailers_only(UNAVAILABLE);
        }
        let failed = upload.await.unwrap().unwrap_err();
        assert!(reason(&failed).starts_with("Unavailable STREAMS_UN"), "{failed:?}");
        tokio::time::sleep(1_000 * MS).await;
        assert!(incoming.is_empty());
    }
}

#[tokio::test(start_paused = true)]
async fn makes_a_request_stream_again_of_a_peer_that_goes_away_only_where_nothing_of_it_was_taken() {
    for (at, is_made_again) in [(HEADERS, true), (DATA, false)] {
        let (dial, mut incoming) = by_hand();
        let calls = calls(GoesAwayAt::new(at, dial));
        let (send, sent) = items();
        let mut client = calls.client();
        let upload = tokio::spawn(async move { client.upload(sent).await });
        if is_made_again {
            let second = incoming.call().await;
            send.send(item("a")).await.unwrap();
            second.answer(&[], &[MESSAGE], OK);
            assert_eq!(upload.await.unwrap().unwrap().into_inner(), item("a"));
        } else {
            send.send(item("a")).await.unwrap();
            let failed = upload.await.unwrap().unwrap_err();
            assert!(reason(&failed).starts_with("Unavailable STREAMS_UNREACHABLE"), "{failed:?}");
            tokio::time::sleep(1_000 * MS).await;
            assert!(incoming.is_empty());
        }
    }
}

#[tokio::test(start_paused = true)]
async fn makes_an_idempotent_server_stream_again_until_its_headers_came() {
    let (calls, mut incoming) = start();
    let mut client = calls.client();
    let call = tokio::spawn(async move { client.download(item("the same")).await });
    incoming.call().await.trailers_only(UNAVAILABLE);
    incoming.call().await.reset(Reason::REFUSED_STREAM);
    let mut third = incoming.call().await;
    assert_eq!(third.header("grpc-previous-rpc-attempts"), Some("1"));
    let asked = third.request.body_mut().data().await.unwrap().unwrap();
    assert!(asked.ends_with(b"the same"));
    let answer = third.begin(&[]);
    let mut download = call.await.unwrap().unwrap().into_inner();
    answer.end(UNAVAILABLE);
    assert_eq!(next(&mut download).await, Some(Err("Unavailable STREAMS_UNAVAILABLE".into())));
    tokio::time::sleep(1_000 * MS).await;
    assert!(incoming.is_empty());
}

/// How many attempts a call of `Echo` has at a peer that is UNAVAILABLE, or that refuses.
async fn attempts(change: impl FnOnce(&mut UpstreamConfig), kind: Option<MethodKind>, refuses: bool) -> u32 {
    let (dial, mut incoming) = by_hand();
    let calls = calls_with(dial, change);
    let mut request = item("").into_request();
    request.extensions_mut().extend(kind.map(extensions).unwrap_or_default());
    let mut client = calls.client();
    let mut call = tokio::spawn(async move { client.echo(request).await });
    let mut count = 0;
    loop {
        tokio::select! {
            attempt = incoming.call() => {
                count += 1;
                if refuses { attempt.reset(Reason::REFUSED_STREAM) } else { attempt.trailers_only(UNAVAILABLE) }
            }
            answer = &mut call => {
                assert!(reason(&answer.unwrap().unwrap_err()).starts_with("Unavailable STREAMS_UN"));
                return count;
            }
        }
    }
}

fn extensions(kind: MethodKind) -> tonic::Extensions {
    let mut request = Request::new(());
    request.extensions_mut().insert(kind);
    request.into_parts().1
}

/// Of the method, or of all of its service.
fn config(method: Option<&str>, kind: MethodKind) -> MethodConfig {
    let (service, method) = ("streams.v1.Streams".into(), method.map(Into::into));
    MethodConfig { service, method, kind: Some(kind), timeout: None }
}

#[tokio::test(start_paused = true)]
async fn makes_a_unary_call_again_only_where_it_is_known_to_be_idempotent() {
    let safe = MethodKind::UNARY.idempotent();
    assert_eq!(attempts(|_| {}, None, false).await, 1, "the .proto does not say that it is");
    assert_eq!(attempts(|_| {}, None, true).await, 2, "what was refused was not processed");
    assert_eq!(attempts(|_| {}, Some(safe), false).await, 3);
    // The request wins over the config, a method over its service, and both over the descriptors.
    let configured = |method: MethodKind, service: MethodKind| {
        move |upstream: &mut UpstreamConfig| {
            upstream.methods = vec![config(None, service), config(Some("Echo"), method)];
        }
    };
    assert_eq!(attempts(configured(safe, MethodKind::UNARY), None, false).await, 3);
    assert_eq!(attempts(configured(MethodKind::UNARY, safe), None, false).await, 1);
    assert_eq!(attempts(configured(safe, safe), Some(MethodKind::UNARY), false).await, 1);
    assert_eq!(attempts(|upstream| upstream.methods = vec![config(None, safe)], None, false).await, 3);
}

#[tokio::test(start_paused = true)]
async fn takes_what_is_not_described_for_a_stream_that_is_made_again_only_if_refused() {
    let (dial, mut incoming) = by_hand();
    let peer = service_runtime::Peer::new("streams");
    let upstream = service_runtime::client::Upstream::new(peer, UpstreamConfig::in_process()).unwrap();
    let upstream = upstream.dialer(std::sync::Arc::new(dial));
    let upstream = upstream.connect(&service_runtime::Identity::new("tester", "test.v1"));
    let calls = Calls { upstream, context: service_runtime::context::Context::new() };

    let mut client = calls.client();
    let call = tokio::spawn(async move { client.echo(item("a")).await });
    // No cap, for it may be a stream.
    let call_of_peer = incoming.call().await;
    assert_eq!(call_of_peer.header("grpc-timeout"), None);
    tokio::time::sleep(10_000 * MS).await;
    let mut answer = call_of_peer.begin(&[]);
    answer.data(frame(0, MESSAGE));
    answer.end(OK);
    assert_eq!(call.await.unwrap().unwrap().into_inner(), item("a"));

    let (send, sent) = items();
    let mut client = calls.client();
    let call = tokio::spawn(async move { client.upload(sent).await });
    incoming.call().await.reset(Reason::REFUSED_STREAM);
    incoming.call().await.trailers_only(UNAVAILABLE);
    let failed = call.await.unwrap().unwrap_err();
    assert_eq!(reason(&failed), "Unavailable STREAMS_UNAVAILABLE");
    drop(send);
    tokio::time::sleep(1_000 * MS).await;
    assert!(incoming.is_empty());
}
