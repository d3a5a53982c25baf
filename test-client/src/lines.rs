//! The two lines for a call that failed: the lab's on standard output, and why on standard error.

use serde_json::{Value, json};
use service_runtime::status::code_name;
use tonic::Code;

use crate::{call::Outcome, failure::Failure, units::millis};

/// The lab's line: B is well, A is not.
pub fn service_a_failed(failure: &Failure) -> Value {
    let unavailable = matches!(failure.code, Code::Unavailable | Code::DeadlineExceeded);
    json!({
        "service_b": "ok",
        "service_a": if unavailable { "unavailable" } else { "error" },
        "error": format!("{}: {}", code_name(failure.code), failure.message),
    })
}

/// `CODE (n) from <hop>: <sentence> (<details>) [<REASON>] <k> attempts, <ms> ms; retry in <ms> ms`; what is not known
/// is left out.
pub fn why(failure: &Failure, outcome: &Outcome) -> String {
    let Failure { code, message, origin, .. } = failure;
    let mut line = format!("{} ({}) from {}", code_name(*code), *code as i32, origin.hop);
    if !message.is_empty() {
        line += &format!(": {message}");
    }
    // A's own code is worth a word only where B made another one of it.
    let upstream = origin.upstream_code.as_deref().filter(|upstream| *upstream != code_name(*code));
    if let Some(details) = origin.details.as_deref().or(upstream) {
        line += &format!(" ({details})");
    }
    if let Some(reason) = failure.reason() {
        line += &format!(" [{reason}]");
    }
    match origin.attempts {
        Some(1) => line += " 1 attempt",
        Some(n) => line += &format!(" {n} attempts"),
        None => {}
    }
    line += &format!(", {}", time(failure, outcome));
    if let Some(ms) = origin.retry_in_ms {
        line += &format!("; retry in {ms} ms");
    }
    line
}

/// How long it took; for a deadline also of how much, by the clock of the hop that kept it.
fn time(failure: &Failure, outcome: &Outcome) -> String {
    match (failure.code, failure.origin.elapsed_ms, failure.origin.deadline_ms) {
        (Code::DeadlineExceeded, Some(elapsed), Some(deadline)) => format!("{elapsed} ms of {deadline} ms"),
        (Code::DeadlineExceeded, ..) => format!("{} ms of {} ms", millis(outcome.latency), millis(outcome.timeout)),
        _ => format!("{} ms", millis(outcome.latency)),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use http::HeaderMap;
    use service_runtime::{client::AnswerMetadata, origin::Origin};

    use super::*;

    fn failed(code: Code, message: &str, origin: Origin) -> Outcome {
        let failure = Failure { code, message: message.into(), origin };
        let latency = Duration::from_micros(1900);
        let timeout = Duration::from_millis(300);
        let received = AnswerMetadata::default();
        Outcome { result: Err(failure), sent: HeaderMap::new(), received, attempts: None, latency, timeout }
    }

    fn line(outcome: &Outcome) -> String {
        why(outcome.failure().unwrap(), outcome)
    }

    fn of_b(reason: &str) -> Origin {
        Origin { hop: "service-b".into(), reason: reason.into(), attempts: Some(1), ..Origin::default() }
    }

    #[test]
    fn tells_a_failure_in_one_line() {
        let origin = Origin {
            details: Some("connection refused".into()),
            retry_in_ms: Some(640),
            elapsed_ms: Some(7),
            ..of_b("SERVICE_A_UNREACHABLE")
        };
        assert_eq!(
            line(&failed(Code::Unavailable, "Service A is unavailable: cannot connect", origin)),
            "UNAVAILABLE (14) from service-b: Service A is unavailable: cannot connect (connection refused) \
             [SERVICE_A_UNREACHABLE] 1 attempt, 1 ms; retry in 640 ms"
        );
    }

    #[test]
    fn tells_a_deadline_by_the_clock_of_the_hop_that_kept_it() {
        let sentence = "The deadline passed before Service A answered";
        let origin = Origin { elapsed_ms: Some(295), deadline_ms: Some(300), ..of_b("DEADLINE_EXCEEDED") };
        assert_eq!(
            line(&failed(Code::DeadlineExceeded, sentence, origin)),
            "DEADLINE_EXCEEDED (4) from service-b: The deadline passed before Service A answered \
             [DEADLINE_EXCEEDED] 1 attempt, 295 ms of 300 ms"
        );
        assert!(line(&failed(Code::DeadlineExceeded, sentence, of_b("X"))).ends_with(", 1 ms of 300 ms"));
    }

    #[test]
    fn names_the_code_of_a_where_b_made_another_one_of_it() {
        let of_a =
            |code: &str| Origin { upstream_code: Some(code.into()), attempts: Some(2), ..of_b("SERVICE_A_ERROR") };
        let line = |code| line(&failed(Code::Internal, "Sorry", of_a(code)));
        assert_eq!(
            line("NOT_FOUND"),
            "INTERNAL (13) from service-b: Sorry (NOT_FOUND) [SERVICE_A_ERROR] 2 attempts, 1 ms"
        );
        assert_eq!(line("INTERNAL"), "INTERNAL (13) from service-b: Sorry [SERVICE_A_ERROR] 2 attempts, 1 ms");
    }

    #[test]
    fn prints_the_labs_line_only_for_what_is_about_a() {
        let of = |code, origin| failed(code, "Sorry", origin).result.err().filter(Failure::is_about_service_a);
        let printed =
            |code, reason| of(code, of_b(reason)).map(|failure| service_a_failed(&failure)["service_a"].clone());
        assert_eq!(printed(Code::Unavailable, "SERVICE_A_TIMEOUT"), Some("unavailable".into()));
        assert_eq!(printed(Code::DeadlineExceeded, "DEADLINE_EXCEEDED"), Some("unavailable".into()));
        assert_eq!(printed(Code::Internal, "SERVICE_A_ERROR"), Some("error".into()));
        assert_eq!(printed(Code::ResourceExhausted, "SERVICE_A_OVERLOADED"), Some("error".into()));
        assert_eq!(printed(Code::ResourceExhausted, "OVERLOADED"), None);
        let by_the_client = Origin { hop: "test-client".into(), ..of_b("DEADLINE_EXCEEDED") };
        assert!(of(Code::DeadlineExceeded, by_the_client).is_none());
    }
}
