//! Names with a number in them: `rst-<0..13>-before-headers` stands for fourteen. And names that are none.

use std::{error::Error, fmt, io};

/// Of all HTTP statuses, those that proxies, load balancers and web servers answer with.
const HTTP: [u32; 18] = [200, 204, 301, 302, 307, 308, 400, 401, 403, 404, 408, 413, 429, 431, 500, 502, 503, 504];

/// A name, taken apart where its number stands.
pub(crate) struct Pattern<'a> {
    before: &'a str,
    hole: Option<&'a str>,
    after: &'a str,
}

impl<'a> Pattern<'a> {
    pub(crate) fn new(pattern: &'a str) -> Self {
        let parts = pattern.split_once('<').and_then(|(before, rest)| Some((before, rest.split_once('>')?)));
        match parts {
            Some((before, (hole, after))) => Pattern { before, hole: Some(hole), after },
            None => Pattern { before: pattern, hole: None, after: "" },
        }
    }

    /// The number in that name if it is one of these; 0 where there is none to fill in.
    pub(crate) fn matches(&self, name: &str) -> Option<u32> {
        if self.hole.is_none() {
            return (name == self.before).then_some(0);
        }
        let number: u32 = self.number_in(name)?.parse().ok()?;
        // One spelling for each: no leading zeros, no plus.
        (self.allows(number) && self.fill(number) == name).then_some(number)
    }

    /// Whether only the number of that name is wrong.
    pub(crate) fn resembles(&self, name: &str) -> bool {
        self.hole.is_some() && self.number_in(name).is_some_and(|number| number.bytes().all(|c| c.is_ascii_digit()))
    }

    fn number_in<'b>(&self, name: &'b str) -> Option<&'b str> {
        name.strip_prefix(self.before)?.strip_suffix(self.after).filter(|number| !number.is_empty())
    }

    pub(crate) fn fill(&self, number: u32) -> String {
        match self.hole {
            Some(_) => format!("{}{number}{}", self.before, self.after),
            None => self.before.to_owned(),
        }
    }

    fn range(&self) -> Option<(u32, u32)> {
        let (first, last) = self.hole?.split_once("..")?;
        Some((first.parse().ok()?, last.parse().ok()?))
    }

    fn allows(&self, number: u32) -> bool {
        self.range().is_some_and(|(first, last)| (first..=last).contains(&number))
    }

    /// Every number where they are few, and where they are many those that matter, or three.
    pub(crate) fn numbers(&self) -> Vec<u32> {
        match self.range() {
            None => vec![0],
            Some((200, _)) => HTTP.to_vec(),
            Some((first, last)) if last - first < 20 => (first..=last).collect(),
            Some((first, _)) => vec![first, first + 2, first + 19],
        }
    }
}

/// No behavior, or no attack, has that name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unknown {
    kind: &'static str,
    name: String,
    hint: String,
}

impl Unknown {
    /// What should have been the name of a `kind`, of which there are these.
    pub(crate) fn new(kind: &'static str, name: &str, patterns: &[&'static str]) -> Self {
        Unknown { kind, name: name.to_owned(), hint: hint(name, patterns) }
    }
}

impl fmt::Display for Unknown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "no {} '{}'{}", self.kind, self.name, self.hint)
    }
}

impl Error for Unknown {}

impl From<Unknown> for io::Error {
    fn from(unknown: Unknown) -> Self {
        io::Error::new(io::ErrorKind::InvalidInput, unknown)
    }
}

/// What is near to a name that is none; nothing when nothing is.
fn hint(name: &str, patterns: &[&'static str]) -> String {
    let filled = |pattern: &&'static str| {
        let pattern = Pattern::new(pattern);
        pattern.numbers().into_iter().map(move |number| pattern.fill(number))
    };
    let near = patterns.iter().flat_map(filled).map(|known| (strsim::levenshtein(name, &known), known)).min();
    if let Some(pattern) = patterns.iter().find(|pattern| Pattern::new(pattern).resembles(name)) {
        return format!("; there is {pattern}");
    }
    match near {
        Some((letters, near)) if letters <= name.chars().count() / 2 => format!("; did you mean '{near}'?"),
        _ => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_the_number_within_its_range_and_in_one_spelling() {
        let pattern = Pattern::new("rst-<0..13>-before-headers");
        assert_eq!(pattern.matches("rst-13-before-headers"), Some(13));
        for not in ["rst-14-before-headers", "rst-08-before-headers", "rst-+8-before-headers", "rst--before-headers"] {
            assert_eq!(pattern.matches(not), None, "{not}");
        }
        assert!(pattern.resembles("rst-14-before-headers") && !pattern.resembles("rst-x-before-headers"));
        assert_eq!(Pattern::new("http-<200..599>-html").matches("http-418-html"), Some(418));
        assert_eq!(Pattern::new("echo").matches("echo"), Some(0));
    }
}
