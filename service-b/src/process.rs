//! B as a process: its flags, and how it runs.

use std::{net::SocketAddr, time::Duration};

use service_runtime::{
    cli,
    client::{Target, Upstream, UpstreamConfig},
    server::{self, ServerFlags, Shutdown},
    telemetry::LogFlags,
};

/// Service B: calls service A, and answers by the book whatever happens to it.
#[derive(Debug, clap::Parser)]
#[command(name = "service-b", version)]
pub struct Args {
    /// Where to listen, for gRPC and for JSON over HTTP; port 0 takes a free one
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8081", value_parser = cli::address, help_heading = "Listen")]
    pub listen: SocketAddr,

    /// Where A is, and how long to wait for it.
    #[command(flatten)]
    pub service_a: ServiceAFlags,

    /// Limits, and who it says it is.
    #[command(flatten)]
    pub server: ServerFlags,

    /// How it logs.
    #[command(flatten)]
    pub log: LogFlags,
}

/// Where A is, and how long B waits for it.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Call to A")]
pub struct ServiceAFlags {
    /// Where A listens; more than one, comma separated, and every address of a name are replicas of A
    #[arg(long = "service-a", value_name = "URL", default_value = "http://127.0.0.1:8080", value_delimiter = ',')]
    pub targets: Vec<Target>,

    /// The cap on a whole call to A; when it runs out, A is UNAVAILABLE
    #[arg(long = "service-a-timeout", value_name = "DURATION", default_value = "2s", value_parser = cli::positive_duration)]
    pub timeout: Duration,

    /// The cap on connecting to A; best below --service-a-timeout
    #[arg(long = "service-a-connect-timeout", value_name = "DURATION", default_value = "1s", value_parser = cli::positive_duration)]
    pub connect_timeout: Duration,

    /// The longest pause between two tries to connect to A
    #[arg(long = "service-a-max-backoff", value_name = "DURATION", default_value = "1s", value_parser = cli::positive_duration, hide_short_help = true)]
    pub max_backoff: Duration,

    /// The most attempts of one call to A, the first counted; 1 turns retries off
    #[arg(long, value_name = "N", default_value = "3", value_parser = cli::count, hide_short_help = true)]
    pub retry_attempts: usize,

    /// The most replicas of A that one worker connects to; above that, workers share them
    #[arg(long = "service-a-subset", value_name = "N", default_value = "100", value_parser = cli::count, hide_short_help = true)]
    pub subset: usize,
}

impl From<ServiceAFlags> for UpstreamConfig {
    fn from(flags: ServiceAFlags) -> Self {
        UpstreamConfig {
            targets: flags.targets,
            timeout: flags.timeout,
            connect_timeout: flags.connect_timeout,
            max_backoff: flags.max_backoff,
            retry_attempts: flags.retry_attempts,
            subset: flags.subset,
        }
    }
}

impl AsRef<LogFlags> for Args {
    fn as_ref(&self) -> &LogFlags {
        &self.log
    }
}

/// Serves until `shutdown`, then drains. Errors: the port cannot be had.
pub async fn run(args: Args, shutdown: Shutdown) -> anyhow::Result<()> {
    let bound = server::bind(args.listen, &args.server)?;
    let service_a = UpstreamConfig::from(args.service_a);
    // B starts, and answers UNAVAILABLE, while A is down.
    let routes = move |worker: &_| crate::routes(worker, Upstream::new(crate::SERVICE_A, &service_a, worker));
    bound.serve(&crate::SERVICE, routes, shutdown).await
}
