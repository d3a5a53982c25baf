//! The origin of a status: which hop decided it, and why. It travels as `google.rpc.ErrorInfo` in
//! `grpc-status-details-bin`, so that every client that knows gRPC's rich errors can read it.

use std::{borrow::Cow, collections::HashMap, time::Duration};

use http::{HeaderName, HeaderValue};
use prost::Message as _;
use prost_types::Any;
use tonic::{Code, Status, metadata::MetadataMap};
use tonic_types::{ErrorDetails, StatusExt, pb};

use crate::{
    address::Address,
    deadline::millis,
    identity::{Identity, Peer},
    status::{Cause, Refusal, Row, code_name},
};

/// What an `ErrorInfo` is called among the details of a status.
const ERROR_INFO: &str = "type.googleapis.com/google.rpc.ErrorInfo";

/// gRFC A6: what the server says of a retry; negative means no.
pub const PUSHBACK: &str = "grpc-retry-pushback-ms";

/// Who decided a status, and why.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Origin {
    /// The hop, such as `service-b`.
    pub hop: String,
    /// The reason, such as `SERVICE_A_UNREACHABLE`.
    pub reason: String,
    /// The code that the peer answered, where it answered.
    pub upstream_code: Option<String>,
    /// One more word, such as `connection refused`.
    pub details: Option<String>,
    /// How many times the peer was tried.
    pub attempts: Option<u32>,
    /// How long the hop had the call, in milliseconds.
    pub elapsed_ms: Option<u64>,
    /// What the hop's caller gave it, in milliseconds.
    pub deadline_ms: Option<u64>,
    /// When a retry makes sense, in milliseconds from the answer.
    pub retry_in_ms: Option<u64>,
    /// The address of the peer's replica that had the last attempt.
    pub replica: Option<String>,
    /// The name of that replica, where it answered.
    pub instance: Option<String>,
}

/// Which replica of a peer a failure is about.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Blame {
    /// Its address; `None` where none was ready.
    pub replica: Option<Address>,
    /// Its name, where it answered.
    pub instance: Option<String>,
}

/// What is known of a failed call to a peer besides its cause.
#[derive(Clone, Debug, Default)]
pub struct Facts {
    /// Attempts made.
    pub attempts: u32,
    /// Since the call began here.
    pub elapsed: Duration,
    /// The caller's timeout as it arrived.
    pub timeout: Option<Duration>,
    /// Until the peer is tried again.
    pub retry_in: Option<Duration>,
    /// Which replica had the last attempt.
    pub blame: Blame,
    /// Whether the answer proves that the peer itself made it, and not a proxy before it.
    pub is_by_peer: bool,
}

impl Origin {
    /// Reads the origin from a status; `None` where no `ErrorInfo` came with it.
    pub fn of(status: &Status) -> Option<Self> {
        let mut info = status.get_details_error_info()?;
        let mut take = |key: &str| info.metadata.remove(key);
        let retry = status.get_details_retry_info().and_then(|retry| retry.retry_delay);
        Some(Origin {
            hop: take("hop").unwrap_or_default(),
            upstream_code: take("upstream_code"),
            details: take("details"),
            attempts: take("attempts").and_then(|n| n.parse().ok()),
            elapsed_ms: take("elapsed_ms").and_then(|n| n.parse().ok()),
            deadline_ms: take("deadline_ms").and_then(|n| n.parse().ok()),
            replica: take("replica"),
            instance: take("instance"),
            retry_in_ms: retry.map(millis),
            reason: info.reason,
        })
    }

    fn into_details(self, domain: &str) -> ErrorDetails {
        let pairs = [
            ("hop", Some(self.hop)),
            ("upstream_code", self.upstream_code),
            ("details", self.details),
            ("attempts", self.attempts.map(|n| n.to_string())),
            ("elapsed_ms", self.elapsed_ms.map(|n| n.to_string())),
            ("deadline_ms", self.deadline_ms.map(|n| n.to_string())),
            ("replica", self.replica),
            ("instance", self.instance),
        ];
        let metadata: HashMap<_, _> =
            pairs.into_iter().filter_map(|(key, value)| Some((key.to_owned(), value?))).collect();
        let mut details = ErrorDetails::with_error_info(self.reason, domain, metadata);
        if let Some(ms) = self.retry_in_ms {
            details.set_retry_info(Some(Duration::from_millis(ms)));
        }
        details
    }
}

/// The hop of an answer that came from where the service called `name` is reached: that service where the answer proves it, such
/// as `service-a`, else also what may stand before it, `service-a-or-proxy`.
pub fn hop(name: &str, is_proved: bool) -> String {
    if is_proved { name.to_owned() } else { format!("{name}-or-proxy") }
}

/// The status for a failed call of a service to `peer`.
pub fn failed(identity: &Identity, peer: &Peer, cause: Cause, facts: Facts) -> Status {
    let row = cause.row();
    let reason = if row.of_peer { format!("{}_{}", peer.reason_prefix(), row.reason) } else { row.reason.to_owned() };
    let origin = Origin {
        hop: match cause.decided_by_peer() {
            true => hop(peer.name(), facts.is_by_peer),
            false => identity.name().to_owned(),
        },
        reason,
        upstream_code: cause.upstream_code().map(Cow::into_owned),
        details: cause.details().map(Cow::into_owned),
        attempts: Some(facts.attempts),
        elapsed_ms: Some(millis(facts.elapsed)),
        deadline_ms: facts.timeout.map(millis),
        retry_in_ms: facts.retry_in.map(millis),
        replica: facts.blame.replica.map(|address| address.to_string()),
        instance: facts.blame.instance,
    };
    status(&row, peer.title(), identity, origin, None)
}

/// The status of a call that a service answers by itself.
pub fn refused(identity: &Identity, refusal: Refusal) -> Status {
    let about = match (refusal, identity.behind()) {
        (Refusal::DeadlinePassed, Some(peer)) => peer.title(),
        _ => identity.title(),
    };
    refused_about(identity, refusal, about)
}

/// The same where the sentence speaks of something else than the service, such as the limit that was passed.
pub fn refused_about(identity: &Identity, refusal: Refusal, about: &str) -> Status {
    let row = refusal.row();
    let origin = Origin { hop: identity.name().to_owned(), reason: row.reason.to_owned(), ..Origin::default() };
    status(&row, about, identity, origin, None)
}

/// INVALID_ARGUMENT for a request without a field that it must have: `MSG_REQUIRED`, with a `BadRequest` that names it.
pub fn missing(identity: &Identity, field: &'static str) -> Status {
    let row = Row {
        code: Code::InvalidArgument,
        reason: "",
        of_peer: false,
        sentence: "Missing '{}' parameter",
        no_retry: false,
    };
    let origin = Origin {
        hop: identity.name().to_owned(),
        reason: format!("{}_REQUIRED", field.to_uppercase()),
        ..Origin::default()
    };
    status(&row, field, identity, origin, Some(field))
}

/// The status of a call that was asked to fail with `code`: `FAULT_INJECTED`.
pub(crate) fn asked_to_fail(identity: &Identity, code: Code) -> Status {
    let row = Row { code, reason: "FAULT_INJECTED", of_peer: false, sentence: "{} was asked to fail", no_retry: false };
    let origin = Origin { hop: identity.name().to_owned(), reason: row.reason.to_owned(), ..Origin::default() };
    status(&row, identity.title(), identity, origin, None)
}

/// The status that a handler or a layer returned, with an origin: this service, and the name of the code as the reason. Details
/// of other kinds stay. `None` where it has an origin already, or details that are not gRPC's, which are not touched.
pub(crate) fn attributed(identity: &Identity, status: &Status) -> Option<Status> {
    if Origin::of(status).is_some() {
        return None;
    }
    let mut details = pb::Status::decode(status.details()).ok()?;
    details.code = status.code().into();
    status.message().clone_into(&mut details.message);
    let info = pb::ErrorInfo {
        reason: code_name(status.code()).to_owned(),
        domain: identity.domain().to_owned(),
        metadata: HashMap::from([("hop".to_owned(), identity.name().to_owned())]),
    };
    details.details.push(Any { type_url: ERROR_INFO.to_owned(), value: info.encode_to_vec() });
    Some(Status::with_details(status.code(), status.message(), details.encode_to_vec().into()))
}

fn status(row: &Row, about: &str, identity: &Identity, origin: Origin, bad_field: Option<&str>) -> Status {
    let mut details = origin.into_details(identity.domain());
    if let Some(field) = bad_field {
        details.add_bad_request_violation(field, "must not be empty");
    }
    let mut metadata = MetadataMap::new();
    if row.no_retry {
        let headers = HeaderName::from_static(PUSHBACK);
        metadata.as_mut().insert(headers, HeaderValue::from_static("-1"));
    }
    Status::with_error_details_and_metadata(row.code, row.sentence.replace("{}", about), details, metadata)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identity::service_b;

    fn failed(cause: Cause, facts: Facts) -> Status {
        super::failed(&service_b(), &Peer::new("service-a"), cause, facts)
    }

    #[test]
    fn says_who_decided_and_why() {
        let facts = Facts {
            attempts: 1,
            elapsed: Duration::from_millis(2),
            timeout: None,
            retry_in: Some(Duration::from_millis(640)),
            blame: Blame { replica: Some(([127, 0, 0, 1], 8080).into()), instance: Some("a-1".into()) },
            is_by_peer: false,
        };
        let status = failed(Cause::Unreachable("connection refused"), facts);
        assert_eq!(status.code(), Code::Unavailable);
        assert_eq!(status.message(), "Service A is unavailable: cannot connect");
        let origin = Origin::of(&status).unwrap();
        assert_eq!((origin.hop.as_str(), origin.reason.as_str()), ("service-b", "SERVICE_A_UNREACHABLE"));
        assert_eq!((origin.details.as_deref(), origin.attempts), (Some("connection refused"), Some(1)));
        assert_eq!((origin.elapsed_ms, origin.deadline_ms, origin.retry_in_ms), (Some(2), None, Some(640)));
        assert_eq!((origin.replica.as_deref(), origin.instance.as_deref()), (Some("127.0.0.1:8080"), Some("a-1")));
        assert_eq!(status.get_details_error_info().unwrap().domain, "echo.v1");
    }

    #[test]
    fn names_the_peer_only_for_an_answer_of_its_own_that_is_passed_on() {
        for (cause, is_by_peer, hop) in [
            (Cause::Answered(14), true, "service-a"),
            (Cause::Answered(14), false, "service-a-or-proxy"),
            (Cause::Answered(8), true, "service-a"),
            (Cause::Answered(8), false, "service-a-or-proxy"),
            (Cause::Answered(1), true, "service-b"),
            (Cause::Answered(4), false, "service-b"),
            (Cause::Answered(5), true, "service-b"),
            (Cause::Unreachable("reset"), false, "service-b"),
        ] {
            let status = failed(cause, Facts { is_by_peer, ..Facts::default() });
            assert_eq!(Origin::of(&status).unwrap().hop, hop, "{cause:?} {is_by_peer}");
        }
        let status = failed(Cause::Answered(14), Facts::default());
        assert_eq!(status.message(), "Service A is unavailable: its answer says so");
    }

    #[test]
    fn names_the_bad_field() {
        let status = missing(&service_b(), "msg");
        assert_eq!((status.code(), status.message()), (Code::InvalidArgument, "Missing 'msg' parameter"));
        assert_eq!(Origin::of(&status).unwrap().reason, "MSG_REQUIRED");
        assert_eq!(status.get_details_bad_request().unwrap().field_violations[0].field, "msg");
    }

    #[test]
    fn asks_not_to_be_retried_where_that_would_make_it_worse() {
        for (cause, pushback) in
            [(Cause::Timeout, true), (Cause::Answered(8), true), (Cause::ConnectionLost("reset"), false)]
        {
            let status = failed(cause, Facts::default());
            assert_eq!(status.metadata().get(PUSHBACK).is_some(), pushback, "{cause}");
        }
    }

    #[test]
    fn stays_within_four_kibibytes_whatever_the_cause() {
        let facts = Facts {
            attempts: u32::MAX,
            elapsed: Duration::MAX,
            timeout: Some(Duration::MAX),
            retry_in: Some(Duration::from_secs(1)),
            blame: Blame { replica: Some(([127, 0, 0, 1], 8080).into()), instance: Some("x".repeat(256)) },
            is_by_peer: false,
        };
        let status = failed(Cause::Answered(u32::MAX), facts);
        assert!(status.message().len() + status.details().len() * 4 / 3 < 4096);
    }

    #[test]
    fn gives_a_status_of_a_handler_an_origin_and_leaves_the_details_that_it_has() {
        let bare = attributed(&service_b(), &Status::not_found("no such order")).unwrap();
        let origin = Origin::of(&bare).unwrap();
        assert_eq!((origin.hop.as_str(), origin.reason.as_str()), ("service-b", "NOT_FOUND"));
        assert_eq!((bare.code(), bare.message()), (Code::NotFound, "no such order"));
        let bad_request = ErrorDetails::with_bad_request_violation("order", "must be a number");
        let with_details = Status::with_error_details(Code::InvalidArgument, "bad order", bad_request);
        let both = attributed(&service_b(), &with_details).unwrap();
        assert_eq!(both.get_details_bad_request().unwrap().field_violations[0].field, "order");
        assert_eq!(Origin::of(&both).unwrap().reason, "INVALID_ARGUMENT");
    }

    #[test]
    fn does_not_touch_an_origin_of_another_hop_nor_details_that_are_not_grpcs() {
        let elsewhere = ErrorDetails::with_error_info("QUOTA", "billing.v1", HashMap::new());
        let elsewhere = Status::with_error_details(Code::ResourceExhausted, "no quota", elsewhere);
        assert!(attributed(&service_b(), &elsewhere).is_none());
        let opaque = Status::with_details(Code::Internal, "x", bytes::Bytes::from_static(b"\xff\xff not protobuf"));
        assert!(attributed(&service_b(), &opaque).is_none());
    }
}
