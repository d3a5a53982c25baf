//! Numbers as people read them.

use std::time::Duration;

/// Milliseconds with three digits that matter: `0.412`, `63.2`, `2001`.
pub fn ms(duration: Duration) -> String {
    let ms = duration.as_secs_f64() * 1000.0;
    match ms {
        ..9.9995 => format!("{ms:.3}"),
        ..99.995 => format!("{ms:.2}"),
        ..999.95 => format!("{ms:.1}"),
        _ => format!("{ms:.0}"),
    }
}

/// Whole milliseconds.
pub fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// Milliseconds as a number, to the microsecond.
pub fn number_of_ms(duration: Duration) -> f64 {
    (duration.as_secs_f64() * 1e6).round() / 1e3
}

/// The part of `whole` that `part` is, in percent; zero of nothing.
#[expect(clippy::cast_precision_loss, reason = "nobody makes 2^53 calls")]
pub fn percent(part: u64, whole: u64) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 * 100.0 / whole as f64 }
}

/// Percent with as many digits as it takes to see that it is not zero: `12.5 %`, `0.02 %`, `0.0005 %`.
pub fn percent_text(part: u64, whole: u64) -> String {
    let percent = percent(part, whole);
    match percent {
        0.0 => "0 %".into(),
        ..0.01 => format!("{percent:.4} %"),
        99.995.. if part < whole => format!("{percent:.4} %"),
        _ => format!("{percent:.2} %"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shows_the_digits_that_matter() {
        for (micros, text) in
            [(412, "0.412"), (4_120, "4.120"), (63_240, "63.24"), (632_400, "632.4"), (2_001_000, "2001"), (0, "0.000")]
        {
            assert_eq!(ms(Duration::from_micros(micros)), text);
        }
        assert_eq!(number_of_ms(Duration::from_nanos(1_234_567)), 1.235);
    }

    #[test]
    fn does_not_hide_one_failure_among_many_calls() {
        assert_eq!(percent_text(1, 1_000_000), "0.0001 %");
        assert_eq!(percent_text(999_999, 1_000_000), "99.9999 %");
        assert_eq!((percent_text(0, 0), percent_text(7, 7)), ("0 %".into(), "100.00 %".into()));
    }
}
