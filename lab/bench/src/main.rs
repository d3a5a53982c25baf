//! The command `bench-pair`: what a call costs, beside others in the same run, and a gate that keeps it.

mod bare;
mod callgrind;
mod gate;
mod load;
mod message;
mod native;
mod pair;
mod parts;
mod process;
mod programs;
mod sides;
mod subject;
mod table;
mod tools;

use std::{net::SocketAddr, process::ExitCode};

use service_runtime::output;
use tokio::task::LocalSet;

/// The services allocate with it, and so does the bare one, which is this program.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// What a call costs: our pair, stock tonic, tonic tuned, bare HTTP/2 and grpc-go side by side, as a table with ratios
#[derive(clap::Parser)]
#[command(name = "bench-pair", version, args_conflicts_with_subcommands = true)]
struct CommandLine {
    #[command(flatten)]
    pair: pair::Args,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(clap::Subcommand)]
enum Command {
    /// Compare a call's cost, as a multiple of a bare one's, with the committed figures
    Gate(gate::Args),
    /// Run an Echo that knows nothing but HTTP/2
    #[command(hide = true)]
    BareEcho,
    /// Run a CallEcho that knows nothing but HTTP/2
    #[command(hide = true)]
    BareCallEcho {
        /// Where A listens
        #[arg(long, value_name = "URL", value_parser = address)]
        service_a: SocketAddr,
    },
}

fn address(url: &str) -> Result<SocketAddr, std::net::AddrParseError> {
    url.trim_start_matches("http://").parse()
}

fn main() -> ExitCode {
    let args = match service_runtime::cli::parse::<CommandLine>("ECHO_BENCH", std::env::args_os()) {
        Ok(args) => args,
        Err(code) => return code,
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(anyhow::Error::from);
    runtime.and_then(|runtime| LocalSet::new().block_on(&runtime, run(args))).unwrap_or_else(|error| {
        output::complain(&format!("{error:#}"));
        ExitCode::FAILURE
    })
}

async fn run(args: CommandLine) -> anyhow::Result<ExitCode> {
    match args.command {
        None => pair::run(&args.pair).await.map(|()| ExitCode::SUCCESS),
        Some(Command::Gate(args)) => gate::run(&args).await,
        Some(Command::BareEcho) => bare_until_signalled(bare::Role::Echo).await,
        Some(Command::BareCallEcho { service_a }) => bare_until_signalled(bare::relay(service_a).await?).await,
    }
}

async fn bare_until_signalled(role: bare::Role) -> anyhow::Result<ExitCode> {
    let (listener, address) = bare::bind().await?;
    output::to_stdout(&format!("listening=http://{address}\n"))?;
    let mut terminate = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())?;
    tokio::select! {
        _ = terminate.recv() => Ok(ExitCode::SUCCESS),
        served = bare::serve(listener, role) => served.map(|()| ExitCode::SUCCESS),
    }
}
