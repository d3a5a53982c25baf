//! Tables of named rows, in groups: what behaviors and attacks have in common.

use crate::name::{Pattern, Unknown};

/// One way to misbehave, or several that differ by a number.
#[derive(Debug)]
pub(crate) struct Row<S> {
    /// Its name; `<1..1000>` in it is a number in that range.
    pub name: &'static str,
    /// One sentence; `<n>` in it is that number.
    pub does: &'static str,
    /// Makes the script, given the number in the name, or 0.
    pub script: S,
}

/// All rows, in groups with a title each.
pub(crate) type Table<S> = [(&'static str, &'static [Row<S>])];

/// Rows that have something in common.
#[derive(Clone, Debug)]
pub struct Group {
    /// What they have in common, in a few words.
    pub title: &'static str,
    rows: Vec<(&'static str, &'static str)>,
}

impl Group {
    /// A name and a sentence for each; where a name has a number in it, its range stands there.
    pub fn list(self) -> impl Iterator<Item = (&'static str, &'static str)> {
        self.rows.into_iter()
    }
}

impl<S> Row<S> {
    /// The name with that number in it.
    pub(crate) fn name(&self, number: u32) -> String {
        Pattern::new(self.name).fill(number)
    }

    /// The sentence with that number in it.
    pub(crate) fn does(&self, number: u32) -> String {
        self.does.replace("<n>", &number.to_string())
    }
}

pub(crate) fn groups<S>(table: &'static Table<S>) -> impl Iterator<Item = Group> {
    let list = |rows: &[Row<S>]| rows.iter().map(|row| (row.name, row.does)).collect();
    table.iter().map(move |(title, rows)| Group { title, rows: list(rows) })
}

/// Every row with its number: all numbers where they are few, those that matter where they are many.
pub(crate) fn examples<S>(table: &'static Table<S>) -> impl Iterator<Item = (&'static Row<S>, u32)> {
    rows(table).flat_map(|row| Pattern::new(row.name).numbers().into_iter().map(move |number| (row, number)))
}

/// Looks a name up. Errors: there is none of that `kind`; the error says what is near.
pub(crate) fn find<S>(
    table: &'static Table<S>,
    kind: &'static str,
    name: &str,
) -> Result<(&'static Row<S>, u32), Unknown> {
    let found = rows(table).find_map(|row| Some((row, Pattern::new(row.name).matches(name)?)));
    found.ok_or_else(|| Unknown::new(kind, name, &rows(table).map(|row| row.name).collect::<Vec<_>>()))
}

fn rows<S>(table: &'static Table<S>) -> impl Iterator<Item = &'static Row<S>> {
    table.iter().flat_map(|(_, rows)| rows.iter())
}
