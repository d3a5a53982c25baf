//! How far a long command is, on standard error: one line that is written anew on a terminal, a line each elsewhere.

use std::{
    io::{self, IsTerminal as _, Write as _},
    time::Duration,
};

/// Tells of each of `total` things as it begins.
pub struct Progress {
    total: usize,
    begun: usize,
    left: Duration,
    on_terminal: bool,
}

/// Back to the beginning of the line, and nothing on it.
const CLEAR: &str = "\r\x1b[K";

impl Progress {
    /// For `total` steps that take `about` that time together: each an equal share of it, unless `next_takes` says how long one takes.
    pub fn new(total: usize, about: Duration) -> Self {
        Progress { total, begun: 0, left: about, on_terminal: io::stderr().is_terminal() }
    }

    /// The next one begins.
    pub fn next(&mut self, name: &str) {
        let things = u32::try_from(self.total.saturating_sub(self.begun)).unwrap_or(u32::MAX).max(1);
        self.next_takes(name, self.left / things);
    }

    /// The next one begins, and takes about that long.
    pub fn next_takes(&mut self, name: &str, takes: Duration) {
        self.begun += 1;
        let line = format!("{} of {}, about {} left: {name}", self.begun, self.total, seconds(self.left));
        self.left = self.left.saturating_sub(takes);
        write(&if self.on_terminal { format!("{CLEAR}{line}") } else { format!("{line}\n") });
    }

    /// Makes room for a line of the table.
    pub fn clear(&self) {
        if self.on_terminal {
            write(CLEAR);
        }
    }
}

fn write(text: &str) {
    let _ = io::stderr().write_all(text.as_bytes());
}

/// `70 s`: to the second, and never none.
pub fn seconds(duration: Duration) -> String {
    format!("{} s", duration.as_secs_f64().ceil().max(1.0))
}
