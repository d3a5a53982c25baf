//! Why no child outlives the lab, however the lab ends: each child sees to it itself, before anything else.
//!
//! - Linux kills it with the thread that started it, also while it is frozen.
//! - Elsewhere it reads its standard input, a pipe that is never written to: it ends when the lab is gone. A frozen child reads
//!   nothing, so there it ends when it is thawed.

use std::{io::Read, process, thread};

/// The environment variable that tells a child whose child it is. A service that a user starts by hand has none.
pub const PARENT: &str = "ECHO_LAB_PARENT";

/// Ties this process to the lab that started it, if one did.
pub fn to_parent() {
    let Some(parent) = std::env::var(PARENT).ok().and_then(|pid| pid.parse::<i32>().ok()) else {
        return;
    };
    die_with_parent();
    // It may have gone before we asked to be told.
    if rustix::process::getppid().map(|pid| pid.as_raw_nonzero().get()) != Some(parent) {
        process::exit(1);
    }
    thread::spawn(|| {
        while matches!(std::io::stdin().read(&mut [0; 64]), Ok(1..)) {}
        process::exit(1);
    });
}

#[cfg(target_os = "linux")]
fn die_with_parent() {
    use rustix::process::{Signal, set_parent_process_death_signal};
    // If the system refuses, the pipe is still there.
    let _ = set_parent_process_death_signal(Some(Signal::KILL));
}

#[cfg(not(target_os = "linux"))]
fn die_with_parent() {}
