//! A as a process: its flags, and how it runs.

use std::net::SocketAddr;

use service_runtime::{
    cli,
    server::{self, ServerFlags, Shutdown},
    telemetry::LogFlags,
};

/// Service A: echoes what it is sent, over gRPC and as JSON over HTTP.
#[derive(Debug, clap::Parser)]
#[command(name = "service-a", version)]
pub struct Args {
    /// Where to listen, for gRPC and for JSON over HTTP; port 0 takes a free one
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8080", value_parser = cli::address, help_heading = "Listen")]
    pub listen: SocketAddr,

    /// Limits, and who it says it is.
    #[command(flatten)]
    pub server: ServerFlags,

    /// How it logs.
    #[command(flatten)]
    pub log: LogFlags,
}

impl AsRef<LogFlags> for Args {
    fn as_ref(&self) -> &LogFlags {
        &self.log
    }
}

/// Serves until `shutdown`, then drains. Errors: the port cannot be had.
pub async fn run(args: Args, shutdown: Shutdown) -> anyhow::Result<()> {
    let bound = server::bind(args.listen, &args.server)?;
    bound.serve(&crate::SERVICE, crate::routes, shutdown).await
}
