//! From the text of a condition to the condition.

use std::{cmp::Ordering, str::FromStr, time::Duration};

use service_runtime::status::{CODE_NAMES, code_of_name};

use super::{Condition, Counted, Limit, Metric, Of, Operator};
use crate::load::latency::QUANTILES;

const EXPECTED: &str = "expected a condition such as 'p99>50ms', 'errors>0.1%', 'code:UNAVAILABLE>0' or 'rate<900/s'";

impl FromStr for Condition {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let at = text.find(['<', '>']).ok_or(EXPECTED)?;
        let (name, rest) = text.split_at(at);
        let wanted = if rest.starts_with('<') { Ordering::Less } else { Ordering::Greater };
        let (or_equal, limit) = rest[1..].strip_prefix('=').map_or((false, &rest[1..]), |limit| (true, limit));
        let metric = metric(name.trim(), limit.trim())?;
        Ok(Condition { text: text.to_owned(), metric, operator: Operator { wanted, or_equal } })
    }
}

fn metric(name: &str, limit: &str) -> Result<Metric, String> {
    let latency = |of, name| Some((of, quantile(name)?));
    let latency = match name.split_once('-') {
        None => latency(Of::All, name),
        Some(("ok", name)) => latency(Of::Ok, name),
        Some(("lag", name)) => latency(Of::Lag, name),
        Some(_) => None,
    };
    if let Some((of, quantile)) = latency {
        return duration(limit).map(|limit| Metric::Latency(of, quantile, limit));
    }
    if name == "rate" {
        let per_second = number(limit.strip_suffix("/s").unwrap_or(limit));
        return per_second.map(Metric::Rate).ok_or_else(|| "rate: expected calls per second such as 900/s".into());
    }
    let counted = counted(name)?;
    let limit = match limit.strip_suffix('%') {
        Some(share) => number(share.trim_end()).map(Limit::Percent),
        None => number(limit).map(Limit::Number),
    };
    limit
        .map(|limit| Metric::Calls(counted, limit))
        .ok_or_else(|| format!("{name}: expected a number or a share such as 0.1%"))
}

fn counted(name: &str) -> Result<Counted, String> {
    Ok(match name.split_once(':') {
        None => match name {
            "errors" => Counted::Errors,
            "swapped" => Counted::Swapped,
            "lost" => Counted::Lost,
            "not-started" => Counted::NotStarted,
            _ => return Err(EXPECTED.into()),
        },
        Some(("code", code)) => {
            let code = code_of_name(code);
            Counted::Code(code.ok_or_else(|| format!("code: expected one of {}", CODE_NAMES.join(", ")))?)
        }
        Some(("hop", hop)) => Counted::Hop(hop.to_owned()),
        Some(("reason", reason)) => Counted::Reason(reason.to_owned()),
        Some(_) => return Err(EXPECTED.into()),
    })
}

fn quantile(name: &str) -> Option<f64> {
    QUANTILES.iter().find(|(known, _)| *known == name).map(|(_, quantile)| *quantile)
}

fn duration(text: &str) -> Result<Duration, String> {
    let unit = text.find(|c: char| c.is_alphabetic()).unwrap_or(text.len());
    let (value, unit) = text.split_at(unit);
    let seconds = match unit {
        "us" | "µs" => 1e-6,
        "ms" => 1e-3,
        "s" => 1.0,
        "m" => 60.0,
        _ => 0.0,
    };
    let value = number(value.trim_end()).filter(|_| seconds > 0.0);
    let duration = value.and_then(|value| Duration::try_from_secs_f64(value * seconds).ok());
    duration.ok_or_else(|| format!("'{text}': expected a duration such as 50ms, 0.5ms or 2s"))
}

fn number(text: &str) -> Option<f64> {
    text.parse().ok().filter(|number: &f64| number.is_finite() && *number >= 0.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> (Metric, &'static str) {
        let Condition { metric, operator, .. } = text.parse().unwrap();
        let operator = match (operator.wanted, operator.or_equal) {
            (Ordering::Less, false) => "<",
            (Ordering::Less, true) => "<=",
            (_, false) => ">",
            (_, true) => ">=",
        };
        (metric, operator)
    }

    #[test]
    fn reads_every_metric_and_operator() {
        let latency = |of, quantile, micros| Metric::Latency(of, quantile, Duration::from_micros(micros));
        let calls = Metric::Calls;
        for (text, metric, operator) in [
            ("p99>50ms", latency(Of::All, 0.99, 50_000), ">"),
            ("p50 >= 0.5ms", latency(Of::All, 0.5, 500), ">="),
            ("p99.9<2s", latency(Of::All, 0.999, 2_000_000), "<"),
            ("max<=1m", latency(Of::All, 1.0, 60_000_000), "<="),
            ("ok-p95>900us", latency(Of::Ok, 0.95, 900), ">"),
            ("lag-p99>1ms", latency(Of::Lag, 0.99, 1000), ">"),
            ("rate<900/s", Metric::Rate(900.0), "<"),
            ("rate<900", Metric::Rate(900.0), "<"),
            ("errors>0.1%", calls(Counted::Errors, Limit::Percent(0.1)), ">"),
            ("errors > 3", calls(Counted::Errors, Limit::Number(3.0)), ">"),
            ("swapped>0", calls(Counted::Swapped, Limit::Number(0.0)), ">"),
            ("lost>0", calls(Counted::Lost, Limit::Number(0.0)), ">"),
            ("not-started>1 %", calls(Counted::NotStarted, Limit::Percent(1.0)), ">"),
            ("code:UNAVAILABLE>0", calls(Counted::Code(tonic::Code::Unavailable), Limit::Number(0.0)), ">"),
            ("hop:service-b>0", calls(Counted::Hop("service-b".into()), Limit::Number(0.0)), ">"),
            ("reason:OVERLOADED>5%", calls(Counted::Reason("OVERLOADED".into()), Limit::Percent(5.0)), ">"),
            (
                "reason:connection refused>0",
                calls(Counted::Reason("connection refused".into()), Limit::Number(0.0)),
                ">",
            ),
        ] {
            assert_eq!(parsed(text), (metric, operator), "{text}");
        }
    }

    #[test]
    fn says_what_is_wrong() {
        for (text, sentence) in [
            ("", EXPECTED),
            ("p99", EXPECTED),
            ("p99=50ms", EXPECTED),
            ("p98>50ms", EXPECTED),
            ("best-p99>50ms", EXPECTED),
            ("color:RED>0", EXPECTED),
            ("p99>50", "'50': expected a duration such as 50ms, 0.5ms or 2s"),
            ("p99>-1ms", "'-1ms': expected a duration such as 50ms, 0.5ms or 2s"),
            ("p99>50ms>1", "'50ms>1': expected a duration such as 50ms, 0.5ms or 2s"),
            ("p99>1e400s", "'1e400s': expected a duration such as 50ms, 0.5ms or 2s"),
            ("errors>many", "errors: expected a number or a share such as 0.1%"),
            ("errors>NaN", "errors: expected a number or a share such as 0.1%"),
            ("errors>5ms", "errors: expected a number or a share such as 0.1%"),
            ("rate<9%", "rate: expected calls per second such as 900/s"),
        ] {
            assert_eq!(text.parse::<Condition>(), Err(sentence.to_owned()), "{text}");
        }
        assert!("code:NOPE>0".parse::<Condition>().unwrap_err().starts_with("code: expected one of OK, CANCELLED, "));
    }
}
