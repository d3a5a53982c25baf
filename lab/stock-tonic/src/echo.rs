//! Service A as tonic's own guide has it, to be measured beside ours.

use std::{ffi::OsString, net::SocketAddr, process::ExitCode};

use clap::Parser;
use echo_proto::{
    EchoRequest, EchoResponse, Health,
    echo_service_server::{EchoService, EchoServiceServer},
    health_service_server::HealthServiceServer,
};
use tokio::runtime::Builder;
use tonic::{Request, Response, Status, transport::Server};

use crate::start::{ended, listen, signalled};

/// Service A, stock tonic
#[derive(Debug, Parser)]
#[command(name = "stock-echo", version)]
struct Args {
    /// Where to listen, for gRPC
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8080")]
    listen: SocketAddr,
}

/// Runs it with this command line until it is killed, on as many threads as there are cores.
pub fn run(argv: impl IntoIterator<Item = OsString>) -> ExitCode {
    ended(Builder::new_multi_thread(), serve(Args::parse_from(argv)))
}

/// Runs it as [`run`] does, on one thread.
pub fn run_on_one_thread(argv: impl IntoIterator<Item = OsString>) -> ExitCode {
    ended(Builder::new_current_thread(), serve(Args::parse_from(argv)))
}

async fn serve(args: Args) -> anyhow::Result<()> {
    let incoming = listen(args.listen)?;
    let router = Server::builder()
        .add_service(EchoServiceServer::new(Echo))
        .add_service(HealthServiceServer::new(Health(|| true)));
    Ok(router.serve_with_incoming_shutdown(incoming, signalled()).await?)
}

struct Echo;

#[tonic::async_trait]
impl EchoService for Echo {
    async fn echo(&self, request: Request<EchoRequest>) -> Result<Response<EchoResponse>, Status> {
        Ok(Response::new(EchoResponse { echo: request.into_inner().msg }))
    }
}
