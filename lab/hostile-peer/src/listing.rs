//! What `--list` shows, and what is said of a name that is not on the list.

use std::fmt::Write as _;

use crate::{Group, Unknown};

/// The names in groups, each with its sentence behind it, from column `width` on.
pub fn text(groups: impl Iterator<Item = Group>, width: usize) -> String {
    let mut text = String::new();
    for group in groups {
        let _ = writeln!(text, "{}:", group.title);
        for (name, does) in group.list() {
            let _ = writeln!(text, "  {name:width$}  {does}");
        }
    }
    text
}

/// The length of the longest name.
pub fn width(groups: impl Iterator<Item = Group>) -> usize {
    groups.flat_map(Group::list).map(|(name, _)| name.len()).max().unwrap_or_default()
}

/// What is wrong with a name, and which command shows those that there are.
pub fn where_to_look(unknown: &Unknown, list: &str) -> String {
    let said = unknown.to_string();
    let then = if said.ends_with('?') { "" } else { ";" };
    format!("{said}{then} {list} shows them all")
}
