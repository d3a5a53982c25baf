//! Service B as tonic's own guide and examples would have it, to be asked the same questions as ours.
//!
//! A lazy channel, so that B starts while A is down; a connect timeout; a timeout on the call (`Request::set_timeout`);
//! and the status of the call to A passed on with `?`. Nothing here is a straw man: it is what the examples do.

use std::{ffi::OsString, io::Write as _, net::SocketAddr, process::ExitCode, time::Duration};

use anyhow::Context as _;
use clap::Parser;
use echo_proto::{
    CallEchoRequest, CallEchoResponse, EchoRequest, Health,
    call_echo_service_server::{CallEchoService, CallEchoServiceServer},
    echo_service_client::EchoServiceClient,
    health_service_server::HealthServiceServer,
};
use tokio::signal::{
    ctrl_c,
    unix::{SignalKind, signal},
};
use tonic::{
    Request, Response, Status,
    transport::{Channel, Endpoint, Server, server::TcpIncoming},
};

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

/// Runs it with this command line until it is killed.
pub fn run(argv: impl IntoIterator<Item = OsString>) -> ExitCode {
    let args = Args::parse_from(argv);
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().map_err(anyhow::Error::from);
    match runtime.and_then(|runtime| runtime.block_on(serve(args))) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(std::io::stderr(), "error: {error:#}");
            ExitCode::FAILURE
        }
    }
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
    let incoming = TcpIncoming::bind(args.listen).context("cannot listen")?.with_nodelay(Some(true));
    let address = incoming.local_addr().context("no address")?;
    writeln!(std::io::stdout(), "listening=http://{address}").context("cannot write to standard output")?;
    let router = Server::builder()
        .add_service(CallEchoServiceServer::new(call_echo))
        .add_service(HealthServiceServer::new(Health(|| true)));
    Ok(router.serve_with_incoming_shutdown(incoming, signalled()).await?)
}

/// As tonic's own examples of a graceful shutdown do it.
async fn signalled() {
    if let Ok(mut term) = signal(SignalKind::terminate()) {
        tokio::select! { _ = term.recv() => {}, _ = ctrl_c() => {} }
    }
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
