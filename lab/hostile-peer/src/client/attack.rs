//! Attacks by name.

use std::{io, str::FromStr, time::Duration};

use super::{
    Held, Seen, Target,
    table::{self, Row},
};
use crate::name::{Pattern, Unknown};

/// One way to misbehave: a row of the table, with its number filled in.
#[derive(Clone, Debug)]
pub struct Attack {
    row: &'static Row,
    number: u32,
}

/// Longer than the longest bound that a server should need: a vanished caller is found within 30 s.
const PATIENCE: Duration = Duration::from_secs(35);

impl Attack {
    /// The name by which it is found, such as `ping-flood`.
    pub fn name(&self) -> String {
        Pattern::new(self.row.name).fill(self.number)
    }

    /// One sentence: what it does.
    pub fn does(&self) -> String {
        self.row.does.replace("<n>", &self.number.to_string())
    }

    /// Connects to the target, brings the connection into the attack's state, and returns it so.
    ///
    /// Errors: nobody takes the connection.
    pub async fn begin(&self, target: &Target) -> io::Result<Held> {
        Held::begin(target, (self.row.script)(target, self.number)).await
    }

    /// Does it to the target, and tells what was seen. Errors: nobody takes the connection.
    pub async fn run(&self, target: &Target) -> io::Result<Seen> {
        self.run_for(target, PATIENCE).await
    }

    /// The same, with so much patience for what the server does.
    pub async fn run_for(&self, target: &Target, patience: Duration) -> io::Result<Seen> {
        Ok(self.begin(target).await?.observe(patience).await)
    }
}

impl FromStr for Attack {
    type Err = Unknown;

    /// Looks a name up. Errors: there is none; the error says what is near.
    fn from_str(name: &str) -> Result<Self, Unknown> {
        let found = rows().find_map(|row| Some(Attack { row, number: Pattern::new(row.name).matches(name)? }));
        found.ok_or_else(|| Unknown::new("attack", name, &rows().map(|row| row.name).collect::<Vec<_>>()))
    }
}

/// Attacks that have something in common.
#[derive(Clone, Copy, Debug)]
pub struct Group {
    /// What they have in common, in a few words.
    pub title: &'static str,
    rows: &'static [Row],
}

impl Group {
    /// A name and a sentence for each; where a name has a number in it, its range stands there.
    pub fn list(&self) -> impl Iterator<Item = (&'static str, &'static str)> + use<> {
        self.rows.iter().map(|row| (row.name, row.does))
    }
}

/// The table, in groups.
pub fn groups() -> impl Iterator<Item = Group> {
    table::GROUPS.iter().map(|(title, rows)| Group { title, rows })
}

/// Every attack there is; where a name has a number in it, with a few of them.
pub fn attacks() -> Vec<Attack> {
    let examples = |row| Pattern::new(row_name(row)).numbers().into_iter().map(move |number| Attack { row, number });
    rows().flat_map(examples).collect()
}

fn row_name(row: &'static Row) -> &'static str {
    row.name
}

fn rows() -> impl Iterator<Item = &'static Row> {
    table::GROUPS.iter().flat_map(|(_, rows)| rows.iter())
}
