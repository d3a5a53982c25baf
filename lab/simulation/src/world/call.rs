//! A call as a service makes it, and what its caller sees.

use std::fmt;

use http::{HeaderMap, HeaderValue, uri::PathAndQuery};
use tokio::time::{Instant, timeout};
use tonic::{Request, Status, client::Grpc};
use tonic_prost::ProstCodec;

use super::{
    allowed::{self, Set},
    draw::Shot,
};
use service_runtime::{
    client::{MethodKind, WorkerUpstream},
    context::{Context, REQUEST_ID},
    deadline::Deadline,
    harness::begin_call,
    origin::Origin,
    status::{Broken, Cause},
};

/// The request and its answer: the same field in both.
#[derive(Clone, PartialEq, prost::Message)]
struct Echo {
    #[prost(string, tag = "1")]
    text: String,
}

/// What a call came to.
pub struct Record {
    pub number: usize,
    pub shot: Shot,
    pub began: Instant,
    pub ended: Instant,
    /// None where its caller went away first.
    pub outcome: Option<Set>,
    /// As its caller saw it.
    pub seen: String,
}

impl fmt::Display for Record {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Record { number, shot: Shot { timeout, length, streams, .. }, began, ended, seen, .. } = self;
        let kind = if *streams { "streamed call" } else { "call" };
        write!(f, "{kind} {number}, {length} bytes, timeout {timeout:?}: {seen} after {:?}", *ended - *began)
    }
}

pub async fn call(upstream: WorkerUpstream, number: usize, shot: Shot) -> Record {
    let began = Instant::now();
    let text = format!("call {number} {}", "x".repeat(shot.length));
    let call = echo(&upstream, number, shot, text.clone());
    let answer = match shot.cancel {
        Some(after) => timeout(after, call).await.ok(),
        None => Some(call.await),
    };
    let ended = Instant::now();
    let (outcome, seen) = match &answer {
        None => (None, "cancelled by its caller".to_owned()),
        Some(Ok(messages)) => (Some(allowed::OK), format!("Ok, messages: {messages}")),
        Some(Err(status)) => seen(status),
    };
    Record { number, shot, began, ended, outcome, seen }
}

fn seen(status: &Status) -> (Option<Set>, String) {
    let origin = Origin::of(status).unwrap_or_default();
    let details = origin.details.unwrap_or_default();
    (Some(Set::outcome(status.code(), &origin.reason)), format!("{:?} {} ({details})", status.code(), origin.reason))
}

/// As a service does it: the number of messages that answer the call, each of which has the text that was sent.
async fn echo(upstream: &WorkerUpstream, number: usize, shot: Shot, text: String) -> Result<usize, Status> {
    // Its own would be a random one, and differ in length once it is compressed.
    let id = HeaderValue::try_from(format!("{number:016}")).unwrap();
    let call = begin_call(&HeaderMap::from_iter([(REQUEST_ID, id)]));
    let context = Context { call, deadline: shot.timeout.map(Deadline::after) };
    let mut grpc = Grpc::new(upstream.channel(&context));
    grpc.ready().await?;
    let mut request = Request::new(Echo { text: text.clone() });
    let mut kind = MethodKind::UNARY.idempotent();
    kind.server_streaming = shot.streams;
    request.extensions_mut().insert(kind);
    let method = PathAndQuery::from_static("/echo.v1.EchoService/Echo");
    let has_the_text = |message: &Echo| match message.text == text {
        true => Ok(()),
        false => Err(upstream.failed(&context, Cause::Broken(Broken::AnotherText))),
    };
    if !shot.streams {
        let answer = grpc.unary(request, method, ProstCodec::default()).await;
        return upstream.checked(&context, answer).and_then(|answer| has_the_text(answer.get_ref())).map(|()| 1);
    }
    let begun = grpc.server_streaming(request, method, ProstCodec::<Echo, Echo>::default()).await;
    let mut answers = upstream.checked(&context, begun)?.into_inner();
    let mut messages = 0;
    while let Some(message) = upstream.checked(&context, answers.message().await)? {
        has_the_text(&message)?;
        messages += 1;
    }
    Ok(messages)
}
