//! The flags that every server has.

use std::time::Duration;

use crate::{cli, layers::fault::FaultFlags};

/// The limits of a server, and who it says it is.
#[derive(Clone, Debug, clap::Args)]
pub struct ServerFlags {
    /// How long a drain waits for calls in flight before it cuts them
    #[arg(long, value_name = "DURATION", default_value = "10s", value_parser = cli::duration, help_heading = "Limits")]
    pub drain_timeout: Duration,

    /// How long to keep serving after a signal while health says NOT_SERVING, so that balancers look elsewhere
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

    /// A connection gets GOAWAY after so long without a call; over HTTP/1.1 it is closed after 10 s in any case
    #[arg(long, value_name = "DURATION", default_value = "5m", value_parser = cli::positive_duration, help_heading = "Limits", hide_short_help = true)]
    pub max_connection_idle: Duration,

    /// A connection gets GOAWAY when it is so old, a tenth more or less, and is closed after the drain timeout, so that
    /// callers look for other replicas now and then
    #[arg(long, value_name = "DURATION", default_value = "30m", value_parser = cli::positive_duration, help_heading = "Limits", hide_short_help = true)]
    pub max_connection_age: Duration,

    /// Threads that serve [default: one a core]
    #[arg(long, value_name = "N", value_parser = cli::count, help_heading = "Limits", hide_short_help = true)]
    pub workers: Option<usize>,

    /// The name of this process in served-by [default: $POD_NAME, else host name and process id]
    #[arg(long, value_name = "NAME", value_parser = instance, help_heading = "Listen")]
    pub instance: Option<String>,

    /// Do not tell callers which services and methods there are
    #[arg(long, help_heading = "Listen", hide_short_help = true)]
    pub no_reflection: bool,

    /// Let another process listen on the same port, to replace this one without a gap
    #[arg(long, help_heading = "Listen", hide_short_help = true)]
    pub reuse_port: bool,

    /// Which faults it takes part in.
    #[command(flatten)]
    pub faults: FaultFlags,
}

impl ServerFlags {
    pub(super) fn instance(&self) -> String {
        let given =
            self.instance.clone().or_else(|| std::env::var("POD_NAME").ok().and_then(|name| instance(&name).ok()));
        given.unwrap_or_else(|| {
            let host = rustix::system::uname().nodename().to_string_lossy().into_owned();
            format!("{host}-{}", std::process::id())
        })
    }

    pub(super) fn workers(&self) -> usize {
        self.workers.unwrap_or_else(|| std::thread::available_parallelism().map_or(1, usize::from))
    }
}

fn instance(text: &str) -> Result<String, String> {
    let plain = |b: u8| b.is_ascii_graphic() && !matches!(b, b',' | b'/' | b'"');
    let valid = (1..=128).contains(&text.len()) && text.bytes().all(plain);
    if valid { Ok(text.to_owned()) } else { Err("expected 1 to 128 letters, digits or .-_: without spaces".into()) }
}
