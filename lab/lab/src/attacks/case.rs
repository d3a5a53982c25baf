//! One line of the table.

use std::time::Duration;

use hostile_peer::client::{Attack, Reaction, Target};

use super::expected::{Expected, Then};

/// One attack, and what must come of it.
#[derive(Clone, Copy, Debug)]
pub struct Case {
    /// Its name: the same in `hostile-peer`, in the docs and in the tests.
    pub name: &'static str,
    /// What the server must do.
    pub expected: Expected,
}

/// How long is waited beyond the latest moment at which the server should have done something.
const AFTER_LATEST: Duration = Duration::from_secs(2);
/// How long is waited after the last frame of a flood.
const AFTER_FLOOD: Duration = Duration::from_secs(1);

impl Case {
    /// The attack itself.
    pub fn attack(&self) -> Attack {
        self.name.parse().expect("a test sees to it that every line of the table names an attack")
    }

    /// Whether it takes long, and nothing meanwhile: such attacks go on side by side.
    pub fn waits(&self) -> bool {
        self.expected.within.latest > Duration::from_secs(2) && !self.floods()
    }

    /// Whether it sends as much as it can.
    pub fn floods(&self) -> bool {
        self.expected.then == Then::HasEnough
    }

    /// Whether it is about the plain face, or about health: what tonic's own guide does not give a server.
    pub fn is_beyond_stock(&self) -> bool {
        ["http1-", "http2-", "health-", "grpc-over-http1"].iter().any(|begin| self.name.starts_with(begin))
    }

    /// Whether it is about how many connections there are.
    pub fn is_about_connections(&self) -> bool {
        self.expected.then == Then::ClosedUntilThereIsRoom
    }

    /// Does it. Errors: the target does not take the connection.
    pub async fn run(&self, target: &Target) -> anyhow::Result<Reaction> {
        let within = match self.expected.then {
            Then::HasEnough => AFTER_FLOOD,
            Then::StaysOpen => self.expected.within.earliest,
            _ => self.expected.within.latest + AFTER_LATEST,
        };
        Ok(self.attack().run_for(target, within).await?)
    }
}
