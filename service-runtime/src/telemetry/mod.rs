//! What the process tells about itself: its log. Metrics and traces have their place here too.

mod format;
mod writer;

use clap::ValueEnum;
use tracing_subscriber::{EnvFilter, layer::SubscriberExt, util::SubscriberInitExt};

pub use writer::Flusher;

/// Events with this target are written whatever the filter says: where the service listens.
pub(crate) const ANNOUNCE: &str = "announce";

/// How the process logs.
#[derive(Clone, Debug, clap::Args)]
#[command(next_help_heading = "Log")]
pub struct LogFlags {
    /// Which events to log: a tracing filter such as `debug` or `info,h2=warn`; wins over RUST_LOG [default: info]
    #[arg(long = "log", value_name = "FILTER", value_parser = parse_filter)]
    pub filter: Option<String>,

    /// One line a call, for people (text) or for programs (json)
    #[arg(long = "log-format", value_name = "FORMAT", default_value = "text", hide_short_help = true)]
    pub format: LogFormat,
}

/// The shape of a log line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// `time LEVEL key=value …`
    Text,
    /// One JSON object a line.
    Json,
}

fn parse_filter(text: &str) -> Result<String, String> {
    match EnvFilter::builder().parse(text) {
        Ok(_) => Ok(text.to_owned()),
        Err(_) => Err("expected a tracing filter such as info or info,h2=warn".into()),
    }
}

/// Sends every event of this process to standard output; keep the [`Flusher`] until the end.
///
/// Logging never waits: see [`writer`](self) for what happens when nobody reads the output. A panic is logged with its
/// place, as an error, so that it can be found although the process lives on.
pub(crate) fn install(service: &'static str, flags: &LogFlags) -> Flusher {
    let (writer, flusher) = writer::start();
    let filter = match &flags.filter {
        Some(filter) => EnvFilter::builder().parse_lossy(filter),
        None => EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info")),
    };
    let always = format!("{ANNOUNCE}=info").parse().expect("a valid directive");
    tracing_subscriber::registry()
        .with(filter.add_directive(always))
        .with(format::Lines { service, format: flags.format, writer })
        .init();
    std::panic::set_hook(Box::new(|panic| {
        let at = panic.location().map(ToString::to_string);
        tracing::error!(at, "a handler panicked; the process lives on");
    }));
    flusher
}
