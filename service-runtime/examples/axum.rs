//! A web page by axum on one port and gRPC on another: one process, one runtime, one shutdown.
//!
//!     cargo run -p service-runtime --example axum
//!     grpcurl -plaintext -d '{"name": "you"}' 127.0.0.1:8093 hello.v1.Greeter/Hello
//!     curl 127.0.0.1:8094
//!
//! Two ports: on the first every request is a call, with a deadline and a place under the limits; axum's routes have neither.

#[path = "generated/hello.rs"]
mod hello;

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use axum::{Router, extract::State, routing};
use hello::{DESCRIPTORS, HelloReply, HelloRequest, greeter_server};
use service_runtime::{
    Identity, Server, ServerConfig, Services, Shutdown, process,
    telemetry::{self, LogConfig},
};
use tokio::{net::TcpListener, time::timeout};
use tonic::{Request, Response, Status};
use tracing::{info, warn};

/// Greetings so far: main owns the count, both faces share it.
type Greetings = Arc<AtomicU64>;

struct Greeter(Greetings);

#[tonic::async_trait]
impl greeter_server::Greeter for Greeter {
    async fn hello(&self, request: Request<HelloRequest>) -> Result<Response<HelloReply>, Status> {
        self.0.fetch_add(1, Ordering::Relaxed);
        Ok(Response::new(HelloReply { greeting: format!("hello, {}", request.into_inner().name) }))
    }
}

async fn page(State(greetings): State<Greetings>) -> String {
    format!("{} greetings so far\n", greetings.load(Ordering::Relaxed))
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let _flush_at_exit = telemetry::install("greeter", &LogConfig::default())?;
    process::raise_descriptor_limit();
    let mut addresses = std::env::args().skip(1);
    let grpc: SocketAddr = addresses.next().as_deref().unwrap_or("127.0.0.1:8093").parse()?;
    let web: SocketAddr = addresses.next().as_deref().unwrap_or("127.0.0.1:8094").parse()?;

    let greetings = Greetings::default();
    let shutdown = Shutdown::on_signals()?;
    let router = Router::new().route("/", routing::get(page)).with_state(greetings.clone());
    let web = serve_web(TcpListener::bind(web).await?, router, shutdown.clone());
    let grpc = Server::new(Identity::new("greeter", "hello.v1"), DESCRIPTORS).serve_here(
        grpc,
        move |_worker| Services::new().add(greeter_server::GreeterServer::new(Greeter(greetings.clone()))),
        shutdown,
    );
    // Each ends when what it has in flight does; if one fails, the other is dropped.
    tokio::try_join!(grpc, web)?;
    Ok(())
}

/// Serves the routes until the drain, and then what is in flight for at most the drain timeout: axum by itself waits without a limit.
async fn serve_web(listener: TcpListener, router: Router, shutdown: Shutdown) -> anyhow::Result<()> {
    info!(web.listening = %format_args!("http://{}", listener.local_addr()?));
    let drain = shutdown.clone();
    let served = axum::serve(listener, router).with_graceful_shutdown(async move { drain.drain().await });
    let drain_is_over = async {
        shutdown.drain().await;
        let _ = timeout(ServerConfig::default().drain_timeout, shutdown.cut()).await;
    };
    tokio::select! {
        served = served => served?,
        () = drain_is_over => warn!("web requests were cut"),
    }
    Ok(())
}
