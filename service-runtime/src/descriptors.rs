//! File descriptors: as many as the system lets this process have. Each connection takes one.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tracing::warn;

/// macOS calls its hard limit unlimited, and refuses a soft one above this (`OPEN_MAX`).
const MACOS_MOST: u64 = 10_240;

/// Raises the soft limit to the hard one.
///
/// The soft limit protects programs that use `select`, which knows descriptors below 1024 only; a server reaches it long
/// before `--max-connections`. Nobody has to know of it unless it fails: then the process starts with what it has.
pub(crate) fn raise_limit() {
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
