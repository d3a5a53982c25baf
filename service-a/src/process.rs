//! A as a process: its flags, and how it runs.

use std::{ffi::OsString, process::ExitCode};

use service_runtime::{Address, Shutdown, cli};

/// Service A: echoes what it is sent, over gRPC and as JSON over HTTP.
#[derive(Debug, clap::Parser)]
#[command(name = "service-a", version)]
struct Args {
    /// Where to listen, for gRPC and for JSON over HTTP: an address, whose port 0 takes a free one, or unix:/run/a.sock; a socket in LISTEN_FDS wins
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8080", value_parser = cli::address, help_heading = "Listen")]
    listen: Address,
    #[command(flatten)]
    server: cli::ServerFlags,
}

/// Runs A with this command line; the first word is the program's name.
pub fn main(argv: impl IntoIterator<Item = OsString>) -> ExitCode {
    cli::run_with(&crate::identity(), "ECHO_A", argv, run)
}

async fn run(args: Args, shutdown: Shutdown) -> anyhow::Result<()> {
    let listener = args.server.bind(args.listen)?;
    crate::server().config(args.server.into()).serve(listener, crate::services, shutdown).await
}
