//! What a single call does when its connection is lost and the next one does not come, on a paused clock.

use std::{
    io,
    sync::atomic::{AtomicBool, Ordering},
};

use hostile_peer::{Role, serve};
use http::uri::PathAndQuery;
use tokio::io::duplex;
use tokio::time::{Instant, sleep};
use tonic::{Request, client::Grpc};
use tonic_prost::ProstCodec;

use super::*;
use crate::{
    client::{BoxFuture, ByteStream, Endpoint, MethodKind, call::RETRY_WAIT},
    harness::{Simulated, upstream_over},
    identity::service_b,
    origin::Origin,
};

/// Reaches a peer that closes at its first call, once; after that connects get no answer.
#[derive(Default)]
struct Once(AtomicBool);

impl Dial for Once {
    fn dial<'a>(&'a self, _: &'a Endpoint) -> BoxFuture<'a, io::Result<Box<dyn ByteStream>>> {
        if self.0.swap(true, Ordering::Relaxed) {
            return Box::pin(std::future::pending());
        }
        let (ours, theirs) = duplex(64 * 1024);
        let role = Role::new("close-before-headers".parse().unwrap());
        tokio::spawn(async move { serve(theirs, &role).await });
        Box::pin(async { Ok(Box::new(ours) as _) })
    }
}

fn upstream() -> WorkerUpstream {
    let how = Simulated {
        seed: 1,
        cap: Duration::from_secs(2),
        connect_timeout: Duration::from_secs(1),
        retry_attempts: 3,
        connections: 1,
        keepalive: None,
    };
    upstream_over(Once::default(), service_b(), how)
}

#[tokio::test(start_paused = true)]
async fn does_not_wait_for_a_connection_to_ask_again_when_it_has_its_answer() {
    let upstream = upstream();
    // Connected for long, so that the next connection is a first try, which another call would wait for.
    sleep(Duration::from_secs(1)).await;
    let began = Instant::now();
    let context = Context::new();
    let mut grpc = Grpc::new(upstream.channel(&context));
    grpc.ready().await.unwrap();
    let mut request = Request::new(());
    request.extensions_mut().insert(MethodKind::UNARY.idempotent());
    let answer = grpc.unary::<(), (), _>(request, PathAndQuery::from_static("/x/y"), ProstCodec::default()).await;
    let origin = Origin::of(&answer.unwrap_err()).unwrap();
    assert_eq!((origin.reason.as_str(), origin.attempts), ("SERVICE_A_CONNECTION_LOST", Some(1)));
    // The pause before the retry is 20 ms at most.
    assert!(began.elapsed() <= Duration::from_millis(20) + RETRY_WAIT, "{:?}", began.elapsed());
}
