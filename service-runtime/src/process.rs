//! What a server takes of its machine: file descriptors, memory in small pages, and files that may be full.
//!
//! [`cli::run`](crate::cli::run) calls all three; a program that starts by itself calls them first thing in its `main`.

use rustix::process::{Resource, Rlimit, Signal, getrlimit, setrlimit};
use tokio::signal::unix::{SignalKind, signal};
use tracing::warn;

/// macOS calls its hard limit unlimited, and refuses a soft one above this (`OPEN_MAX`).
const MACOS_MOST: u64 = 10_240;

/// Raises the soft limit of open files to the hard one: each connection takes a file descriptor.
///
/// The soft limit protects programs that use `select`, which knows descriptors below 1024 only; a server reaches it long
/// before `--max-connections`. Where the system refuses, a warning is logged and the process goes on with what it has.
pub fn raise_descriptor_limit() {
    let limit = getrlimit(Resource::Nofile);
    let wanted = match limit.maximum {
        hard if cfg!(target_os = "macos") => Some(hard.map_or(MACOS_MOST, |hard| hard.min(MACOS_MOST))),
        hard => hard,
    };
    // No limit at all is `None`.
    let enough = limit.current.is_none_or(|current| wanted.is_some_and(|wanted| current >= wanted));
    if enough {
        return;
    }
    if let Err(error) = setrlimit(Resource::Nofile, Rlimit { current: wanted, maximum: limit.maximum }) {
        warn!(limit = limit.current, cause = %error, "cannot raise the limit of open files");
    }
}

/// Keeps the system from giving this process memory in huge pages. Linux only; elsewhere it does nothing.
///
/// mimalloc asks for them, and 2 MiB are taken as a whole once a byte of them is touched: with them B began at 19 MiB instead
/// of 8, and a connection without a call took 34 kB instead of 17.
pub fn use_small_pages() {
    #[cfg(target_os = "linux")]
    let _ = rustix::thread::disable_transparent_huge_pages(true);
}

/// Makes a write beyond the limit of file sizes (`ulimit -f`) an error of that write. By default the system ends the process, and a
/// log that is as long as it may be is no reason to stop serving.
///
/// Errors: the system refuses to install a handler. Needs a Tokio runtime.
pub fn survive_full_files() -> std::io::Result<()> {
    // The handler stays when its stream of signals is dropped.
    signal(SignalKind::from_raw(Signal::XFSZ.as_raw())).map(drop)
}
