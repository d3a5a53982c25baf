//! B for `curl`: the JSON paths, what they stand for, and the lab's answer when the call to A failed.

use echo_proto::{CallEchoRequest, CallEchoResponse, HealthResponse};
use serde_json::{Value, json};
use service_runtime::json::{Failure, Route};

pub(crate) fn routes() -> [Route; 2] {
    let call_echo = Route::get(
        "/call-echo",
        "/echo.v1.CallEchoService/CallEcho",
        |query| CallEchoRequest { msg: query.text("msg") },
        |reply: CallEchoResponse| {
            let echo = reply.service_a.unwrap_or_default().echo;
            json!({"service_a": {"echo": echo}, "service_b": reply.service_b})
        },
    );
    let health = Route::health("/echo.v1.HealthService/Check", |reply: HealthResponse| reply.status);
    [health, call_echo.on_failure(service_a_failed)]
}

/// The lab's answer when the call to A failed; B's own refusals have the common form.
fn service_a_failed(failure: &Failure) -> Option<Value> {
    let reason = failure.origin.reason.as_str();
    if !reason.starts_with("SERVICE_A_") && reason != "DEADLINE_EXCEEDED" {
        return None;
    }
    let unavailable = matches!(failure.code, "UNAVAILABLE" | "DEADLINE_EXCEEDED");
    Some(json!({
        "error": failure.message,
        "service_a": if unavailable { "unavailable" } else { "error" },
        "service_b": "ok",
        "details": failure.origin.details.as_deref().or(failure.origin.upstream_code.as_deref()).unwrap_or("no answer"),
        "code": failure.code,
        "reason": reason,
    }))
}
