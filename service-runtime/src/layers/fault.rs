//! Faults on demand: does to a call what its `rpc-behavior` metadata asks for, as gRPC's own interop servers do.
//!
//! Nothing is obeyed unless a flag says so. All waiting is part of the call's own future, so that a cancel, the deadline
//! and the end of a drain end it at once. Health and reflection are exempt: a sick process is still alive.

use std::sync::Arc;

use http::{Extensions, HeaderMap, HeaderValue, Request, Response};
use prost::Message as _;
use tokio::time::sleep;
use tonic::{Code, Status, body::Body};
use tonic_types::pb;

use super::{
    Handle, answer,
    behavior::{Action, Asked, Behavior, Behaviors},
};
use crate::{
    context::PREVIOUS_ATTEMPTS,
    fields::single,
    identity::Identity,
    methods::Method,
    origin::{self, refused},
    status::Refusal,
};

/// Which faults a service takes part in; none by default.
#[derive(Clone, Debug, Default)]
pub struct FaultConfig {
    /// Do to a call what its `rpc-behavior` asks for.
    pub obey_metadata: bool,
    /// Do this to every call.
    pub always: Behaviors,
}

/// What this process does to its calls.
pub struct Faults {
    config: FaultConfig,
    instance: String,
}

impl Faults {
    pub fn new(config: FaultConfig, instance: &str) -> Self {
        Faults { config, instance: instance.to_owned() }
    }

    /// Whether any call may be failed on purpose.
    pub fn are_on(&self) -> bool {
        self.config.obey_metadata || !self.config.always.0.is_empty()
    }

    /// Whether a call of `method` is done to what its metadata asks for.
    pub fn obeys(&self, method: Option<&Method>) -> bool {
        self.config.obey_metadata && !is_exempt(method)
    }

    /// What counts for this call: the flag's behaviors, then those of the metadata.
    fn of_call(&self, extensions: &Extensions) -> Result<Vec<Behavior>, Refusal> {
        let method = extensions.get::<Arc<Method>>().map(|method| &**method);
        let always = if is_exempt(method) { &[] } else { &*self.config.always.0 };
        let asked = match extensions.get::<Asked>().filter(|_| self.obeys(method)) {
            Some(asked) => asked.own()?,
            None => Vec::new(),
        };
        Ok(always.iter().cloned().chain(asked).filter(|behavior| behavior.counts(&self.instance)).collect())
    }
}

fn is_exempt(method: Option<&Method>) -> bool {
    method.is_some_and(|method| method.probe)
}

pub struct Fault<S> {
    pub identity: Identity,
    pub faults: Arc<Faults>,
    pub inner: S,
}

impl<S: Handle> Handle for Fault<S> {
    async fn handle(&self, request: Request<Body>) -> Response<Body> {
        let behaviors = match self.faults.of_call(request.extensions()) {
            Ok(behaviors) => behaviors,
            Err(refusal) => return answer(refused(&self.identity, refusal)),
        };
        match obey(&behaviors, previous_attempts(request.headers())).await {
            Some(code) => asked_to_fail(&self.identity, code),
            None => self.inner.handle(request).await,
        }
    }
}

/// Does what is asked, in order; the outcome is the code to fail with, if any.
async fn obey(behaviors: &[Behavior], previous_attempts: u32) -> Option<i32> {
    for (index, behavior) in behaviors.iter().enumerate() {
        let is_last = index + 1 == behaviors.len();
        match behavior.action {
            Action::Sleep(pause) => sleep(pause).await,
            Action::KeepOpen => std::future::pending().await,
            Action::ErrorCode(0) => {}
            Action::ErrorCode(code) => return Some(code),
            Action::SucceedOnRetryAttempt(n) if previous_attempts >= n => return None,
            Action::SucceedOnRetryAttempt(_) if is_last => return Some(Code::Unavailable as i32),
            Action::SucceedOnRetryAttempt(_) => {}
        }
    }
    None
}

fn previous_attempts(headers: &HeaderMap) -> u32 {
    let value = single(headers, PREVIOUS_ATTEMPTS).ok().flatten();
    value.and_then(|n| n.to_str().ok()?.parse().ok()).unwrap_or(0)
}

/// The answer with that code, also one that has no name: `tonic::Code` would make 2 of it.
fn asked_to_fail(identity: &Identity, code: i32) -> Response<Body> {
    let status = origin::asked_to_fail(identity, Code::from(code));
    // The details repeat the code, and must not contradict it.
    let mut details = pb::Status::decode(status.details()).unwrap_or_default();
    details.code = code;
    let details = details.encode_to_vec().into();
    let mut response = answer(Status::with_details(status.code(), status.message(), details));
    response.headers_mut().insert(Status::GRPC_STATUS, HeaderValue::from(code));
    response
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::time::{Instant, timeout};

    use super::*;
    use crate::layers::behavior;

    /// The code and after how many milliseconds it came.
    async fn outcome(list: &str, previous_attempts: u32) -> (Option<i32>, u128) {
        let began = Instant::now();
        let code = obey(&behavior::read(list).unwrap(), previous_attempts).await;
        (code, began.elapsed().as_millis())
    }

    #[tokio::test(start_paused = true)]
    async fn does_one_after_the_other_until_one_decides() {
        for (list, expected) in [
            ("", (None, 0)),
            ("sleep-3", (None, 3000)),
            ("sleep-200ms, sleep-1", (None, 1200)),
            ("sleep-200ms, error-code-14, sleep-1", (Some(14), 200)),
            ("error-code-0, error-code-99", (Some(99), 0)),
        ] {
            assert_eq!(outcome(list, 0).await, expected, "{list}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn succeeds_from_the_attempt_on_that_is_asked_for() {
        for (list, attempts, expected) in [
            ("succeed-on-retry-attempt-2", 0, Some(14)),
            ("succeed-on-retry-attempt-2", 1, Some(14)),
            ("succeed-on-retry-attempt-2", 2, None),
            ("succeed-on-retry-attempt-2", 3, None),
            ("succeed-on-retry-attempt-0", 0, None),
            ("succeed-on-retry-attempt-1, error-code-8", 0, Some(8)),
            ("succeed-on-retry-attempt-1, error-code-8", 1, None),
            ("error-code-8, succeed-on-retry-attempt-0", 1, Some(8)),
        ] {
            assert_eq!(outcome(list, attempts).await, (expected, 0), "{list} after {attempts}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn keeps_a_call_open_for_as_long_as_somebody_waits() {
        assert!(timeout(Duration::from_secs(1_000_000), outcome("keep-open, error-code-14", 0)).await.is_err());
    }

    #[test]
    fn says_the_same_number_in_the_status_and_in_its_details() {
        let a = Identity::new("service-a", "echo.v1");
        for code in [5, 14, 17, 99, i32::MAX] {
            let answer = asked_to_fail(&a, code);
            assert_eq!(answer.headers()[Status::GRPC_STATUS], *code.to_string());
            let status = Status::from_header_map(answer.headers()).unwrap();
            assert_eq!(pb::Status::decode(status.details()).unwrap().code, code);
            let origin = origin::Origin::of(&status).unwrap();
            assert_eq!((origin.hop.as_str(), origin.reason.as_str()), ("service-a", "FAULT_INJECTED"));
            assert_eq!(status.message(), "Service A was asked to fail");
        }
    }

    #[test]
    fn takes_a_malformed_number_of_attempts_for_none() {
        for (value, expected) in [("2", 2), ("x", 0), ("-1", 0), ("", 0)] {
            let headers = HeaderMap::from_iter([(PREVIOUS_ATTEMPTS, value.parse().unwrap())]);
            assert_eq!(previous_attempts(&headers), expected, "{value}");
        }
    }
}
