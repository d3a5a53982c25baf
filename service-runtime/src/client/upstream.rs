//! A peer: what is configured, what the workers of a process share of it, and what each of them has for itself.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use anyhow::Context as _;
use rand::{SeedableRng, rngs::StdRng};
use tonic::Status;

use super::{
    Backoff, Dial, Keepalive, MethodConfig, PeerChannel, Resolve, Sockets, SystemResolver, Target, balancer::Balancer,
    budget::RetryBudget, methods::MethodTable, outlier::Outliers, peer_log::PeerLog, pool::Total, progress::blame,
    replicas::ReplicaConfig, resolver::Resolver, subset::Subset, under_way::in_the_log, worker::Worker,
};
use crate::{
    context::{Context, PeerCall},
    identity::{Identity, Peer, Place},
    origin::{self, Facts},
    status::Cause,
};

/// Where a peer is and how long to wait for it.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct UpstreamConfig {
    /// Where its replicas listen; a name with many addresses is many replicas.
    pub targets: Vec<Target>,
    /// The cap on a whole call, whatever the caller's deadline is.
    pub timeout: Duration,
    /// The cap on a look-up, and on connecting. Where `timeout` is shorter, a call does not wait for either for longer than that, and
    /// the try goes on without it.
    pub connect_timeout: Duration,
    /// The longest pause between two tries to connect.
    pub max_backoff: Duration,
    /// The most attempts of one call, the first counted; 1 is no retries.
    pub retry_attempts: usize,
    /// Between two PINGs while calls are open; `None` sends none. At least 10 s (gRFC A8).
    pub keepalive: Option<Duration>,
    /// The most connections of a worker to one replica: one, and more where calls wait for a stream.
    pub connections: usize,
    /// The most replicas that a worker connects to.
    pub subset: usize,
    /// The largest answer that is taken, in bytes.
    /// A generated client has a limit of its own, 4 MiB; above that it
    /// needs `.max_decoding_message_size(usize::MAX)`.
    pub max_message_size: usize,
    /// What the peer's descriptors do not say of its methods, or say otherwise.
    pub methods: Vec<MethodConfig>,
}

impl UpstreamConfig {
    /// The peer at these targets, and for all else the defaults: 2 s a call, 1 s to connect, 1 s between two tries, 3 attempts, PINGs
    /// every 5 min, 8 connections to a replica, 100 replicas a worker, answers of up to 64 KiB.
    pub fn new(targets: Vec<Target>) -> Self {
        UpstreamConfig {
            targets,
            timeout: Duration::from_secs(2),
            connect_timeout: Duration::from_secs(1),
            max_backoff: Duration::from_secs(1),
            retry_attempts: 3,
            keepalive: Some(Duration::from_secs(300)),
            connections: 8,
            subset: 100,
            max_message_size: 64 * 1024,
            methods: Vec::new(),
        }
    }

    /// The same for a peer without an address, such as a server in this process: [`Upstream::dialer`] has to say how it is reached.
    pub fn in_process() -> Self {
        Self::new(vec![Target::in_process()])
    }
}

/// A peer as a process sees it: what its workers share. Make one for each peer, and [`on`](Upstream::on) of it for each worker.
pub struct Upstream {
    peer: Peer,
    config: UpstreamConfig,
    resolver: Arc<dyn Resolve>,
    dialer: Arc<dyn Dial>,
    log: Arc<PeerLog>,
    outliers: Arc<Outliers>,
    budget: Arc<RetryBudget>,
    methods: Arc<MethodTable>,
    connections: Arc<Total>,
}

impl Upstream {
    /// A peer that is not connected to yet. Errors: descriptors of the peer that cannot be decoded.
    pub fn new(peer: Peer, config: UpstreamConfig) -> anyhow::Result<Self> {
        let methods = MethodTable::new(&peer, &config.methods, config.timeout)
            .with_context(|| format!("what describes {}", peer.name()))?;
        Ok(Upstream {
            peer,
            config,
            resolver: Arc::new(SystemResolver),
            dialer: Arc::new(Sockets),
            log: Arc::default(),
            outliers: Arc::default(),
            budget: Arc::default(),
            methods: Arc::new(methods),
            connections: Arc::default(),
        })
    }

    /// Looks names up by `resolver`, in place of the system's.
    pub fn resolver(self, resolver: Arc<impl Resolve>) -> Self {
        Upstream { resolver, ..self }
    }

    /// Connects by `dialer`, in place of TCP and Unix sockets.
    pub fn dialer(self, dialer: Arc<impl Dial>) -> Self {
        Upstream { dialer, ..self }
    }

    /// The same without a server of ours around it: for any program in a Tokio runtime, whose failures name `identity`. One set of
    /// connections, for all threads of the runtime; make it once and clone it.
    pub fn connect(&self, identity: &Identity) -> WorkerUpstream {
        self.on(&Place { identity: identity.clone(), instance: identity.name().into(), worker: 0 })
    }

    /// Starts to look up and to connect, and keeps connected until it is dropped. Call it in the factory of a server, with the
    /// worker that the factory is given; elsewhere with any [`Place`]. Needs a Tokio runtime.
    pub fn on(&self, place: &impl AsRef<Place>) -> WorkerUpstream {
        let (config, place) = (&self.config, place.as_ref());
        let resolver = Resolver {
            targets: config.targets.clone(),
            resolve: self.resolver.clone(),
            timeout: config.connect_timeout,
            backoff: Backoff::new(config.max_backoff),
        };
        let replicas = ReplicaConfig {
            peer: self.peer.clone(),
            dialer: self.dialer.clone(),
            connect_timeout: config.connect_timeout,
            max_backoff: config.max_backoff,
            keepalive: config.keepalive.map(Keepalive::every),
            connections: config.connections,
            total: self.connections.clone(),
            log: self.log.clone(),
            outliers: self.outliers.clone(),
            subset: Subset::new(config.subset, &place.instance, place.worker),
        };
        WorkerUpstream(Arc::new(Worker {
            identity: place.identity.clone(),
            peer: self.peer.clone(),
            url: config.targets.first().map(Target::to_string).unwrap_or_default().into(),
            max_message: config.max_message_size,
            retry_attempts: u32::try_from(config.retry_attempts).unwrap_or(u32::MAX),
            balancer: Balancer::new(resolver, replicas),
            budget: self.budget.clone(),
            random: Mutex::new(StdRng::from_rng(&mut rand::rng())),
            methods: self.methods.clone(),
        }))
    }
}

/// A peer as one worker sees it. Cheap to clone; with the last clone it stops connecting.
#[derive(Clone)]
pub struct WorkerUpstream(pub(crate) Arc<Worker>);

impl WorkerUpstream {
    /// A channel for any generated client, for calls on behalf of the one that `context` is of.
    ///
    /// Everything happens within the caller's deadline less a margin, or our own cap, whichever comes first: waiting for a connection
    /// and for a stream, sending, headers and body, and more attempts where the contract has them (gRFC A6). A stream has its
    /// caller's time alone.
    pub fn channel(&self, context: &Context) -> PeerChannel {
        PeerChannel { worker: self.0.clone(), context: context.clone() }
    }

    /// The answer of a generated client, whose own complaints (a message that it cannot decode, or that is larger than its own limit)
    /// become statuses of the contract like all others.
    pub fn checked<T>(&self, context: &Context, answer: Result<T, Status>) -> Result<T, Status> {
        answer.map_err(|status| match Cause::behind(&status) {
            Some(_) => status,
            None => self.failed(context, Cause::of(&status)),
        })
    }

    /// The status for an answer that its caller does not take, such as the answer to another question.
    pub fn failed(&self, context: &Context, cause: Cause) -> Status {
        let worker = &self.0;
        let notes = context.call.peer_calls();
        let note = notes.iter().find(|note| note.peer.name() == worker.peer.name()).cloned();
        drop(notes);
        let facts = Facts {
            attempts: note.as_ref().map_or(0, |note| note.attempts),
            elapsed: context.call.elapsed(),
            timeout: context.deadline.map(|deadline| deadline.timeout()),
            retry_in: None,
            blame: note.as_ref().map(|note| blame(note.replica.clone(), note.served_by.as_ref())).unwrap_or_default(),
            is_by_peer: false,
        };
        if let Some(note) = note {
            let cause = Some(in_the_log(cause, &note.url));
            context.call.note(PeerCall { cause, ..note });
        }
        cause.on(origin::failed(&worker.identity, &worker.peer, cause, facts))
    }
}

#[cfg(test)]
mod tests;
