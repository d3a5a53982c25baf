//! A fault's time: which calls meet it, and which meet what it left behind.

use std::time::Duration;

use tokio::time::Instant;

use super::{
    allowed::{self, Set},
    wire::Cable,
};

/// How long after a fault's end calls may still meet it: what it has begun is under way.
const AFTERMATH: Duration = Duration::from_millis(20);

/// A fault, and from when to when it was about.
pub struct Span {
    may: Set,
    from: Instant,
    pub until: Option<Instant>,
    /// It lasts as long as this.
    pub cable: Option<Cable>,
}

impl Span {
    /// From now on.
    pub fn new(may: Set, cable: Option<Cable>) -> Self {
        Span { may, from: Instant::now(), until: None, cable }
    }

    /// What a call from then to then may get of it; what a failed connect leaves behind is there for `lasting` more.
    pub fn on_a_call(&self, from: Instant, until: Instant, lasting: Duration) -> Set {
        let end = self.until.or_else(|| self.cable.as_ref()?.lock().gone);
        let over_for = end.map_or(Duration::ZERO, |end| from.saturating_duration_since(end));
        match over_for {
            _ if self.from > until => Set::default(),
            over if over <= AFTERMATH => self.may,
            over if over <= lasting => self.may.and(allowed::CONNECTING),
            _ => Set::default(),
        }
    }
}
