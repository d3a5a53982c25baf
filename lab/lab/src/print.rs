//! Standard output, as long as it is read; and what becomes of the command where it cannot be written.

use std::{io, sync::OnceLock};

use service_runtime::{output::to_stdout, printable::printable_lines};
use tokio::sync::Notify;

/// Why standard output could not be written, from the first time on.
static FAILURE: OnceLock<io::Error> = OnceLock::new();
static FAILED: Notify = Notify::const_new();

/// Prints, without what a peer may have put into it for the terminal to obey.
///
/// A reader that has closed its end of the pipe has seen enough: no error. Any other error ends the command, see [`failed`].
pub fn print(text: &str) {
    print_as_it_is(&printable_lines(text));
}

/// The same of text that has colours, which the terminal is to obey.
pub fn print_as_it_is(text: &str) {
    if FAILURE.get().is_none()
        && let Err(error) = to_stdout(text)
    {
        let _ = FAILURE.set(error);
        FAILED.notify_one();
    }
}

/// Returns once standard output could not be written. The command is to end then, for its user would not see what it does.
pub async fn failed() {
    FAILED.notified().await;
}

/// Why something could not be printed, in one sentence.
pub fn failure() -> Option<&'static io::Error> {
    FAILURE.get()
}
