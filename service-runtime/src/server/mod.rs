//! The server: [`bind`], then [`Bound::serve`]. Accepts, hands each connection to a worker, and drains to the last call.
//!
//! accept → worker → connection → stack → handler, in this order; one direction, no hop between threads.

mod accept;
mod stack;
mod worker;

pub mod connection;
pub(crate) mod drain;
pub(crate) mod methods;

use std::{
    any::{Any, TypeId},
    collections::HashMap,
    io,
    net::{SocketAddr, TcpListener},
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use anyhow::Context as _;
use http::HeaderValue;
use tokio::{sync::watch, time::timeout};
use tonic::service::Routes;
use tracing::{info, warn};

use crate::{Service, cli, health, layers::fault::Faults, reflection, telemetry::ANNOUNCE};
use accept::Acceptor;
use drain::{Phase, Phases};
use methods::Methods;

pub use crate::layers::fault::FaultFlags;
pub use drain::{Shutdown, Trigger};
pub use worker::Worker;

/// The limits of a server, and who it says it is.
#[derive(Clone, Debug, clap::Args)]
pub struct ServerFlags {
    /// How long a drain waits for calls in flight before it cuts them
    #[arg(long, value_name = "DURATION", default_value = "10s", value_parser = cli::duration, help_heading = "Limits")]
    pub drain_timeout: Duration,

    /// How long to keep serving after a signal while health says NOT_SERVING, so that balancers look elsewhere
    #[arg(long, value_name = "DURATION", default_value = "0s", value_parser = cli::duration, help_heading = "Limits", hide_short_help = true)]
    pub lame_duck: Duration,

    /// The largest request message
    #[arg(long, value_name = "SIZE", default_value = "64KiB", value_parser = cli::size, help_heading = "Limits", hide_short_help = true)]
    pub max_message_size: usize,

    /// Calls at once in this process; one more is refused at once; health and reflection do not count
    #[arg(long, value_name = "N", default_value = "1024", value_parser = cli::count, help_heading = "Limits")]
    pub max_concurrent_calls: usize,

    /// Connections at once; one more is closed at once
    #[arg(long, value_name = "N", default_value = "10000", value_parser = cli::count, help_heading = "Limits", hide_short_help = true)]
    pub max_connections: usize,

    /// Threads that serve [default: one a core]
    #[arg(long, value_name = "N", value_parser = cli::count, help_heading = "Limits", hide_short_help = true)]
    pub workers: Option<usize>,

    /// The name of this process in served-by [default: $POD_NAME, else host name and process id]
    #[arg(long, value_name = "NAME", value_parser = instance, help_heading = "Listen")]
    pub instance: Option<String>,

    /// Do not tell callers which services and methods there are
    #[arg(long, help_heading = "Listen", hide_short_help = true)]
    pub no_reflection: bool,

    /// Let another process listen on the same port, to replace this one without a gap
    #[arg(long, help_heading = "Listen", hide_short_help = true)]
    pub reuse_port: bool,

    /// Which faults it takes part in.
    #[command(flatten)]
    pub faults: FaultFlags,
}

impl ServerFlags {
    fn instance(&self) -> String {
        let given =
            self.instance.clone().or_else(|| std::env::var("POD_NAME").ok().and_then(|name| instance(&name).ok()));
        given.unwrap_or_else(|| {
            let host = rustix::system::uname().nodename().to_string_lossy().into_owned();
            format!("{host}-{}", std::process::id())
        })
    }

    fn workers(&self) -> usize {
        self.workers.unwrap_or_else(|| std::thread::available_parallelism().map_or(1, usize::from))
    }
}

fn instance(text: &str) -> Result<String, String> {
    let plain = |b: u8| b.is_ascii_graphic() && !matches!(b, b',' | b'/' | b'"');
    let valid = (1..=128).contains(&text.len()) && text.bytes().all(plain);
    if valid { Ok(text.to_owned()) } else { Err("expected 1 to 128 letters, digits or .-_: without spaces".into()) }
}

/// What all workers of a process know. Nothing here is locked on the way of a call.
pub(crate) struct Shared {
    pub service: &'static Service,
    pub methods: Methods,
    pub phases: Phases,
    pub served_by: HeaderValue,
    pub faults: Faults,
    /// Calls in flight that count against the limit.
    pub calls: AtomicUsize,
    pub max_calls: usize,
    pub max_message: usize,
    /// Calls that the end of the drain cut.
    pub cut: AtomicUsize,
    reflection: bool,
    process_wide: Mutex<HashMap<TypeId, Arc<dyn Any + Send + Sync>>>,
}

impl Shared {
    pub(crate) fn new(service: &'static Service, flags: &ServerFlags, phases: Phases) -> anyhow::Result<Self> {
        let instance = flags.instance();
        let served_by = format!("{}/{instance}", service.name);
        Ok(Shared {
            service,
            methods: Methods::new(service, &machinery(flags))?,
            phases,
            served_by: HeaderValue::try_from(served_by).context("the instance name cannot be a header")?,
            faults: Faults::new(&flags.faults, instance),
            calls: AtomicUsize::new(0),
            max_calls: flags.max_concurrent_calls,
            max_message: flags.max_message_size,
            cut: AtomicUsize::new(0),
            reflection: !flags.no_reflection,
            process_wide: Mutex::default(),
        })
    }

    /// The service's routes, and those that every process has.
    fn with_machinery(self: &Arc<Self>, routes: Routes) -> Routes {
        let routes = routes.add_service(health::service(self.clone()));
        if self.reflection { reflection::add_to(routes, self.service) } else { routes }
    }
}

fn machinery(flags: &ServerFlags) -> Vec<&'static [u8]> {
    let reflection = if flags.no_reflection { &[][..] } else { &reflection::DESCRIPTORS };
    [&[health::DESCRIPTORS][..], reflection].concat()
}

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
        let shared = Arc::new(Shared::new(service, &self.flags, Phases(phases))?);
        // The first line of the log: before the workers have anything to say.
        info!(target: ANNOUNCE, listening = %format_args!("http://{}", self.address));
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
    all.await;
}
