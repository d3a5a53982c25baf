//! Metadata that comes in several fields, on its way through B: to A, and back.

use std::{convert::Infallible, net::SocketAddr};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Request, Response};
use http_body_util::Empty;
use hyper::{body::Incoming, server::conn::http2, service::service_fn};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::{net::TcpListener, sync::mpsc};

use crate::faults::support::{Answer, Caller, start};

/// Stands for A behind a proxy, and hands out what it is asked; its answer is UNIMPLEMENTED, for that is not retried.
async fn proxied_a() -> (SocketAddr, mpsc::UnboundedReceiver<HeaderMap>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (sender, asked) = mpsc::unbounded_channel();
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            let sender = sender.clone();
            let service = service_fn(move |request: Request<Incoming>| {
                let _ = sender.send(request.headers().clone());
                std::future::ready(Ok::<_, Infallible>(answer()))
            });
            tokio::spawn(http2::Builder::new(TokioExecutor::new()).serve_connection(TokioIo::new(stream), service));
        }
    });
    (address, asked)
}

fn answer() -> Response<Empty<Bytes>> {
    let answer = Response::builder().header("content-type", "application/grpc").header("grpc-status", "12");
    answer
        .header("served-by", HeaderValue::from_bytes("büro/7".as_bytes()).unwrap())
        .header("served-by", "service-a/1")
        .body(Empty::new())
        .unwrap()
}

#[tokio::test]
async fn every_field_of_tracestate_goes_on_to_a_and_every_field_of_served_by_comes_back() {
    let (a, mut asked) = proxied_a().await;
    let b = start("service-b", &["--instance", "b-1", "--workers", "1", "--service-a", &a.to_string()]).await;
    let parent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    let trace = [("traceparent", parent), ("tracestate", "a=1,b=2"), ("tracestate", "c=3")];
    for answer in Caller::of(&b).both(&trace).await {
        let at_a = asked.recv().await.unwrap();
        assert_eq!(at_a.get_all("tracestate").iter().collect::<Vec<_>>(), ["a=1,b=2", "c=3"]);
        assert_eq!(at_a["traceparent"], parent);
        assert_eq!(answer.headers["served-by"], "service-b/b-1, b%C3%BCro/7, service-a/1");
    }
}

#[tokio::test]
async fn of_two_parents_of_a_trace_a_hears_nothing() {
    let (a, mut asked) = proxied_a().await;
    let b = start("service-b", &["--workers", "1", "--service-a", &a.to_string()]).await;
    let trace = [("traceparent", "00-1-2-01"), ("traceparent", "00-3-4-01"), ("tracestate", "a=1")];
    for _ in Caller::of(&b).both(&trace).await {
        let at_a = asked.recv().await.unwrap();
        assert!(!at_a.contains_key("traceparent") && !at_a.contains_key("tracestate"), "{at_a:?}");
    }
}

/// Which of what only people want to know an answer tells.
fn told(answer: &Answer) -> Vec<&str> {
    let names = ["received-timeout-ms", "sent-timeout-ms", "x-request-id"];
    names.into_iter().filter(|name| answer.headers.contains_key(*name)).collect()
}

#[tokio::test]
async fn deadlines_and_the_callers_own_request_id_come_back_over_grpc_where_they_are_asked_for() {
    let (address, mut asked) = proxied_a().await;
    let b = start("service-b", &["--workers", "1", "--service-a", &address.to_string()]).await;
    let caller = Caller::of(&b);
    let all = ["received-timeout-ms", "sent-timeout-ms", "x-request-id"];
    let (timeout, id, explain) = (("grpc-timeout", "5S"), ("x-request-id", "7"), ("x-explain", "1"));
    for (metadata, over_grpc) in [
        (&[timeout, id, explain][..], &all[..]),
        (&[timeout, id], &[]),
        // The caller cannot know an id that the service made.
        (&[timeout], &["x-request-id"]),
        (&[timeout, ("x-request-id", "")], &["x-request-id"]),
        (&[timeout, explain], &all),
        (&[id, explain], &["sent-timeout-ms", "x-request-id"]),
        (&[timeout, id, ("x-explain", "0")], &[]),
        (&[timeout, id, ("x-explain", "true")], &[]),
        (&[timeout, id, ("x-explain", "")], &[]),
    ] {
        let [grpc, json] = caller.both(metadata).await;
        assert_eq!(told(&grpc), over_grpc, "{metadata:?} {grpc:?}");
        assert!(json.headers.contains_key("x-request-id") && json.headers.contains_key("sent-timeout-ms"), "{json:?}");
        assert_eq!(json.headers.contains_key("received-timeout-ms"), metadata.contains(&timeout), "{json:?}");
        for _ in 0..2 {
            assert!(!asked.recv().await.unwrap().contains_key("x-explain"));
        }
    }
    let a = start("service-a", &["--workers", "1"]).await;
    let caller = Caller::of(&a);
    assert_eq!(told(&caller.call(&[timeout, id]).await), [""; 0]);
    assert_eq!(told(&caller.call(&[timeout, id, explain]).await), ["received-timeout-ms", "x-request-id"]);
    assert_eq!(told(&caller.get(&[timeout, id]).await), ["received-timeout-ms", "x-request-id"]);
}

#[tokio::test]
async fn says_how_many_attempts_were_made_over_json_and_where_the_request_asks() {
    let (a, mut asked) = proxied_a().await;
    let b = start("service-b", &["--workers", "1", "--service-a", &a.to_string()]).await;
    for (explain, over_grpc) in [(&[][..], None), (&[("x-explain", "0")], None), (&[("x-explain", "1")], Some("1"))] {
        let [grpc, json] = Caller::of(&b).both(explain).await;
        let told = |headers: &HeaderMap| headers.get("sent-attempts").map(|value| value.to_str().unwrap().to_owned());
        assert_eq!(
            (told(&grpc.headers).as_deref(), told(&json.headers).as_deref()),
            (over_grpc, Some("1")),
            "{explain:?}"
        );
        for _ in 0..2 {
            assert!(!asked.recv().await.unwrap().contains_key("x-explain"), "it is for B alone");
        }
    }
}
