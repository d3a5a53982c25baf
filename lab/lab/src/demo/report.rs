//! What the demonstration prints, and what it counts: two lines a step, the command with its why, and what came.

use std::{
    fmt::Display,
    io::IsTerminal,
    time::{Duration, Instant},
};

use service_runtime::printable::printable;

use super::expect::{Expect, Facts};
use crate::print::print_as_it_is;

/// The width of a command before its why, and of what came before what was expected.
const COMMAND: usize = 74;
const CAME: usize = 72;
/// A line that would be longer becomes two.
const LINE: usize = 160;

/// Prints and counts.
pub struct Report {
    colour: bool,
    start: Instant,
    suites: usize,
    met: usize,
    missed: usize,
}

#[derive(Clone, Copy)]
enum Paint {
    Bold = 1,
    Dim = 2,
    Red = 31,
    Green = 32,
}

impl Report {
    /// An empty one; in colour on a terminal, unless `NO_COLOR` is set.
    pub fn new() -> Self {
        let unwanted = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        let colour = std::io::stdout().is_terminal() && !unwanted;
        Report { colour, start: Instant::now(), suites: 0, met: 0, missed: 0 }
    }

    /// One line, with nothing of a peer's in it that is not printable.
    pub fn say(&self, line: impl Display) {
        print_as_it_is(&format!("{line}\n"));
    }

    /// A suite begins.
    pub fn suite(&mut self, number: usize, title: &str) {
        self.suites += 1;
        self.say(format_args!("\n{}", self.paint(Paint::Bold, format_args!("{number}  {title}"))));
    }

    /// What is done, as a user would type it, and why.
    pub fn command(&self, command: &str, why: &str) {
        let why = self.paint(Paint::Dim, format_args!("# {why}"));
        self.say(format_args!("  $ {command:COMMAND$} {why}"));
    }

    /// What came of it.
    pub fn result(&mut self, expected: &Expect, came: anyhow::Result<Facts>) {
        let (met, line) = match came {
            Ok(facts) => (expected.is_met(&facts), expected.tell(&facts)),
            Err(error) => (false, format!("{error:#}")),
        };
        let line = printable(&line);
        let expected = format!("expected {expected}");
        let width = line.chars().count().max(CAME);
        let between = if 4 + width + 3 + expected.chars().count() > LINE { "\n    " } else { "   " };
        // What stands alone in its line needs no column beside it.
        let column = if between == "   " { CAME } else { 0 };
        self.mark(met, format_args!("{line:column$}{between}{}", self.paint(Paint::Dim, expected)));
    }

    /// A suite could not go on.
    pub fn broke_off(&mut self, error: &anyhow::Error) {
        let error = format!("{error:#}");
        self.mark(false, format_args!("{}; the rest of this suite is left out", printable(&error)));
    }

    /// The last line. Has everything come as expected?
    pub fn summary(&self) -> bool {
        let failed = if self.missed == 0 { String::new() } else { format!(", {} ✗", self.missed) };
        let took = self.start.elapsed() + Duration::from_millis(500);
        let suites = self.suites;
        let checks = self.met + self.missed;
        let seconds = took.as_secs();
        let s = if suites == 1 { "" } else { "s" };
        self.say(format_args!("\n{suites} suite{s}, {checks} checks, {} ✓{failed}, {seconds} s", self.met));
        self.missed == 0
    }

    fn mark(&mut self, met: bool, line: impl Display) {
        *(if met { &mut self.met } else { &mut self.missed }) += 1;
        let mark = if met { self.paint(Paint::Green, "✓") } else { self.paint(Paint::Red, "✗") };
        self.say(format_args!("  {mark} {line}"));
    }

    fn paint(&self, paint: Paint, text: impl Display) -> String {
        if self.colour { format!("\x1b[{}m{text}\x1b[0m", paint as u8) } else { text.to_string() }
    }
}
