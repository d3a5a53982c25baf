//! Attacks by name.

use std::{io, str::FromStr, time::Duration};

use super::{
    held::Held,
    reaction::Reaction,
    table::{TABLE, parts::Row},
    target::Target,
};
use crate::{
    name::Unknown,
    row::{self, Group},
};

/// One way to misbehave: a row of the table, with its number filled in.
#[derive(Clone, Debug)]
pub struct Attack {
    row: &'static Row,
    number: u32,
}

/// How long the server may take to act: longer than any bound that it should need, for it may take 30 s to find that a caller
/// has vanished.
const LONGEST_BOUND: Duration = Duration::from_secs(35);

impl Attack {
    /// The name by which it is found, such as `ping-flood`.
    pub fn name(&self) -> String {
        self.row.name(self.number)
    }

    /// One sentence: what it does.
    pub fn does(&self) -> String {
        self.row.does(self.number)
    }

    /// Connects to the target, brings the connection into the attack's state, and returns it so.
    ///
    /// Errors: it does not take the connection.
    pub async fn begin(&self, target: &Target) -> io::Result<Held> {
        Held::begin(target, (self.row.script)(target, self.number)).await
    }

    /// Does it to the target, and tells what was seen. Errors: it does not take the connection.
    pub async fn run(&self, target: &Target) -> io::Result<Reaction> {
        self.run_for(target, LONGEST_BOUND).await
    }

    /// The same; waits at most `within` for what the server does.
    pub async fn run_for(&self, target: &Target, within: Duration) -> io::Result<Reaction> {
        Ok(self.begin(target).await?.observe(within).await)
    }
}

impl FromStr for Attack {
    type Err = Unknown;

    /// Looks a name up. Errors: there is none; the error says what is near.
    fn from_str(name: &str) -> Result<Self, Unknown> {
        row::find(TABLE, "attack", name).map(|(row, number)| Attack { row, number })
    }
}

/// The table, in groups.
pub fn groups() -> impl Iterator<Item = Group> {
    row::groups(TABLE)
}

/// Every attack there is; where a name has a number in it, with a few of them.
pub fn attacks() -> Vec<Attack> {
    row::examples(TABLE).map(|(row, number)| Attack { row, number }).collect()
}
