//! Service B as tonic's own guide and examples would have it, to be asked the same questions as ours; its A is in [`echo`].
//!
//! A lazy channel, so that B starts while A is down; a connect timeout; a timeout on the call (`Request::set_timeout`);
//! and the status of the call to A passed on with `?`. Nothing here is a straw man: it is what the examples do.

pub mod echo;
mod start;

use std::{ffi::OsString, net::SocketAddr, process::ExitCode, time::Duration};

use clap::Parser;
use echo_proto::{
    CallEchoRequest, CallEchoResponse, EchoRequest, Health,
    call_echo_service_server::{CallEchoService, CallEchoServiceServer},
    echo_service_client::EchoServiceClient,
    health_service_server::HealthServiceServer,
};
use tokio::runtime::Builder;
use tonic::{
    Request, Response, Status,
    transport::{Channel, Endpoint, Server},
};

use start::{ended, listen, signalled};

/// Service B, stock tonic
#[derive(Debug, Parser)]
#[command(name = "stock-tonic", version)]
struct Args {
    /// Where to listen, for gRPC
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8081")]
    listen: SocketAddr,

    /// Where A listens; with more than one, comma separated, tonic balances
    #[arg(long, value_name = "URL", default_value = "http://127.0.0.1:8080", value_delimiter = ',')]
    service_a: Vec<String>,

    /// The timeout of a call to A, in milliseconds
    #[arg(long, value_name = "MS", default_value = "2000")]
    service_a_timeout_ms: u64,

    /// The timeout of connecting to A, in milliseconds
    #[arg(long, value_name = "MS", default_value = "1000")]
    service_a_connect_timeout_ms: u64,
}

/// Runs it with this command line until it is killed, on as many threads as there are cores.
pub fn run(argv: impl IntoIterator<Item = OsString>) -> ExitCode {
    ended(Builder::new_multi_thread(), serve(Args::parse_from(argv)))
}

/// Runs it as [`run`] does, on one thread: a part of what makes tonic faster in an afternoon, to measure it.
pub fn run_on_one_thread(argv: impl IntoIterator<Item = OsString>) -> ExitCode {
    ended(Builder::new_current_thread(), serve(Args::parse_from(argv)))
}

async fn serve(args: Args) -> anyhow::Result<()> {
    let connect_timeout = Duration::from_millis(args.service_a_connect_timeout_ms);
    let endpoint = |url| Ok(Endpoint::from_shared(url)?.connect_timeout(connect_timeout));
    let mut endpoints: Vec<Endpoint> = args.service_a.into_iter().map(endpoint).collect::<anyhow::Result<_>>()?;
    let channel = match endpoints.len() {
        1 => endpoints.remove(0).connect_lazy(),
        _ => Channel::balance_list(endpoints.into_iter()),
    };
    let call_echo = CallEcho { channel, timeout: Duration::from_millis(args.service_a_timeout_ms) };
    let incoming = listen(args.listen)?;
    let router = Server::builder()
        .add_service(CallEchoServiceServer::new(call_echo))
        .add_service(HealthServiceServer::new(Health(|| true)));
    Ok(router.serve_with_incoming_shutdown(incoming, signalled()).await?)
}

struct CallEcho {
    channel: Channel,
    timeout: Duration,
}

#[tonic::async_trait]
impl CallEchoService for CallEcho {
    #[expect(clippy::disallowed_methods, reason = "what our own code may not do is what the guide does")]
    async fn call_echo(&self, request: Request<CallEchoRequest>) -> Result<Response<CallEchoResponse>, Status> {
        let msg = request.into_inner().msg;
        if msg.is_empty() {
            return Err(Status::invalid_argument("Missing 'msg' parameter"));
        }
        let mut to_a = Request::new(EchoRequest { msg });
        to_a.set_timeout(self.timeout);
        let answer = EchoServiceClient::new(self.channel.clone()).echo(to_a).await?;
        Ok(Response::new(CallEchoResponse { service_b: "ok".into(), service_a: Some(answer.into_inner()) }))
    }
}
