//! The connections that a worker was given, their calls, and its own channels to peers: on a thread and a runtime of its own, or
//! in the caller's.
//!
//! A call stays on the thread that accepted it. A handler that blocks therefore stalls its worker: use `spawn_blocking`.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
};

use anyhow::Context as _;
use tokio::{
    sync::{mpsc, oneshot},
    task::JoinSet,
};
use tonic::transport::server::Connected as _;

use super::{
    connection, health,
    listener::{InTransit, Stream},
    reflection,
    services::Services,
    shared::Shared,
    socket::Socket,
    stack::{Stack, stack},
};
use crate::{
    identity::Place,
    layers::{self, user::Around},
    methods::{Alias, Methods},
    shutdown::{Phase, Phases},
};

/// Connections on their way from the acceptor to a worker; beyond that the acceptor waits.
const HAND_OVER: usize = 64;

/// Makes the services of a worker.
pub(super) type Factory = Arc<dyn Fn(&Worker) -> Services + Send + Sync>;

/// What a server's factory gets to know of the worker it builds for.
pub struct Worker {
    place: Place,
    phases: Phases,
}

impl AsRef<Place> for Worker {
    fn as_ref(&self) -> &Place {
        &self.place
    }
}

impl Worker {
    pub(super) fn new<A>(index: usize, shared: &Shared<A>) -> Self {
        let place = Place { identity: shared.identity.clone(), instance: shared.instance.clone(), worker: index };
        Worker { place, phases: shared.phases.clone() }
    }

    /// Tells whether the process takes calls; for health services.
    pub fn serving(&self) -> impl Fn() -> bool + Send + Sync + use<> {
        let phases = self.phases.clone();
        move || phases.is_serving()
    }

    /// Tells a handler when a drain has begun, so that a stream can end by itself before it is cut.
    pub fn draining(&self) -> Draining {
        Draining(self.phases.clone())
    }
}

/// The begin of a drain, for handlers to see.
#[derive(Clone, Debug)]
pub struct Draining(Phases);

impl Draining {
    /// Returns once the drain has begun. What is in flight then has the drain timeout, and a lame-duck time before it.
    pub async fn begun(&self) {
        self.0.reached(Phase::LameDuck).await;
    }
}

/// The acceptor's end of a worker.
pub(super) struct Handle {
    pub connections: mpsc::Sender<InTransit>,
    pub open: Arc<AtomicUsize>,
    /// Resolves once the worker serves, or with the reason why it does not.
    pub ready: oneshot::Receiver<anyhow::Result<()>>,
    /// Resolves once the worker has ended.
    pub ended: oneshot::Receiver<()>,
}

/// Worker `index`, to be run where the caller wants it. It ends when the acceptor drops its end and every connection is over; it
/// has ended, for the acceptor, once what it returns is dropped.
pub(super) fn here<A: Around>(
    index: usize,
    shared: Arc<Shared<A>>,
    factory: Factory,
) -> (Handle, impl Future<Output = oneshot::Sender<()>> + Send) {
    let (connections, receiver) = mpsc::channel(HAND_OVER);
    let (is_ready, ready) = oneshot::channel();
    let (alive, ended) = oneshot::channel();
    let open = Arc::new(AtomicUsize::new(0));
    let handle = Handle { connections, open: open.clone(), ready, ended };
    let worker = Worker::new(index, &shared);
    let run = async move {
        match assemble(&shared, factory(&worker)) {
            Ok(stack) => {
                let _ = is_ready.send(Ok(()));
                serve(&shared, stack.into(), receiver, open).await;
            }
            Err(error) => drop(is_ready.send(Err(error))),
        }
        alive
    };
    (handle, run)
}

/// Starts worker `index` on a thread of its own. Errors: the system refuses a thread or a runtime.
pub(super) fn start<A: Around>(index: usize, shared: Arc<Shared<A>>, factory: Factory) -> anyhow::Result<Handle> {
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().context("cannot start a runtime")?;
    let (handle, worker) = here(index, shared, factory);
    thread::Builder::new()
        .name(format!("worker-{index}"))
        .spawn(move || {
            let alive = runtime.block_on(worker);
            // Calls that were cut are dropped here, each with its log line. A name that is being looked up is not waited for.
            runtime.shutdown_background();
            drop(alive);
        })
        .context("cannot start a thread")?;
    Ok(handle)
}

/// The stack of a worker. Errors: services and descriptors that do not fit together.
pub(crate) fn assemble<A: Around>(shared: &Shared<A>, services: Services) -> anyhow::Result<Stack<A>> {
    let own = services.names.clone();
    let mut services = services.add(health::service(shared.identity.clone(), &own, shared.phases.clone()));
    let mut descriptors = vec![&*shared.descriptors, health::DESCRIPTORS];
    if shared.config.reflection {
        services = reflection::add_to(services, &shared.descriptors)?;
        descriptors.extend(reflection::DESCRIPTORS);
    }
    let aliases: Vec<Alias<'_>> = shared.json.iter().filter_map(layers::json::Route::alias).collect();
    let methods = Methods::new(&services.names, &descriptors, &aliases)?;
    Ok(stack(shared, methods, services))
}

async fn serve<A: Around>(
    shared: &Arc<Shared<A>>,
    stack: Arc<Stack<A>>,
    mut connections: mpsc::Receiver<InTransit>,
    open: Arc<AtomicUsize>,
) {
    let mut tasks = JoinSet::new();
    loop {
        tokio::select! {
            stream = connections.recv() => match stream {
                Some(stream) => {
                    // The acceptor counted it when it handed it over.
                    let opened = Open(open.clone());
                    tasks.spawn(serve_one(stream, stack.clone(), shared.clone(), opened));
                }
                None => break,
            },
            Some(_) = tasks.join_next() => {}
        }
    }
    while tasks.join_next().await.is_some() {}
}

async fn serve_one<A: Around>(stream: InTransit, stack: Arc<Stack<A>>, shared: Arc<Shared<A>>, _opened: Open) {
    let lifetime = shared.config.lifetime().with_jitter();
    let window = shared.config.stream_window();
    let phases = shared.phases.clone();
    let Ok(stream) = stream.arrive() else { return };
    let addresses = match &stream {
        Stream::Tcp(stream) => Some(stream.connect_info()),
        // Callers there have no addresses.
        Stream::Unix(_) => None,
    };
    let cut = connection::serve(Socket::new(stream), addresses, stack, window, lifetime, phases).await;
    shared.cut.fetch_add(cut, Ordering::Relaxed);
}

/// One open connection in the count of its worker.
struct Open(Arc<AtomicUsize>);

impl Drop for Open {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}
