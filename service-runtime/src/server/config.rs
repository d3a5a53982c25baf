//! What a server may be told: plain values, each with a default.

use std::{ffi::OsStr, os::unix::ffi::OsStrExt as _, sync::Arc, time::Duration};

use anyhow::ensure;
use rand::RngExt as _;

use crate::{
    deadline::FOREVER,
    grpc::FRAME_HEADER,
    identity::{LONGEST_INSTANCE, visible},
    layers::{CorsOrigins, FaultConfig},
};

/// The largest message that gRPC's frame can hold, in bytes.
const LARGEST_MESSAGE: u64 = u32::MAX as u64;

/// A stream's window where no SETTINGS change it, in bytes. Source: RFC 9113, 6.9.2.
const DEFAULT_WINDOW: u32 = 65_535;
const LARGEST_STREAM_WINDOW: u32 = 1024 * 1024;

/// The limits of a server, and who it says it is.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ServerConfig {
    /// How long a drain waits for calls in flight before it cuts them.
    pub drain_timeout: Duration,
    /// How long to keep serving after a drain was asked for while health says NOT_SERVING.
    pub lame_duck: Duration,
    /// The largest request message in bytes, also of what comes out of a compressed one. Above 4 MiB the generated server needs
    /// `.max_decoding_message_size(usize::MAX)`, for tonic has a limit of its own there.
    pub max_message_size: usize,
    /// Calls at once in the process; one more is refused at once. Health and reflection do not count, a stream counts until its end.
    pub max_concurrent_calls: usize,
    /// Connections at once; one more is closed at once.
    pub max_connections: usize,
    /// A connection without a call for this long gets GOAWAY.
    pub max_connection_idle: Duration,
    /// A connection of this age, a tenth more or less, gets GOAWAY: open streams finish, other calls have the drain timeout.
    pub max_connection_age: Duration,
    /// A connection over HTTP/1.1 that waits for its next request is closed after this time. A request that has begun has 10 s for its
    /// headers, whatever this is.
    pub http1_keep_alive: Duration,
    /// Threads that serve, at most [`MOST_WORKERS`](Self::MOST_WORKERS); `None` is one a core.
    pub workers: Option<usize>,
    /// The name of the process in `served-by`: 1 to 128 visible ASCII characters, none of them `,`, `/` or `"`. `None` is
    /// `$POD_NAME`, else host name and process id; what cannot stand in `served-by` of these is percent-encoded.
    pub instance: Option<String>,
    /// Whether callers are told which services and methods there are.
    pub reflection: bool,
    /// Whether errors over gRPC carry their origin and other details (`grpc-status-details-bin`).
    pub error_details: bool,
    /// The pages of other origins that may read the answers of the JSON face; `None` is none of them.
    pub cors: Option<CorsOrigins>,
    /// Which faults it takes part in.
    pub faults: FaultConfig,
}

impl Default for ServerConfig {
    fn default() -> Self {
        ServerConfig {
            drain_timeout: Duration::from_secs(10),
            lame_duck: Duration::ZERO,
            max_message_size: 64 * 1024,
            max_concurrent_calls: 1024,
            max_connections: 10_000,
            max_connection_idle: Duration::from_secs(5 * 60),
            max_connection_age: Duration::from_secs(30 * 60),
            http1_keep_alive: Duration::from_secs(10),
            workers: None,
            instance: None,
            reflection: true,
            error_details: true,
            cors: None,
            faults: FaultConfig::default(),
        }
    }
}

impl ServerConfig {
    /// The most threads: each has a runtime of its own from the start, and more of them than cores only share what there is.
    pub const MOST_WORKERS: usize = 1024;

    /// Errors: one sentence that says which value cannot be, and what can.
    pub(super) fn check(&self) -> anyhow::Result<()> {
        let size = u64::try_from(self.max_message_size).unwrap_or(u64::MAX);
        ensure!(size <= LARGEST_MESSAGE, "max_message_size is {size} bytes; a gRPC message is below 4 GiB");
        ensure!(self.max_connections > 0, "max_connections is 0: no caller could connect; take 1 or more");
        ensure!(self.workers != Some(0), "workers is 0: a server needs a thread to serve on; take 1 or more");
        let most = Self::MOST_WORKERS;
        ensure!(
            self.workers.is_none_or(|workers| workers <= most),
            "workers is above {most}; take one a core, or fewer"
        );
        ensure!(!self.max_connection_age.is_zero(), "max_connection_age is 0: no connection could have a call");
        ensure!(!self.max_connection_idle.is_zero(), "max_connection_idle is 0: no connection could have a call");
        ensure!(
            !self.http1_keep_alive.is_zero(),
            "http1_keep_alive is 0: no connection over HTTP/1.1 could have a call"
        );
        if let Some(name) = &self.instance {
            instance_name(name)
                .map_err(|expected| anyhow::anyhow!("the instance name {name:?} cannot be a header; {expected}"))?;
        }
        Ok(())
    }

    pub(super) fn instance(&self) -> Arc<str> {
        match &self.instance {
            Some(name) => name.as_str().into(),
            None => {
                name_by(std::env::var_os("POD_NAME").as_deref(), rustix::system::uname().nodename().to_bytes()).into()
            }
        }
    }

    pub(super) fn workers(&self) -> usize {
        self.workers.unwrap_or_else(|| std::thread::available_parallelism().map_or(1, usize::from))
    }

    /// What one stream may have sent unread, in bytes: a whole message, so that it comes without a wait for its reader; at least what
    /// HTTP/2 begins with, and at most a mebibyte, which is a megabyte each round trip for a caller far away.
    pub(crate) fn stream_window(&self) -> u32 {
        let message = u32::try_from(self.max_message_size.saturating_add(FRAME_HEADER)).unwrap_or(u32::MAX);
        message.clamp(DEFAULT_WINDOW, LARGEST_STREAM_WINDOW)
    }

    pub(crate) fn lifetime(&self) -> Lifetime {
        Lifetime {
            idle: self.max_connection_idle,
            http1_keep_alive: self.http1_keep_alive,
            age: self.max_connection_age,
            grace: self.drain_timeout,
        }
    }
}

/// The name of a process that was given none. Pods and machines may have any name; a header may not.
fn name_by(pod: Option<&OsStr>, host: &[u8]) -> String {
    if let Some(pod) = pod.filter(|pod| !pod.is_empty()) {
        return visible(pod.as_bytes(), LONGEST_INSTANCE);
    }
    let pid = std::process::id().to_string();
    let host = if host.is_empty() { b"localhost" } else { host };
    format!("{}-{pid}", visible(host, LONGEST_INSTANCE - 1 - pid.len()))
}

/// A name that can stand in `served-by` as it is. Errors: what would be one.
pub(crate) fn instance_name(text: &str) -> Result<String, String> {
    let valid = !text.is_empty() && visible(text.as_bytes(), LONGEST_INSTANCE) == text;
    if valid { Ok(text.to_owned()) } else { Err("expected 1 to 128 letters, digits or .-_: without spaces".into()) }
}

/// How long a connection may live.
#[derive(Clone, Copy, Debug)]
pub struct Lifetime {
    /// Without a call.
    pub idle: Duration,
    /// The same over HTTP/1.1, where it is shorter.
    pub http1_keep_alive: Duration,
    /// In all.
    pub age: Duration,
    /// For the calls that it has, once it is as old as that; streams may take longer.
    pub grace: Duration,
}

impl Lifetime {
    /// A tenth more or less of age, so that connections of one moment do not all go in another (gRFC A9).
    pub(super) fn with_jitter(self) -> Self {
        Lifetime { age: self.age.min(FOREVER).mul_f64(rand::rng().random_range(0.9..1.1)), ..self }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn has_a_window_for_a_whole_message_of_a_usual_size() {
        let window =
            |max_message_size| ServerConfig { max_message_size, ..ServerConfig::default() }.stream_window() as usize;
        assert_eq!(window(0), 65_535);
        assert_eq!(window(200_000), 200_000 + FRAME_HEADER);
        assert_eq!(window(usize::MAX), 1024 * 1024);
    }

    #[test]
    fn takes_its_name_from_the_pod_and_then_from_the_machine_whatever_they_are_called() {
        let pid = std::process::id();
        for (pod, host, name) in [
            (Some("a-7"), "pc", "a-7".to_owned()),
            (Some("pod,7"), "pc", "pod%2C7".into()),
            (Some(""), "pc", format!("pc-{pid}")),
            (None, "büro-pc", format!("b%C3%BCro-pc-{pid}")),
            (None, "\u{7}", format!("%07-{pid}")),
            (None, "", format!("localhost-{pid}")),
        ] {
            assert_eq!(name_by(pod.map(OsStr::new), host.as_bytes()), name);
        }
        let longest = name_by(None, "ü".repeat(64).as_bytes());
        assert!(longest.len() <= LONGEST_INSTANCE && longest.ends_with(&format!("-{pid}")), "{longest}");
    }

    #[test]
    fn says_which_value_cannot_be_and_what_can() {
        assert!(ServerConfig::default().check().is_ok());
        for (config, sentence) in [
            (ServerConfig { workers: Some(0), ..ServerConfig::default() }, "workers is 0"),
            (ServerConfig { workers: Some(usize::MAX), ..ServerConfig::default() }, "workers is above 1024"),
            (ServerConfig { max_connections: 0, ..ServerConfig::default() }, "max_connections is 0"),
            (ServerConfig { max_message_size: usize::MAX, ..ServerConfig::default() }, "a gRPC message is below 4 GiB"),
            (ServerConfig { instance: Some("a b".into()), ..ServerConfig::default() }, "expected 1 to 128 letters"),
            (ServerConfig { max_connection_age: Duration::ZERO, ..ServerConfig::default() }, "max_connection_age is 0"),
            (ServerConfig { http1_keep_alive: Duration::ZERO, ..ServerConfig::default() }, "http1_keep_alive is 0"),
        ] {
            let error = config.check().unwrap_err().to_string();
            assert!(error.contains(sentence), "{error}");
        }
    }
}
