//! A peer that says goodbye to every connection as soon as there is a call on it, on a paused clock.

use std::{
    io,
    sync::atomic::{AtomicUsize, Ordering},
};

use http::uri::PathAndQuery;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream, duplex},
    time::sleep,
};
use tonic::{Request, client::Grpc};
use tonic_prost::ProstCodec;

use super::*;
use crate::{
    client::{BoxFuture, ByteStream, MethodKind, WorkerUpstream},
    context::Context,
    deadline::Deadline,
    harness::{Simulated, upstream_over},
    identity::service_b,
    origin::Origin,
};

const SETTINGS: [u8; 9] = [0, 0, 0, 4, 0, 0, 0, 0, 0];
/// NO_ERROR, after stream 1.
const GOAWAY: [u8; 17] = [0, 0, 8, 7, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0];
/// `:status: 200`, and the end of stream 1.
const ANSWER: [u8; 10] = [0, 0, 1, 1, 5, 0, 0, 0, 1, 0x88];

struct Leaves {
    answers: bool,
    dials: AtomicUsize,
}

impl Dial for Arc<Leaves> {
    fn dial<'a>(&'a self, _: &'a Endpoint) -> BoxFuture<'a, io::Result<Box<dyn ByteStream>>> {
        self.dials.fetch_add(1, Ordering::Relaxed);
        let (ours, theirs) = duplex(64 * 1024);
        tokio::spawn(leave(theirs, self.answers));
        Box::pin(async { Ok(Box::new(ours) as _) })
    }
}

async fn leave(mut io: DuplexStream, answers: bool) -> io::Result<()> {
    const HEADERS: u8 = 1;
    io.write_all(&SETTINGS).await?;
    let mut preface = [0; 24];
    io.read_exact(&mut preface).await?;
    let mut head = [0; 9];
    while head[3] != HEADERS {
        io.read_exact(&mut head).await?;
        let length = usize::from(head[1]) << 8 | usize::from(head[2]);
        io.read_exact(&mut vec![0; length]).await?;
    }
    io.write_all(&GOAWAY).await?;
    if answers {
        sleep(Duration::from_millis(5)).await;
        io.write_all(&ANSWER).await?;
    }
    std::future::pending().await
}

/// A call that has 30 ms: what it fails with.
async fn call(upstream: &WorkerUpstream) -> String {
    let context = Context::new().with_deadline(Deadline::after(Duration::from_millis(30)));
    let mut grpc = Grpc::new(upstream.channel(&context));
    grpc.ready().await.unwrap();
    let mut request = Request::new(());
    request.extensions_mut().insert(MethodKind::UNARY);
    let path = PathAndQuery::from_static("/x.Y/Z");
    let status = grpc.unary::<(), (), _>(request, path, ProstCodec::default()).await.unwrap_err();
    Origin::of(&status).unwrap().reason
}

/// What twenty calls fail with, one after the other, and the number of connections.
async fn twenty_calls(answers: bool) -> (Vec<String>, usize) {
    let peer = Arc::new(Leaves { answers, dials: AtomicUsize::default() });
    let how = Simulated {
        seed: 1,
        cap: Duration::from_secs(2),
        connect_timeout: Duration::from_secs(1),
        retry_attempts: 1,
        connections: 1,
        keepalive: None,
    };
    let upstream = upstream_over(peer.clone(), service_b(), how);
    let mut reasons = Vec::new();
    for _ in 0..20 {
        reasons.push(call(&upstream).await);
    }
    (reasons, peer.dials.load(Ordering::Relaxed))
}

#[tokio::test(start_paused = true)]
async fn trusts_a_peer_that_is_slow_and_says_goodbye_as_long_as_it_answers_after_all() {
    let (reasons, dials) = twenty_calls(true).await;
    // It says nothing of gRPC, but it is an answer.
    assert_eq!((reasons, dials), (vec!["SERVICE_A_NOT_GRPC".to_owned(); 20], 21));
}

#[tokio::test(start_paused = true)]
async fn does_not_connect_again_and_again_to_a_peer_that_only_says_goodbye() {
    let (reasons, dials) = twenty_calls(false).await;
    // The first, those on trust, and one immediate second try.
    assert_eq!(dials, 1 + TRUST as usize + 1);
    assert_eq!(reasons[dials], "SERVICE_A_UNREACHABLE");
}
