//! What the simulation and the fuzzers of this repository need of the insides; for nothing else, and without a promise.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use http::{HeaderMap, Uri};
use rand::{SeedableRng, rngs::StdRng};

use crate::{
    client::{
        Backoff, Dial, Endpoint, Keepalive, WorkerUpstream, balancer::Balancer, methods::MethodTable,
        replicas::ReplicaConfig, subset::Subset, worker::Worker,
    },
    context::Call,
    identity::Identity,
    layers::json::Query,
    status::Refusal,
};

pub use crate::{
    client::{check::whole as check_answer, retry::Pushback},
    frames::{DATA, END_STREAM, Frames, HEADERS, Head, RST_STREAM, Step},
    grpc::{Encoding, FRAME_HEADER, Wrong, read as read_message},
    layers::behavior::{Action, Asked, Behavior, RPC_BEHAVIOR, read as read_behaviors},
    server::wire::Wire,
};

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
