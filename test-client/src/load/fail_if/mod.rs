//! `--fail-if`: a condition on the report that makes it a failure, such as `p99>50ms`.

mod held;
mod parse;

use std::{cmp::Ordering, time::Duration};

use tonic::Code;

/// What must not hold.
#[derive(Clone, Debug, PartialEq)]
pub struct Condition {
    text: String,
    metric: Metric,
    operator: Operator,
}

/// What is looked at, and the limit in its own unit.
#[derive(Clone, Debug, PartialEq)]
enum Metric {
    /// `1.0` is the maximum.
    Latency(Of, f64, Duration),
    Calls(Counted, Limit),
    Rate(f64),
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Of {
    All,
    Ok,
    Lag,
}

#[derive(Clone, Debug, PartialEq)]
enum Counted {
    Errors,
    Swapped,
    Lost,
    NotStarted,
    Code(Code),
    Hop(String),
    Reason(String),
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Limit {
    Number(f64),
    Percent(f64),
}

#[derive(Clone, Copy, Debug, PartialEq)]
struct Operator {
    wanted: Ordering,
    or_equal: bool,
}

impl Operator {
    fn holds<T: PartialOrd>(self, is: &T, limit: &T) -> bool {
        let order = is.partial_cmp(limit);
        order == Some(self.wanted) || self.or_equal && order == Some(Ordering::Equal)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn compares_as_it_was_told() {
        for (text, holds) in [
            ("errors>1", [false, false, true]),
            ("errors>=1", [false, true, true]),
            ("errors<1", [true, false, false]),
            ("errors<=1", [true, true, false]),
        ] {
            let Condition { operator, .. } = text.parse().unwrap();
            assert_eq!([0.0, 1.0, 2.0].map(|is| operator.holds(&is, &1.0)), holds, "{text}");
        }
    }
}
