//! A call that failed: by the word of a service, or because the client never got that far.

use std::borrow::Cow;

use service_runtime::{
    client::is_by,
    origin::{Origin, hop},
    status::Cause,
};
use tonic::{Code, Status};

use crate::options::{Called, SERVICE_B, TEST_CLIENT};

/// Why there is no answer.
pub struct Failure {
    /// The gRPC code.
    pub code: Code,
    /// The sentence.
    pub message: String,
    /// Which hop decided it, and why; the reason is empty where none was given.
    pub origin: Origin,
}

impl Failure {
    /// What a client's error means: the answer of a hop, or a call that ended on the way.
    pub fn of(status: &Status, called: &Called) -> Self {
        match Cause::of(status) {
            cause @ Cause::Answered(_) => Self::answered(cause.code(), status, called),
            cause => Self::own(cause, called),
        }
    }

    fn answered(code: Code, status: &Status, called: &Called) -> Self {
        let origin = origin_of(status, called.name);
        Failure { code, message: status.message().to_owned(), origin }
    }

    /// A failure that the client itself decided: no answer came, or none that can be believed.
    pub fn own(cause: Cause, called: &Called) -> Self {
        let out_of_time = matches!(cause, Cause::Deadline | Cause::Timeout);
        let details = cause.details().filter(|_| !out_of_time);
        Self::by_client(cause.code(), sentence(cause, called), details)
    }

    /// The deadline passed while there was no connection yet; `last` says why the last try failed, where one has.
    pub fn never_connected(last: Option<Cause>, called: &Called) -> Self {
        let Called { name, target } = called;
        let details = last.unwrap_or(Cause::Unreachable("connect timeout")).details();
        Self::by_client(Code::DeadlineExceeded, format!("cannot reach {name} at {target} within the deadline"), details)
    }

    /// There was no time to begin with.
    pub fn too_late() -> Self {
        Self::by_client(Code::DeadlineExceeded, "the deadline passed before the call was sent".into(), None)
    }

    fn by_client(code: Code, message: String, details: Option<Cow<'static, str>>) -> Self {
        let details = details.map(Cow::into_owned);
        let origin = Origin { hop: TEST_CLIENT.to_owned(), details, ..Origin::default() };
        Failure { code, message, origin }
    }

    /// The reason, where there is one.
    pub fn reason(&self) -> Option<&str> {
        Some(self.origin.reason.as_str()).filter(|reason| !reason.is_empty())
    }

    /// Whether B failed because of A: what the lab's line on standard output is for.
    pub fn is_about_service_a(&self) -> bool {
        let out_of_time = self.origin.reason == "DEADLINE_EXCEEDED" && self.origin.hop == SERVICE_B;
        self.origin.reason.starts_with("SERVICE_A_") || out_of_time
    }
}

/// Who decided a status that came from where `service` is reached, and why. Where no hop is named it was that service, if the
/// answer proves that, or a proxy before it.
pub fn origin_of(status: &Status, service: &str) -> Origin {
    let mut origin = Origin::of(status).unwrap_or_default();
    if origin.hop.is_empty() {
        origin.hop = hop(service, is_by(status, service, echo_proto::PACKAGE));
    }
    origin
}

fn sentence(cause: Cause, Called { name, target }: &Called) -> String {
    match cause {
        Cause::Unreachable(_) | Cause::Unresolved | Cause::NeverSent => format!("cannot reach {name} at {target}"),
        Cause::NotGrpc(_) | Cause::Http(_) => format!("what answers for {name} at {target} is not a gRPC server"),
        Cause::Busy => format!("{name} takes no more calls at once"),
        Cause::GoingAway => format!("{name} is going away"),
        Cause::ConnectionLost(_) => format!("the connection to {name} was lost"),
        Cause::Reset(_) => format!("{name} reset the call"),
        Cause::Timeout | Cause::Deadline => format!("no answer from {name} within the deadline"),
        Cause::Broken(_) => format!("the answer of {name} broke the protocol"),
        Cause::Answered(_) => format!("{name} answered with an error"),
    }
}
