//! Behaviours by name.

use std::{str::FromStr, sync::Arc};

use crate::{
    name::{Pattern, Unknown},
    server::{
        step::Script,
        table::{self, Row},
    },
};

/// One way to misbehave, or to behave: a row of the table, with its number filled in.
#[derive(Clone, Debug)]
pub struct Behaviour {
    name: String,
    does: String,
    pub(crate) script: Arc<Script>,
}

impl Behaviour {
    fn new(row: &Row, number: u32) -> Self {
        let does = row.does.replace("<n>", &number.to_string());
        Behaviour { name: Pattern::new(row.name).fill(number), does, script: Arc::new((row.script)(number)) }
    }

    /// The name by which it is found, such as `rst-8-before-headers`.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// One sentence: what it does.
    pub fn does(&self) -> &str {
        &self.does
    }
}

impl FromStr for Behaviour {
    type Err = Unknown;

    /// Looks a name up. Errors: there is none; the error says what is near.
    fn from_str(name: &str) -> Result<Self, Unknown> {
        let found = rows().find_map(|row| Some(Behaviour::new(row, Pattern::new(row.name).matches(name)?)));
        found.ok_or_else(|| Unknown::new("behaviour", name, &list().map(|(pattern, _)| pattern).collect::<Vec<_>>()))
    }
}

/// Behaviours that have something in common.
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

/// The table: a name and a sentence for each; `rst-<0..13>-before-headers` stands for fourteen.
pub fn list() -> impl Iterator<Item = (&'static str, &'static str)> {
    rows().map(|row| (row.name, row.does))
}

/// Every behaviour there is, with its number filled in: all numbers where they are few, those that matter
/// where they are many.
pub fn examples() -> Vec<Behaviour> {
    let examples = |row: &'static Row| Pattern::new(row.name).numbers().into_iter().map(|n| Behaviour::new(row, n));
    rows().flat_map(examples).collect()
}

fn rows() -> impl Iterator<Item = &'static Row> {
    table::GROUPS.iter().flat_map(|(_, rows)| rows.iter())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unknown(name: &str) -> String {
        name.parse::<Behaviour>().unwrap_err().to_string()
    }

    #[test]
    fn says_what_is_near_to_a_name_that_is_none() {
        assert_eq!(unknown("stal"), "no behaviour 'stal'; did you mean 'stall'?");
        assert_eq!(
            unknown("rst-14-before-headers"),
            "no behaviour 'rst-14-before-headers'; there is rst-<0..13>-before-headers"
        );
        assert_eq!(unknown("xyz"), "no behaviour 'xyz'");
        assert_eq!(unknown(""), "no behaviour ''");
    }

    #[test]
    fn finds_every_example_by_its_own_name_and_no_name_twice() {
        let mut names: Vec<String> = examples().iter().map(|behaviour| behaviour.name().to_owned()).collect();
        for name in &names {
            assert_eq!(name.parse::<Behaviour>().unwrap().name(), name);
        }
        names.sort();
        let count = names.len();
        names.dedup();
        assert_eq!(names.len(), count);
    }

    #[test]
    fn fills_the_number_into_the_sentence() {
        let behaviour: Behaviour = "rst-8-before-headers".parse().unwrap();
        assert!(behaviour.does().contains('8') && !behaviour.does().contains('<'), "{}", behaviour.does());
        assert!(examples().iter().all(|behaviour| !behaviour.does().contains('<')));
    }
}
