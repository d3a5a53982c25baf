//! A fault's time: which calls meet it, and which meet what it left behind.

use std::time::Duration;

use tokio::time::Instant;

use super::{
    allowed::{self, Set},
    call::Record,
    wire::Cable,
};

/// How long after a fault's end calls may still meet it: what it has begun is under way.
const AFTERMATH: Duration = Duration::from_millis(20);

/// A fault, and from when to when it was about.
pub struct Span {
    may: Set,
    /// What calls may get whose answer is a stream.
    streamed: Set,
    from: Instant,
    pub until: Option<Instant>,
    /// It lasts as long as this.
    pub cable: Option<Cable>,
}

impl Span {
    /// From now on.
    pub fn new(may: Set, cable: Option<Cable>) -> Self {
        Span { may, streamed: may, from: Instant::now(), until: None, cable }
    }

    /// The same, with something else for calls whose answer is a stream.
    pub fn or_streamed(self, streamed: Set) -> Self {
        Span { streamed, ..self }
    }

    /// What this call may get of it; what a failed connect leaves behind is there for `lasting` more.
    pub fn on_a_call(&self, call: &Record, lasting: Duration) -> Set {
        let (from, until) = (call.began, call.ended);
        let may = if call.shot.streams { self.streamed } else { self.may };
        let end = self.until.or_else(|| self.cable.as_ref()?.lock().gone);
        let over_for = end.map_or(Duration::ZERO, |end| from.saturating_duration_since(end));
        match over_for {
            _ if self.from > until => Set::default(),
            over if over <= AFTERMATH => may,
            over if over <= lasting => may.and(allowed::CONNECTING),
            _ => Set::default(),
        }
    }
}
