//! B as a process: its flags, and how it runs.

use std::{ffi::OsString, process::ExitCode};

use service_runtime::{Address, Shutdown, cli, client::Upstream};

/// Service B: calls service A, and answers by the book whatever happens to it.
#[derive(Debug, clap::Parser)]
#[command(name = "service-b", version)]
struct Args {
    /// Where to listen, for gRPC and for JSON over HTTP: an address, whose port 0 takes a free one, or unix:/run/b.sock; a socket in LISTEN_FDS wins
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8081", value_parser = cli::address, help_heading = "Listen")]
    listen: Address,
    #[command(flatten)]
    service_a: cli::UpstreamFlags,
    #[command(flatten)]
    server: cli::ServerFlags,
}

/// Runs B with this command line; the first word is the program's name.
pub fn main(argv: impl IntoIterator<Item = OsString>) -> ExitCode {
    cli::run_with(&crate::identity(), "ECHO_B", argv, run)
}

async fn run(args: Args, shutdown: Shutdown) -> anyhow::Result<()> {
    let listener = args.server.bind(args.listen)?;
    let service_a = Upstream::new(crate::service_a(), args.service_a.config(args.server.max_message_size))?;
    let services = move |worker: &_| crate::services(worker, service_a.on(worker));
    crate::server().config(args.server.into()).serve(listener, services, shutdown).await
}
