//! A thread with a runtime of its own: the connections it was given, their calls, and its own channels to peers.
//!
//! A call stays on the thread that accepted it. A handler that blocks therefore stalls its worker: use `spawn_blocking`.

use std::{
    net::TcpStream,
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
use tonic::service::Routes;

use super::{Shared, connection, drain::Phases, machinery, stack::stack};
use crate::{Service, health};

/// Connections on their way from the acceptor to a worker; beyond that the acceptor waits.
const HAND_OVER: usize = 64;

/// What a service's factory gets to know of the worker it builds for.
pub struct Worker {
    /// Counts from 0.
    pub index: usize,
    shared: Arc<Shared>,
}

impl Worker {
    /// The service this process is.
    pub fn service(&self) -> &'static Service {
        self.shared.service
    }

    /// The name of this process, as callers see it in `served-by`.
    pub fn instance(&self) -> &str {
        &self.shared.instance
    }

    /// Tells whether the process takes calls; for health services.
    pub fn serving(&self) -> impl Fn() -> bool + Send + Sync + use<> {
        let phases = self.shared.phases.clone();
        move || health::is_serving(&phases)
    }

    /// The largest message a caller may send, in bytes.
    pub fn max_message_size(&self) -> usize {
        self.shared.max_message
    }

    /// What the workers of this process share, by type; the first to ask makes it.
    ///
    /// For state that is not on the way of a call, such as a log line once a process.
    pub(crate) fn process_wide<T: Default + Send + Sync + 'static>(&self) -> Arc<T> {
        self.shared.process_wide()
    }
}

/// The acceptor's end of a worker.
pub(super) struct Handle {
    pub connections: mpsc::Sender<TcpStream>,
    pub open: Arc<AtomicUsize>,
    /// Resolves once the worker has ended.
    pub ended: oneshot::Receiver<()>,
}

/// Starts worker `index`. It ends when the acceptor drops its end and every connection is over.
pub(super) fn start(
    index: usize,
    shared: Arc<Shared>,
    factory: Arc<dyn Fn(&Worker) -> Routes + Send + Sync>,
) -> anyhow::Result<Handle> {
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().context("cannot start a runtime")?;
    let (connections, receiver) = mpsc::channel(HAND_OVER);
    let (alive, ended) = oneshot::channel();
    let open = Arc::new(AtomicUsize::new(0));
    let counter = open.clone();
    thread::Builder::new()
        .name(format!("worker-{index}"))
        .spawn(move || {
            runtime.block_on(run(Worker { index, shared }, &*factory, receiver, counter));
            // Whatever still runs belongs to a connection that was cut.
            drop(runtime);
            drop(alive);
        })
        .context("cannot start a thread")?;
    Ok(Handle { connections, open, ended })
}

async fn run(
    worker: Worker,
    factory: &(dyn Fn(&Worker) -> Routes + Send + Sync),
    mut connections: mpsc::Receiver<TcpStream>,
    open: Arc<AtomicUsize>,
) {
    let shared = worker.shared.clone();
    let stack = Arc::new(stack(&shared, machinery::add_to(factory(&worker), &shared)));
    let mut tasks = JoinSet::new();
    loop {
        tokio::select! {
            stream = connections.recv() => match stream {
                Some(stream) => {
                    let opened = Open::new(open.clone(), shared.clone());
                    tasks.spawn(serve(stream, stack.clone(), shared.phases.clone(), opened));
                }
                None => break,
            },
            Some(_) = tasks.join_next() => {}
        }
    }
    while tasks.join_next().await.is_some() {}
}

async fn serve(stream: TcpStream, stack: Arc<impl crate::layers::Handle>, phases: Phases, opened: Open) {
    let Ok(stream) = tokio::net::TcpStream::from_std(stream) else {
        return;
    };
    let peer = stream.peer_addr().ok();
    let lifetime = opened.shared.lifetime.with_jitter();
    let cut = connection::serve(stream, peer, stack, lifetime, phases).await;
    opened.shared.cut.fetch_add(cut, Ordering::Relaxed);
}

/// One open connection in the counts of its worker.
struct Open {
    open: Arc<AtomicUsize>,
    shared: Arc<Shared>,
}

impl Open {
    fn new(open: Arc<AtomicUsize>, shared: Arc<Shared>) -> Self {
        Open { open, shared }
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        // The acceptor counted it when it handed it over.
        self.open.fetch_sub(1, Ordering::Relaxed);
    }
}
