//! Layers of a stranger: where they stand, what passes them, and what becomes of one that fails.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Poll},
};

use futures_util::future::BoxFuture;
use http::{Request, Response};
use tonic::{Code, Status, body::Body, service::InterceptorLayer};
use tower::{BoxError, Layer, Service};

use crate::{
    raw,
    scripted::{LONG, config, failed, line, named, scripted, server, start},
};

/// Refuses whoever has no token.
fn auth(request: tonic::Request<()>) -> Result<tonic::Request<()>, Status> {
    match request.metadata().get("token") {
        Some(_) => Ok(request),
        None => Err(Status::unauthenticated("a token, please")),
    }
}

/// A layer that does with each call what `act` says before it lets it pass.
#[derive(Clone)]
struct Act<F>(F);

#[derive(Clone)]
struct Acting<F, S> {
    act: F,
    inner: S,
}

impl<F: Clone, S> Layer<S> for Act<F> {
    type Service = Acting<F, S>;

    fn layer(&self, inner: S) -> Self::Service {
        Acting { act: self.0.clone(), inner }
    }
}

impl<F, Fut, S> Service<Request<Body>> for Acting<F, S>
where
    F: Fn() -> Fut,
    Fut: Future<Output = Result<(), BoxError>> + Send + 'static,
    S: Service<Request<Body>, Response = Response<Body>, Error: Into<BoxError>, Future: Send> + Clone + Send + 'static,
{
    type Response = Response<Body>;
    type Error = BoxError;
    type Future = BoxFuture<'static, Result<Response<Body>, BoxError>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let (act, mut inner) = ((self.act)(), self.inner.clone());
        Box::pin(async move {
            act.await?;
            inner.call(request).await.map_err(Into::into)
        })
    }
}

async fn health(address: std::net::SocketAddr) -> String {
    let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
    raw::call_path(&mut stream, "/grpc.health.v1.Health/Check", &[], b"\0\0\0\0\0").await
}

#[tokio::test]
async fn an_interceptor_refuses_with_an_origin_and_health_passes_it() {
    let running = start!(server(config(|_| {})).layer(InterceptorLayer::new(auth)));
    let mut client = running.client().await;
    assert_eq!(
        failed(client.say(scripted("", line("hello"))).await),
        (Code::Unauthenticated, "UNAUTHENTICATED".into())
    );
    let mut with_token = scripted("", line("hello"));
    with_token.metadata_mut().insert("token", "secret".parse().unwrap());
    client.say(with_token).await.unwrap();
    assert_eq!(health(running.address).await, "0");
}

#[tokio::test]
async fn health_passes_layers_that_are_meant_for_it_too() {
    let running = start!(server(config(|_| {})).layer(InterceptorLayer::new(auth)).layers_for_health_too());
    assert_eq!(health(running.address).await, "16");
}

#[tokio::test]
async fn a_layer_refuses_before_the_body_is_there() {
    let running = start!(server(config(|_| {})).layer(InterceptorLayer::new(auth)));
    let mut stream = tokio::net::TcpStream::connect(running.address).await.unwrap();
    // Of its message only the half comes, and no end.
    let answer = raw::unfinished(&mut stream, "/chat.v1.Chat/Say", b"\0\0\0\0\x09half").await;
    assert_eq!(answer, "16");
}

#[tokio::test]
async fn a_layer_that_waits_holds_a_call_of_those_that_are_allowed() {
    let (passes, gate) = tokio::sync::watch::channel(false);
    let (waits, mut waiting) = tokio::sync::mpsc::unbounded_channel();
    let layer = move || {
        let (mut gate, waits) = (gate.clone(), waits.clone());
        async move {
            waits.send(())?;
            gate.wait_for(|open| *open).await.map(drop).map_err(BoxError::from)
        }
    };
    let config = config(|config| config.max_concurrent_calls = 1);
    let running = start!(server(config).layer(Act(layer)));
    let mut client = running.client().await;
    let first = tokio::spawn({
        let mut client = client.clone();
        async move { client.say(scripted("", line("first"))).await }
    });
    waiting.recv().await.unwrap();
    let overloaded = client.say(scripted("", line("second"))).await;
    assert_eq!(failed(overloaded), (Code::ResourceExhausted, "OVERLOADED".into()));
    passes.send(true).unwrap();
    tokio::time::timeout(LONG, first).await.unwrap().unwrap().unwrap();
}

#[tokio::test]
async fn a_layer_that_never_answers_ends_with_the_callers_deadline() {
    let running = start!(server(config(|_| {})).layer(Act(std::future::pending::<Result<(), BoxError>>)));
    let mut stream = tokio::net::TcpStream::connect(running.address).await.unwrap();
    let status = raw::call(&mut stream, &[("grpc-timeout", "50m")], b"\0\0\0\0\0").await;
    assert_eq!(status, "4");
}

#[tokio::test]
async fn a_layer_that_panics_costs_its_own_call() {
    let panics = || async {
        if true {
            panic!("a layer");
        }
        Ok::<(), BoxError>(())
    };
    let running = start!(server(config(|_| {})).layer(Act(panics)));
    let mut client = running.client().await;
    for _ in 0..2 {
        assert_eq!(failed(client.say(scripted("", line("hello"))).await), (Code::Unknown, "PANIC".into()));
    }
    assert_eq!(health(running.address).await, "0");
}

#[tokio::test]
async fn a_layer_may_fail_with_a_status_and_what_else_it_fails_with_is_for_the_log() {
    let busy = || async { Err::<(), BoxError>(Status::resource_exhausted("come back later").into()) };
    let running = start!(server(config(|_| {})).layer(Act(busy)));
    let failure = failed(running.client().await.say(scripted("", line("hello"))).await);
    assert_eq!(failure, (Code::ResourceExhausted, "RESOURCE_EXHAUSTED".into()));

    let breaks = || async { Err::<(), BoxError>("the key store is at 10.0.0.7".into()) };
    let running = start!(server(config(|_| {})).layer(Act(breaks)));
    let status = running.client().await.say(scripted("", line("hello"))).await.unwrap_err();
    assert_eq!(crate::scripted::failure(&status), (Code::Unknown, "LAYER_FAILED".into()));
    assert!(!status.message().contains("10.0.0.7"), "{status:?}");
    crate::log::line_with("the key store is at 10.0.0.7").await;
}

#[tokio::test]
async fn of_several_layers_the_first_is_the_outermost() {
    let order = Arc::new(AtomicUsize::new(0));
    let nth = |expected: usize| {
        let order = order.clone();
        move || {
            let place = order.fetch_add(1, Ordering::Relaxed);
            async move {
                if place == expected { Ok(()) } else { Err(BoxError::from(format!("{expected} came as {place}"))) }
            }
        }
    };
    let running = start!(server(config(|_| {})).layer(Act(nth(0))).layer(Act(nth(1))).layer(Act(nth(2))));
    running.client().await.say(named(scripted("", line("hello")), "three-layers")).await.unwrap();
}
