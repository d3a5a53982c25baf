//! What a single call does when its connection is lost and the next one does not come, on a paused clock.

use std::{
    io,
    sync::atomic::{AtomicBool, Ordering},
};

use hostile_peer::{Role, serve};
use http::uri::PathAndQuery;
use tokio::io::duplex;
use tonic::client::Grpc;
use tonic_prost::ProstCodec;

use super::*;
use crate::{
    client::{BoxFuture, ByteStream, Endpoint},
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
    let peer = Peer::new("service-a");
    let endpoint = Endpoint { target: "service-a:1".parse().unwrap(), address: ([127, 0, 0, 1], 1).into() };
    let config = ReplicaConfig {
        peer: peer.clone(),
        dialer: Arc::new(Once::default()),
        connect_timeout: Duration::from_secs(1),
        max_backoff: Duration::from_secs(1),
        log: Arc::default(),
        outliers: Arc::default(),
        subset: Subset::new(1, "b", 0),
    };
    WorkerUpstream {
        identity: service_b(),
        peer,
        url: endpoint.to_string().into(),
        cap: Duration::from_secs(2),
        max_message: 1024,
        retry_attempts: 3,
        balancer: Balancer::of(config, [(endpoint, Backoff::default())]),
        budget: Arc::default(),
        random: Mutex::new(StdRng::seed_from_u64(1)),
    }
}

#[tokio::test(start_paused = true)]
async fn does_not_wait_for_a_connection_to_ask_again_when_it_has_its_answer() {
    let upstream = upstream();
    // Connected for long, so that the next connection is a first try, which another call would wait for.
    sleep(Duration::from_secs(1)).await;
    let began = Instant::now();
    let context = Context::of(&Request::new(()));
    let answer = upstream.call(&context, (), |channel, request| async {
        let mut grpc = Grpc::new(channel);
        grpc.ready().await?;
        grpc.unary::<(), (), _>(request, PathAndQuery::from_static("/x/y"), ProstCodec::default()).await
    });
    let origin = Origin::of(&answer.await.unwrap_err()).unwrap();
    assert_eq!((origin.reason.as_str(), origin.attempts), ("SERVICE_A_CONNECTION_LOST", Some(1)));
    // The pause before the retry is 20 ms at most.
    assert!(began.elapsed() <= Duration::from_millis(20) + RETRY_WAIT, "{:?}", began.elapsed());
}
