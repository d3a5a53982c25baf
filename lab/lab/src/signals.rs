//! Ctrl-C, SIGTERM and a terminal that closes, as the lab takes them.

use service_runtime::shutdown::Hangup;
use tokio::signal::unix::{Signal, SignalKind, signal};

/// Waits for the signals that end the lab.
pub struct Signals {
    interrupt: Signal,
    terminate: Signal,
    hangup: Hangup,
}

impl Signals {
    /// Takes the signals from now on. Errors: the system refuses.
    pub fn new() -> std::io::Result<Self> {
        Ok(Signals {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
            hangup: Hangup::new()?,
        })
    }

    /// Returns once one has come, with the exit code of a program that it ends: 128 and its number.
    pub async fn next(&mut self) -> u8 {
        tokio::select! {
            _ = self.interrupt.recv() => 130,
            _ = self.terminate.recv() => 143,
            () = self.hangup.recv() => 129,
        }
    }
}
