//! Standard output, for whoever still reads it.

use std::io::{self, Write};

/// Prints. Whoever stops reading has seen enough.
pub fn print(text: &str) {
    let _ = io::stdout().write_all(text.as_bytes()).and_then(|()| io::stdout().flush());
}
