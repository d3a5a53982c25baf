//! What the simulation and the fuzzers of this repository need of the insides; for nothing else, and without a promise.

use std::{
    sync::{Arc, Mutex, atomic::Ordering},
    time::Duration,
};

use http::{HeaderMap, Request, Response, Uri};
use rand::{SeedableRng, rngs::StdRng};
use tokio::{io::DuplexStream, sync::watch};
use tonic::body::Body;

use crate::{
    client::{
        Backoff, Dial, Endpoint, Keepalive, WorkerUpstream, balancer::Balancer, methods::MethodTable,
        replicas::ReplicaConfig, subset::Subset, worker::Worker,
    },
    context::Call,
    identity::Identity,
    layers::{Handle, json::Query, user::NoLayers},
    server::{Server, Services, connection, shared::Shared, stack::Stack, worker},
    shutdown::Phase,
    status::Refusal,
};

pub use crate::{
    client::{check::whole as check_answer, retry::Pushback},
    frames::{DATA, END_STREAM, Frames, HEADERS, Head, RST_STREAM, Step},
    grpc::{Encoding, FRAME_HEADER, Wrong, read as read_message},
    layers::behavior::{Action, Asked, Behavior, RPC_BEHAVIOR, read as read_behaviors},
    server::wire::Wire,
};

/// One worker of a server without a listener, which serves for as long as this is there.
pub struct OneWorker {
    stack: Stack<NoLayers>,
    shared: Shared<NoLayers>,
    _serving: watch::Sender<Phase>,
}

impl OneWorker {
    /// Errors: services and descriptors that do not fit together.
    pub fn new(server: Server, services: Services) -> anyhow::Result<Self> {
        let (shared, serving) = server.shared()?;
        Ok(OneWorker { stack: worker::assemble(&shared, services)?, shared, _serving: serving })
    }

    /// Serves one connection, whose calls `handler` takes: this worker, or something around it.
    pub async fn serve(&self, io: DuplexStream, handler: Arc<impl Handle>) -> usize {
        let config = &self.shared.config;
        let (window, lifetime) = (config.stream_window(), config.lifetime());
        connection::serve(io, None, handler, window, lifetime, self.shared.phases.clone()).await
    }

    /// Calls that count against the limit.
    pub fn calls_in_flight(&self) -> usize {
        self.shared.calls.load(Ordering::Relaxed)
    }
}

impl Handle for OneWorker {
    async fn handle(&self, request: Request<Body>) -> Response<Body> {
        self.stack.handle(request).await
    }
}

/// How a peer is called in a simulation.
#[derive(Clone, Copy, Debug)]
pub struct Simulated {
    /// What all chance is drawn from.
    pub seed: u64,
    /// The cap on a whole call.
    pub cap: Duration,
    /// The cap on connecting.
    pub connect_timeout: Duration,
    /// The most attempts of one call.
    pub retry_attempts: u32,
    /// The most connections.
    pub connections: usize,
    /// Between two PINGs while calls are open.
    pub keepalive: Option<Duration>,
}

/// The peer of `identity`, which is reached by `dial` and has one replica. Needs a Tokio runtime.
pub fn upstream_over(dial: impl Dial, identity: Identity, how: Simulated) -> WorkerUpstream {
    let peer = identity.behind().expect("it calls a peer").clone();
    let target = format!("{}:1", peer.name()).parse().expect("a name and a port");
    let endpoint = Endpoint { target, address: ([127, 0, 0, 1], 1).into() };
    let longest = Duration::from_secs(1);
    let config = ReplicaConfig {
        peer: peer.clone(),
        dialer: Arc::new(dial),
        connect_timeout: how.connect_timeout,
        max_backoff: longest,
        keepalive: how.keepalive.map(Keepalive::every),
        connections: how.connections,
        total: Arc::default(),
        log: Arc::default(),
        outliers: Arc::default(),
        subset: Subset { size: 1, client: 0 },
    };
    let backoff = Backoff::drawn_from(longest, StdRng::seed_from_u64(!how.seed));
    WorkerUpstream(Arc::new(Worker {
        identity,
        url: endpoint.to_string().into(),
        max_message: 64 * 1024,
        retry_attempts: how.retry_attempts,
        balancer: Balancer::of(config, [(endpoint, backoff)]),
        budget: Arc::default(),
        random: Mutex::new(StdRng::seed_from_u64(how.seed)),
        methods: Arc::new(MethodTable::new(&peer, &[], how.cap).expect("the peer's descriptors can be decoded")),
        peer,
    }))
}

/// A call that begins with these headers.
pub fn begin_call(headers: &HeaderMap) -> Call {
    Call::begin(headers, None)
}

/// The query of a JSON request. Errors: it is refused.
pub fn read_query(uri: &Uri) -> Result<Query, Refusal> {
    Query::read(uri)
}
