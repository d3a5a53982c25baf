//! The server: [`bind`], then [`Bound::serve`]. Accepts, hands each connection to a worker, and drains to the last call.
//!
//! accept → worker → connection → stack → handler, in this order; one direction, no hop between threads.

mod accept;
mod budget;
mod calls;
mod flags;
mod frames;
pub(crate) mod machinery;
mod shared;
pub(crate) mod stack;
pub(crate) mod wire;
mod worker;

pub mod connection;
pub(crate) mod drain;
pub(crate) mod methods;

use std::{
    io,
    net::{SocketAddr, TcpListener},
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use anyhow::Context as _;
use tokio::{sync::watch, time::timeout};
use tonic::service::Routes;
use tracing::{info, warn};

use crate::{Service, telemetry::ANNOUNCE};
use accept::Acceptor;
use drain::{Phase, Phases};
use methods::Methods;

pub use crate::layers::fault::FaultFlags;
pub use drain::{Shutdown, Trigger};
pub use flags::ServerFlags;
pub use worker::Worker;

pub(crate) use shared::Shared;

/// When the patience of a drain is over, the workers get so long to cut what is left.
const CUT: Duration = Duration::from_millis(150);

/// A server that has its port and does not serve yet.
pub struct Bound {
    listener: TcpListener,
    address: SocketAddr,
    flags: ServerFlags,
}

/// Takes the port.
///
/// Errors: one sentence that says what to do, such as `port 8080 is taken; try --listen 127.0.0.1:0`.
pub fn bind(listen: SocketAddr, flags: &ServerFlags) -> anyhow::Result<Bound> {
    let listener = listen_on(listen, flags.reuse_port).map_err(|error| match error.kind() {
        io::ErrorKind::AddrInUse => {
            anyhow::anyhow!("port {} is taken; try --listen {}", listen.port(), SocketAddr::new(listen.ip(), 0))
        }
        io::ErrorKind::PermissionDenied => {
            anyhow::anyhow!("port {} needs more rights than this process has; try one above 1023", listen.port())
        }
        _ => anyhow::anyhow!("cannot listen on {listen}: {error}; try --listen 127.0.0.1:0"),
    })?;
    let address = listener.local_addr().context("the listener has no address")?;
    Ok(Bound { listener, address, flags: flags.clone() })
}

fn listen_on(address: SocketAddr, reuse_port: bool) -> io::Result<TcpListener> {
    use socket2::{Domain, Socket, Type};
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, None)?;
    // A restarted service must not wait until the last connections of its predecessor are forgotten.
    socket.set_reuse_address(true)?;
    socket.set_reuse_port(reuse_port)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(1024)?;
    Ok(socket.into())
}

impl Bound {
    /// Where it listens; with port 0, the port that was free.
    pub fn local_addr(&self) -> SocketAddr {
        self.address
    }

    /// Serves until `shutdown` asks for the drain, then drains; returns when all is over.
    ///
    /// `factory` runs once per worker, inside the worker's runtime, and makes its routes. Errors: the system refuses a
    /// thread or a runtime, or the service's descriptors are broken.
    pub async fn serve(
        self,
        service: &'static Service,
        factory: impl Fn(&Worker) -> Routes + Send + Sync + 'static,
        shutdown: Shutdown,
    ) -> anyhow::Result<()> {
        let (phase, phases) = watch::channel(Phase::Serving);
        let methods = Methods::new(service, &machinery::descriptors(&self.flags))?;
        let shared = Arc::new(Shared::new(service, methods, &self.flags, Phases(phases))?);
        // The first line of the log: before the workers have anything to say.
        info!(target: ANNOUNCE, listening = %format_args!("http://{}", self.address));
        if shared.faults.are_on() {
            warn!("faults are on: calls may fail because somebody asked for it");
        }
        let factory: Arc<dyn Fn(&Worker) -> Routes + Send + Sync> = Arc::new(factory);
        let workers = (0..self.flags.workers())
            .map(|index| worker::start(index, shared.clone(), factory.clone()))
            .collect::<anyhow::Result<Vec<_>>>()?;
        let listener = tokio::net::TcpListener::from_std(self.listener).context("the listener cannot be used")?;
        let acceptor = Acceptor { listener: &listener, workers: &workers, max_connections: self.flags.max_connections };

        tokio::select! { () = acceptor.run() => {}, () = shutdown.drain() => {} }
        phase.send_replace(Phase::LameDuck);
        info!(state = "draining", in_flight = shared.calls.load(Ordering::Relaxed));
        tokio::select! {
            () = acceptor.run() => {}
            _ = timeout(self.flags.lame_duck, shutdown.cut()) => {}
        }
        acceptor.take_queued().await;
        drop(listener);
        phase.send_replace(Phase::Draining);
        end(workers, &phase, self.flags.drain_timeout, &shutdown).await;
        match shared.cut.load(Ordering::Relaxed) {
            0 => info!(state = "drained", calls_cut = 0),
            cut => warn!(state = "drained", calls_cut = cut),
        }
        Ok(())
    }
}

/// Lets the workers finish, for at most `patience`; then cuts what is left.
async fn end(workers: Vec<worker::Handle>, phase: &watch::Sender<Phase>, patience: Duration, shutdown: &Shutdown) {
    // Dropping the acceptor's ends of the channels tells the workers that no connection follows.
    let ended: Vec<_> = workers.into_iter().map(|worker| worker.ended).collect();
    let mut all = std::pin::pin!(futures_util::future::join_all(ended));
    tokio::select! {
        _ = &mut all => return,
        () = tokio::time::sleep(patience) => {}
        () = shutdown.cut() => {}
    }
    phase.send_replace(Phase::Cut);
    // A worker whose handler blocks its thread cannot see that, and ends with the process.
    if timeout(CUT, all).await.is_err() {
        warn!("a handler blocks its thread; not waiting for it");
    }
}
