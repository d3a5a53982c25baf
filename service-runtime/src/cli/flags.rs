//! The flags that every service has, each the value of a configuration.

use std::time::Duration;

use crate::{
    cli,
    telemetry::{self, LogConfig, LogFormat},
};

/// How the process logs.
#[derive(Clone, Debug, clap::Args)]
#[command(next_help_heading = "Log")]
pub struct LogFlags {
    /// Which events to log: a tracing filter such as `debug` or `info,h2=warn`; wins over RUST_LOG [default: info]
    #[arg(long = "log", value_name = "FILTER", value_parser = filter)]
    filter: Option<String>,

    /// One line a call: for people (text), the same cut after service, endpoint, status, error and latency (lab), or for programs (json)
    #[arg(long = "log-format", value_name = "FORMAT", default_value = "text", hide_short_help = true)]
    format: Format,
}

#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum Format {
    /// `time LEVEL key=value …`
    Text,
    /// The same, where a call's line ends with its latency.
    Lab,
    /// One JSON object a line.
    Json,
}

/// A tracing filter, for clap.
fn filter(text: &str) -> Result<String, String> {
    telemetry::filter_of(text).map(|_| text.to_owned()).map_err(|expected| expected.to_string())
}

impl LogFlags {
    /// The same with `RUST_LOG`, where no flag says which events to log. Errors: what is wrong with it, and what would be right.
    pub(super) fn or_rust_log(self) -> Result<Self, String> {
        let filter = match self.filter {
            Some(flag) => Some(flag),
            None => {
                let given = super::variable(telemetry::RUST_LOG)?;
                let read = |text: String| {
                    filter(&text).map_err(|expected| format!("invalid value '{text}' for RUST_LOG: {expected}"))
                };
                given.map(read).transpose()?
            }
        };
        Ok(LogFlags { filter, ..self })
    }
}

impl From<LogFlags> for LogConfig {
    fn from(flags: LogFlags) -> Self {
        let format = match flags.format {
            Format::Text => LogFormat::Text,
            Format::Lab => LogFormat::Lab,
            Format::Json => LogFormat::Json,
        };
        LogConfig { filter: flags.filter, format }
    }
}

#[cfg(feature = "server")]
pub use server::ServerFlags;

#[cfg(feature = "server")]
mod server {
    use super::*;
    use crate::{
        address::Address,
        layers::{Behaviors, CorsOrigins, FaultConfig},
        server::{Listen, ServerConfig, bind_as_advised, inherited, instance_name},
    };

    /// The limits of a server, and who it says it is.
    #[derive(Clone, Debug, clap::Args)]
    pub struct ServerFlags {
        /// How long a drain waits for calls in flight before it cuts them
        #[arg(long, value_name = "DURATION", default_value = "10s", value_parser = cli::duration, help_heading = "Limits")]
        pub drain_timeout: Duration,

        /// How long to keep serving after a signal while health says NOT_SERVING, so that balancers look elsewhere. Behind Envoy,
        /// Caddy, or HAProxy without retries: a few of their check intervals; six restarts lost 0.4 to 1.7 % of the calls with 0s, none
        /// with 1s
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

        /// A connection gets GOAWAY after this time without a call; over HTTP/1.1 it is closed after --http1-keep-alive
        #[arg(long, value_name = "DURATION", default_value = "5m", value_parser = cli::positive_duration, help_heading = "Limits", hide_short_help = true)]
        pub max_connection_idle: Duration,

        /// A connection over HTTP/1.1 is kept this long for its next request, at most --max-connection-idle; behind a proxy that keeps
        /// connections open, take longer than it does. A request that has begun has 10 s for its headers in any case
        #[arg(long, value_name = "DURATION", default_value = "10s", value_parser = cli::positive_duration, help_heading = "Limits", hide_short_help = true)]
        pub http1_keep_alive: Duration,

        /// A connection gets GOAWAY at this age, a tenth more or less; open streams finish, other calls have the drain
        /// timeout: so callers look for other replicas now and then
        #[arg(long, value_name = "DURATION", default_value = "30m", value_parser = cli::positive_duration, help_heading = "Limits", hide_short_help = true)]
        pub max_connection_age: Duration,

        /// Threads that serve, 1024 at most [default: one a core]
        #[arg(long, value_name = "N", value_parser = workers, help_heading = "Limits", hide_short_help = true)]
        pub workers: Option<usize>,

        /// The name of this process in served-by: 1 to 128 letters, digits or .-_: [default: $POD_NAME, else host name and
        /// process id, percent-encoded where they need it]
        #[arg(long, value_name = "NAME", value_parser = instance_name, help_heading = "Listen")]
        pub instance: Option<String>,

        /// Do not tell callers which services and methods there are
        #[arg(long, help_heading = "Listen", hide_short_help = true)]
        pub no_reflection: bool,

        /// Let another process listen on the same port, to replace this one without a gap
        #[arg(long, help_heading = "Listen", hide_short_help = true)]
        pub reuse_port: bool,

        /// Let web pages of these origins call the JSON paths and read the answers: http://localhost:5173, more than one comma
        /// separated, or * for all [default: none]
        #[arg(long, value_name = "ORIGIN", help_heading = "Listen", hide_short_help = true)]
        pub cors_origin: Option<CorsOrigins>,

        /// Obey the metadata rpc-behavior of a call: a comma list such as sleep-3, sleep-200ms, keep-open, error-code-14,
        /// succeed-on-retry-attempt-2, each also for a share, as in error-code-14:10%
        #[arg(long, help_heading = "Faults", hide_short_help = true)]
        pub fault_injection: bool,

        /// Behave so on every call, whatever its metadata says: the same comma list, such as sleep-3 or error-code-14:10%
        #[arg(long, value_name = "BEHAVIOUR", help_heading = "Faults", hide_short_help = true)]
        pub rpc_behavior: Option<Behaviors>,
    }

    fn workers(text: &str) -> Result<usize, String> {
        cli::count_to(text, ServerConfig::MOST_WORKERS)
    }

    impl ServerFlags {
        /// Takes the socket that the process was started with (`LISTEN_FDS`); without one the port, or the file of a Unix socket. Errors: one
        /// sentence that says what to do.
        pub fn bind(&self, address: Address) -> anyhow::Result<Listen> {
            // Whoever hands a socket over says by that where the service listens.
            match inherited()? {
                Some(handed_over) => Ok(handed_over),
                None => bind_as_advised(address, self.reuse_port, "--listen "),
            }
        }
    }

    impl From<ServerFlags> for ServerConfig {
        fn from(flags: ServerFlags) -> Self {
            let always = flags.rpc_behavior.unwrap_or_default();
            ServerConfig {
                drain_timeout: flags.drain_timeout,
                lame_duck: flags.lame_duck,
                max_message_size: flags.max_message_size,
                max_concurrent_calls: flags.max_concurrent_calls,
                max_connections: flags.max_connections,
                max_connection_idle: flags.max_connection_idle,
                max_connection_age: flags.max_connection_age,
                http1_keep_alive: flags.http1_keep_alive,
                workers: flags.workers,
                instance: flags.instance,
                reflection: !flags.no_reflection,
                cors: flags.cors_origin,
                faults: FaultConfig { obey_metadata: flags.fault_injection, always },
                ..ServerConfig::default()
            }
        }
    }
}

#[cfg(feature = "client")]
pub use client::UpstreamFlags;

#[cfg(feature = "client")]
mod client {
    use super::*;
    use crate::client::{Keepalive, Target, UpstreamConfig};

    /// Where a peer is, and how long to wait for it. [`cli::run`] calls the flags after the peer that the service calls:
    /// `--service-a`, `--service-a-timeout`, …
    #[derive(Clone, Debug, clap::Args)]
    #[command(next_help_heading = "Call to the peer")]
    pub struct UpstreamFlags {
        /// Where the peer listens: http://host:8080, dns:///host:8080 or unix:/run/a.sock; more than one, comma separated, and every
        /// address of a name are its replicas
        #[arg(long = "peer", value_name = "URL", default_value = "http://127.0.0.1:8080", value_delimiter = ',')]
        pub targets: Vec<Target>,

        /// The cap on a whole call to the peer; when it runs out, the peer is UNAVAILABLE
        #[arg(long = "peer-timeout", value_name = "DURATION", default_value = "2s", value_parser = cli::positive_duration)]
        pub timeout: Duration,

        /// The cap on connecting to the peer, and on looking its name up; where --peer-timeout is shorter, a call ends by that,
        /// and the try goes on
        #[arg(long = "peer-connect-timeout", value_name = "DURATION", default_value = "1s", value_parser = cli::positive_duration)]
        pub connect_timeout: Duration,

        /// The longest pause between two tries to connect to the peer
        #[arg(long = "peer-max-backoff", value_name = "DURATION", default_value = "1s", value_parser = cli::positive_duration, hide_short_help = true)]
        pub max_backoff: Duration,

        /// The most attempts of one call to the peer, the first counted; 1 turns retries off
        #[arg(long, value_name = "N", default_value = "3", value_parser = cli::count, hide_short_help = true)]
        pub retry_attempts: usize,

        /// While calls are open, a PING this time after the last sign of life; at least 10s, or off. Servers close connections with PINGs
        /// more often than every 5m
        #[arg(long = "peer-keepalive", value_name = "DURATION", default_value = "5m", value_parser = keepalive, hide_short_help = true)]
        pub keepalive: Pings,

        /// The most connections of one worker to one replica of the peer; more than one where calls wait for a stream
        #[arg(long = "peer-connections", value_name = "N", default_value = "8", value_parser = cli::count, hide_short_help = true)]
        pub connections: usize,

        /// The most replicas of the peer that one worker connects to; above that, workers share them
        #[arg(long = "peer-subset", value_name = "N", default_value = "100", value_parser = cli::count, hide_short_help = true)]
        pub subset: usize,
    }

    /// Between two PINGs; `None` is off. A type of its own, for clap would take an `Option` for a flag that may be left out.
    pub type Pings = std::option::Option<Duration>;

    fn keepalive(text: &str) -> Result<Pings, String> {
        match text {
            "off" => Ok(None),
            _ => match cli::duration(text)? {
                interval if interval >= Keepalive::SHORTEST => Ok(Some(interval)),
                _ => Err("expected a duration of at least 10s, or off".to_owned()),
            },
        }
    }

    impl UpstreamFlags {
        /// The configuration, with answers of up to `max_message_size` bytes.
        pub fn config(self, max_message_size: usize) -> UpstreamConfig {
            UpstreamConfig {
                targets: self.targets,
                timeout: self.timeout,
                connect_timeout: self.connect_timeout,
                max_backoff: self.max_backoff,
                retry_attempts: self.retry_attempts,
                keepalive: self.keepalive,
                connections: self.connections,
                subset: self.subset,
                max_message_size,
                methods: Vec::new(),
            }
        }
    }
}
