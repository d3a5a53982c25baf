//! The server: [`Server::new`], then [`Server::serve`]. Accepts, hands each connection to a worker, and drains to the last call.
//!
//! listener → worker → connection → stack → services, in this order; one direction, no hop between threads.

mod accept;
mod calls;
mod config;
pub(crate) mod connection;
mod flood;
mod health;
mod in_process;
mod inherited;
mod io;
mod linger;
mod listen;
mod listener;
mod reflection;
mod services;
pub(crate) mod shared;
mod socket;
mod socket_file;
pub(crate) mod stack;
mod standstill;
mod supervisor;
mod unread;
pub(crate) mod wire;
pub(crate) mod worker;

use std::{
    borrow::Cow,
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use anyhow::{Context as _, ensure};
use tokio::{sync::watch, time::timeout};
use tower::layer::util::Stack;
use tracing::{info, warn};

use crate::{
    identity::Identity,
    layers::{
        json::Route,
        user::{Around, Layers, NoLayers},
    },
    shutdown::{Phase, Phases, Shutdown},
    telemetry::ANNOUNCE,
};
use accept::Acceptor;
use listener::Listener;
use shared::Shared;

pub use config::ServerConfig;
pub use in_process::InProcess;
pub use inherited::inherited;
#[cfg(feature = "cli")]
pub(crate) use listen::bind_as_advised;
pub use listen::{Listen, bind};
pub use services::Services;
pub use worker::{Draining, Worker};

#[cfg(feature = "cli")]
pub(crate) use {config::instance_name, inherited::look as look_for_inherited};

/// What the workers get, once the drain timeout is over, to cut what is left.
const CUT: Duration = Duration::from_millis(150);

/// A gRPC server that is told what it is, and does not serve yet. `A` are the layers that were added.
pub struct Server<A = NoLayers> {
    identity: Identity,
    descriptors: Cow<'static, [u8]>,
    config: ServerConfig,
    json: Vec<Route>,
    around: A,
}

impl Server {
    /// A server of that name. `descriptors` is the encoded `google.protobuf.FileDescriptorSet` that its code was generated from:
    /// the methods there are, and what reflection tells.
    pub fn new(identity: Identity, descriptors: impl Into<Cow<'static, [u8]>>) -> Self {
        let (config, json) = (ServerConfig::default(), Vec::new());
        Server { identity, descriptors: descriptors.into(), config, json, around: NoLayers }
    }

    /// Adds a [`tower::Layer`]: after the guard and the permit, before a body is read; not for health and reflection.
    ///
    /// A layer that waits waits within the caller's deadline and holds one of the calls that are allowed at once; one that refuses
    /// answers a gRPC response (tonic's interceptors do) or fails with a [`tonic::Status`]. What else it fails with is logged, and
    /// the answer is UNKNOWN, `LAYER_FAILED`. Of several the first added is the outermost.
    pub fn layer<L>(self, layer: L) -> Server<Layers<L>> {
        let Server { identity, descriptors, config, json, .. } = self;
        Server { identity, descriptors, config, json, around: Layers { layer, for_probes: false } }
    }
}

impl<L> Server<Layers<L>> {
    /// Adds one more layer, inside the others.
    pub fn layer<M>(self, layer: M) -> Server<Layers<Stack<M, L>>> {
        let Server { identity, descriptors, config, json, around } = self;
        let around = Layers { layer: Stack::new(layer, around.layer), for_probes: around.for_probes };
        Server { identity, descriptors, config, json, around }
    }

    /// Health and reflection pass the layers too.
    pub fn layers_for_health_too(mut self) -> Self {
        self.around.for_probes = true;
        self
    }
}

impl<A> Server<A> {
    /// Sets limits and names.
    pub fn config(self, config: ServerConfig) -> Self {
        Server { config, ..self }
    }

    /// Adds a face for callers who do not speak gRPC: JSON paths on the same port.
    pub fn json(mut self, routes: impl IntoIterator<Item = Route>) -> Self {
        self.json.extend(routes);
        self
    }
}

impl<A> Server<A> {
    /// What its workers know, and the hand that moves their phases on. Errors: a configuration that contradicts itself.
    pub(crate) fn shared(self) -> anyhow::Result<(Shared<A>, watch::Sender<Phase>)> {
        let Server { identity, descriptors, config, json, around } = self;
        let (phase, phases) = Phases::new();
        Ok((Shared::new(identity, config, descriptors, json, around, phases)?, phase))
    }
}

impl<A: Around> Server<A> {
    /// Serves until `shutdown` asks for the drain, then drains; returns when all is over. A thread with a runtime of its own for
    /// each worker.
    ///
    /// `listen` is an address or a listener, `shutdown` a [`Shutdown`] or any future that ends when the drain is to begin.
    /// `factory` runs once a worker, inside the worker's runtime. Errors, as one sentence: the port cannot be had, the configuration
    /// contradicts itself, services and descriptors do not fit together, the system refuses a thread.
    pub async fn serve(
        self,
        listen: impl Into<Listen>,
        factory: impl Fn(&Worker) -> Services + Send + Sync + 'static,
        shutdown: impl Into<Shutdown>,
    ) -> anyhow::Result<()> {
        let (process, phase) = Process::new(self, listen.into())?;
        let factory: worker::Factory = Arc::new(factory);
        let workers = (0..process.shared.config.workers())
            .map(|index| worker::start(index, process.shared.clone(), factory.clone()))
            .collect::<anyhow::Result<Vec<_>>>()?;
        process.run(workers, phase, &shutdown.into()).await
    }

    /// The same with one worker, inside the caller's own runtime. Dropped in the middle it cuts all calls.
    ///
    /// Errors: as [`serve`](Server::serve), and a configuration that asks for more than one worker.
    pub async fn serve_here(
        self,
        listen: impl Into<Listen>,
        factory: impl Fn(&Worker) -> Services + Send + Sync + 'static,
        shutdown: impl Into<Shutdown>,
    ) -> anyhow::Result<()> {
        let workers = self.config.workers.unwrap_or(1);
        ensure!(
            workers == 1,
            "serve_here has one worker, in the caller's runtime, and the config asks for {workers}; take serve"
        );
        let (process, phase) = Process::new(self, listen.into())?;
        let (handle, worker) = worker::here(0, process.shared.clone(), Arc::new(factory));
        let shutdown = shutdown.into();
        let mut served = std::pin::pin!(process.run(vec![handle], phase, &shutdown));
        tokio::select! {
            served = &mut served => return served,
            alive = worker => drop(alive),
        }
        served.await
    }
}

/// A server that has its port.
struct Process<A> {
    shared: Arc<Shared<A>>,
    listener: Listener,
}

impl<A: Around> Process<A> {
    fn new(server: Server<A>, listen: Listen) -> anyhow::Result<(Self, watch::Sender<Phase>)> {
        let (shared, phase) = server.shared()?;
        let shared = Arc::new(shared);
        let socket = listen.is_handed_over().then_some("LISTEN_FDS");
        let listener = listen.open()?;
        let address = listener.address().context("the listener has no address")?;
        // The first line of the log: before the workers have anything to say.
        info!(target: ANNOUNCE, listening = address.url(), socket);
        if shared.faults.are_on() {
            warn!("faults are on: calls may fail because somebody asked for it");
        }
        Ok((Process { shared, listener }, phase))
    }

    async fn run(
        self,
        workers: Vec<worker::Handle>,
        phase: watch::Sender<Phase>,
        shutdown: &Shutdown,
    ) -> anyhow::Result<()> {
        tokio::select! {
            served = self.serve(workers, phase, shutdown) => served,
            never = standstill::watch() => match never {},
        }
    }

    async fn serve(
        self,
        mut workers: Vec<worker::Handle>,
        phase: watch::Sender<Phase>,
        shutdown: &Shutdown,
    ) -> anyhow::Result<()> {
        let Process { shared, listener } = self;
        for worker in &mut workers {
            (&mut worker.ready).await.context("a worker ended before it could serve")??;
        }
        supervisor::ready();
        let acceptor =
            Acceptor { listener: &listener, workers: &workers, max_connections: shared.config.max_connections };
        tokio::select! { () = acceptor.run() => {}, () = shutdown.drain() => {} }
        supervisor::stopping();
        phase.send_replace(Phase::LameDuck);
        info!(state = "draining", in_flight = shared.calls.load(Ordering::Relaxed));
        tokio::select! {
            () = acceptor.run() => {}
            _ = timeout(shared.config.lame_duck, shutdown.cut()) => {}
        }
        acceptor.take_queued().await;
        drop(listener);
        phase.send_replace(Phase::Draining);
        end(workers, &phase, shared.config.drain_timeout, shutdown).await;
        match shared.cut.load(Ordering::Relaxed) {
            0 => info!(state = "drained", calls_cut = 0),
            cut => warn!(state = "drained", calls_cut = cut),
        }
        Ok(())
    }
}

/// Lets the workers finish, for at most `drain_timeout`; then cuts what is left.
async fn end(workers: Vec<worker::Handle>, phase: &watch::Sender<Phase>, drain_timeout: Duration, shutdown: &Shutdown) {
    // Dropping the acceptor's ends of the channels tells the workers that no connection follows.
    let ended: Vec<_> = workers.into_iter().map(|worker| worker.ended).collect();
    let mut all = std::pin::pin!(futures_util::future::join_all(ended));
    tokio::select! {
        _ = &mut all => return,
        () = tokio::time::sleep(drain_timeout) => {}
        () = shutdown.cut() => {}
    }
    phase.send_replace(Phase::Cut);
    // A worker whose handler blocks its thread cannot see that, and ends with the process.
    if timeout(CUT, all).await.is_err() {
        warn!("a handler blocks its thread; not waiting for it");
    }
}
