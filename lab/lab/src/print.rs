//! Standard output, as long as it is read.

use std::io::{self, Write};

/// Prints. A reader that has closed its end of the pipe has seen enough: no error.
pub fn print(text: &str) {
    let _ = io::stdout().write_all(text.as_bytes()).and_then(|()| io::stdout().flush());
}
