//! What the process tells about itself: its log. Metrics and traces have their place here too.

mod format;
mod writer;

use anyhow::Context as _;
use tracing_subscriber::{EnvFilter, layer::SubscriberExt, util::SubscriberInitExt};

pub use writer::Flusher;

/// Events with this target are written whatever the filter says: where the service listens.
pub(crate) const ANNOUNCE: &str = "announce";

/// How a process logs.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct LogConfig {
    /// Which events to log: a tracing filter such as `debug` or `info,h2=warn`. `None` is `RUST_LOG`, and `info` where that is not set or
    /// empty.
    pub filter: Option<String>,
    /// The shape of a line.
    pub format: LogFormat,
}

/// The shape of a log line.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LogFormat {
    /// `time LEVEL key=value …`
    #[default]
    Text,
    /// The same, where a call's line ends with its latency: `service`, `endpoint`, `status`, `error` where it failed, `latency_ms`.
    Lab,
    /// One JSON object a line.
    Json,
}

/// The filter of programs that were given no other.
pub(crate) const RUST_LOG: &str = "RUST_LOG";

/// Reads a filter. Errors: what would be one.
pub(crate) fn filter_of(text: &str) -> anyhow::Result<EnvFilter> {
    const EXPECTED: &str = "expected a tracing filter such as info or info,h2=warn";
    // Without a directive in it nothing at all would be logged.
    anyhow::ensure!(text.contains(|c: char| c != ',' && !c.is_whitespace()), EXPECTED);
    EnvFilter::builder().parse(text).context(EXPECTED)
}

/// Sends every event of this process to standard output; keep the [`Flusher`] until the end.
///
/// `service` stands in each line. Logging never waits for whoever reads the output: when the queue of lines is full, lines are
/// dropped and counted, and the count is logged. A panic is logged with its place, as an error, so that it can be found although
/// the process lives on.
///
/// Errors: a filter that cannot be read, or a subscriber that is installed already; then nothing is changed.
pub fn install(service: &str, config: &LogConfig) -> anyhow::Result<Flusher> {
    let filter = match &config.filter {
        Some(filter) => filter_of(filter)?,
        None => match std::env::var_os(RUST_LOG).filter(|filter| !filter.is_empty()) {
            Some(filter) => filter_of(&filter.to_string_lossy()).context(RUST_LOG)?,
            None => EnvFilter::new("info"),
        },
    };
    let (writer, flusher) = writer::start();
    let always = format!("{ANNOUNCE}=info").parse().expect("a valid directive");
    tracing_subscriber::registry()
        .with(filter.add_directive(always))
        .with(format::Lines { service: service.to_owned(), format: config.format, writer })
        .try_init()
        .context("a tracing subscriber is installed already; keep it, and start the server without `cli::run`")?;
    std::panic::set_hook(Box::new(|panic| {
        let at = panic.location().map(ToString::to_string);
        tracing::error!(at, "a handler panicked; the process lives on");
    }));
    Ok(flusher)
}
