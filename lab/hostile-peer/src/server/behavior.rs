//! Behaviors by name.

use std::{str::FromStr, sync::Arc};

use crate::{
    name::Unknown,
    row::{self, Group},
    server::{
        step::Script,
        table::{TABLE, parts::Row},
    },
};

/// One way to misbehave, or to behave: a row of the table, with its number filled in.
#[derive(Clone, Debug)]
pub struct Behavior {
    name: String,
    does: String,
    pub(crate) script: Arc<Script>,
}

impl Behavior {
    fn new((row, number): (&Row, u32)) -> Self {
        Behavior { name: row.name(number), does: row.does(number), script: Arc::new((row.script)(number)) }
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

impl FromStr for Behavior {
    type Err = Unknown;

    /// Looks a name up. Errors: there is none; the error says what is near.
    fn from_str(name: &str) -> Result<Self, Unknown> {
        row::find(TABLE, "behaviour", name).map(Behavior::new)
    }
}

/// The table, in groups.
pub fn groups() -> impl Iterator<Item = Group> {
    row::groups(TABLE)
}

/// The table: a name and a sentence for each; `rst-<0..13>-before-headers` stands for fourteen.
pub fn list() -> impl Iterator<Item = (&'static str, &'static str)> {
    TABLE.iter().flat_map(|(_, rows)| rows.iter()).map(|row| (row.name, row.does))
}

/// Every behavior there is, with its number filled in: all numbers where they are few, those that matter
/// where they are many.
pub fn examples() -> Vec<Behavior> {
    row::examples(TABLE).map(Behavior::new).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unknown(name: &str) -> String {
        name.parse::<Behavior>().unwrap_err().to_string()
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
        let mut names: Vec<String> = examples().iter().map(|behavior| behavior.name().to_owned()).collect();
        for name in &names {
            assert_eq!(name.parse::<Behavior>().unwrap().name(), name);
        }
        names.sort();
        let count = names.len();
        names.dedup();
        assert_eq!(names.len(), count);
    }

    #[test]
    fn fills_the_number_into_the_sentence() {
        let behavior: Behavior = "rst-8-before-headers".parse().unwrap();
        assert!(behavior.does().contains('8') && !behavior.does().contains('<'), "{}", behavior.does());
        assert!(examples().iter().all(|behavior| !behavior.does().contains('<')));
    }
}
