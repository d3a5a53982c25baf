//! Reads what callgrind writes: instructions by function, and how often functions were called.

use std::{collections::BTreeMap, ops::Sub};

use anyhow::Context as _;

/// What a process did from its start to its end.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Profile {
    /// The instructions of each function, without those of what it calls.
    pub own: BTreeMap<String, f64>,
    /// The instructions of a caller's calls of a function, with those of what that calls in turn.
    pub calls: BTreeMap<(String, String), f64>,
    /// How often something was allocated, or grew.
    pub allocations: f64,
}

/// What allocates: the C library's functions and mimalloc's. Each has a symbol, for they are not Rust's and so never inlined.
const ALLOCATES: [&str; 11] = [
    "malloc",
    "calloc",
    "realloc",
    "posix_memalign",
    "aligned_alloc",
    "mi_malloc",
    "mi_malloc_aligned",
    "mi_zalloc",
    "mi_zalloc_aligned",
    "mi_realloc",
    "mi_realloc_aligned",
];

impl Profile {
    /// All instructions.
    pub fn instructions(&self) -> f64 {
        self.own.values().sum()
    }

    /// The cost of one call, where this is the cost of `calls` of them.
    pub fn of_one(mut self, calls: f64) -> Profile {
        self.own.values_mut().chain(self.calls.values_mut()).for_each(|cost| *cost /= calls);
        self.allocations /= calls;
        self
    }
}

/// What one did more than the other.
impl Sub for Profile {
    type Output = Profile;

    fn sub(mut self, other: Profile) -> Profile {
        for (function, cost) in other.own {
            *self.own.entry(function).or_default() -= cost;
        }
        for (call, cost) in other.calls {
            *self.calls.entry(call).or_default() -= cost;
        }
        self.allocations -= other.allocations;
        self
    }
}

/// Reads a file of callgrind's that was written without compressed names and positions, and without lines.
///
/// `fn=` begins a function, whose lines are a position and a cost. After `calls=` one such line has the cost of the function that was
/// called, which its own lines tell already. An allocation counts where it is called from something that does not allocate itself.
pub fn parse(text: &str) -> anyhow::Result<Profile> {
    let mut profile = Profile::default();
    let (mut function, mut called, mut is_of_call) = ("", "", false);
    for line in text.lines() {
        if let Some(name) = line.strip_prefix("fn=") {
            function = name;
        } else if let Some(name) = line.strip_prefix("cfn=") {
            called = name;
        } else if let Some(calls) = line.strip_prefix("calls=") {
            is_of_call = true;
            if allocates(called) && !allocates(function) {
                profile.allocations += number(calls.split(' ').next())?;
            }
        } else if line.starts_with(|first: char| first.is_ascii_digit() || "+-*".contains(first)) {
            let cost = number(line.split(' ').nth(1))?;
            match std::mem::take(&mut is_of_call) {
                true => *profile.calls.entry((function.to_owned(), called.to_owned())).or_default() += cost,
                false => *profile.own.entry(function.to_owned()).or_default() += cost,
            }
        }
    }
    anyhow::ensure!(profile.instructions() > 0.0, "callgrind has counted nothing");
    Ok(profile)
}

/// A function that calls itself, directly or not, has a number behind its name.
fn allocates(function: &str) -> bool {
    ALLOCATES.contains(&function.split('\'').next().unwrap_or_default())
}

fn number(word: Option<&str>) -> anyhow::Result<f64> {
    word.unwrap_or_default().parse().with_context(|| format!("callgrind wrote {word:?} where a number should be"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const WRITTEN: &str = "events: Ir\n\nob=/x\nfl=???\nfn=serve\n0 100\ncfn=mi_malloc_aligned\ncalls=3 0\n0 90\n0 7\n\n\
        fn=mi_malloc_aligned\n0 60\ncfn=mi_malloc\ncalls=3 0\n0 30\n\nfn=mi_malloc\n0 30\n\ntotals: 197\n";

    #[test]
    fn counts_what_a_function_does_itself_and_not_what_it_calls() {
        let profile = parse(WRITTEN).unwrap();
        assert_eq!(profile.own["serve"], 107.0);
        assert_eq!(profile.calls[&("serve".to_owned(), "mi_malloc_aligned".to_owned())], 90.0);
        assert_eq!(profile.instructions(), 197.0, "what callgrind itself has as the total");
    }

    #[test]
    fn counts_an_allocation_once_where_one_allocator_calls_another() {
        assert_eq!(parse(WRITTEN).unwrap().allocations, 3.0);
    }

    #[test]
    fn a_file_that_says_nothing_is_an_error_and_not_a_service_that_costs_nothing() {
        assert!(parse("events: Ir\n").is_err());
    }
}
