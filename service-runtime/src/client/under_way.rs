//! A call to a peer that is under way, and what is said of it when it ends.

use std::{sync::Arc, time::Duration};

use http::HeaderValue;
use tokio::time::Instant;
use tonic::Status;

use super::{
    methods::MethodKind,
    progress::{Failed, Progress, blame},
    proof::is_by,
    worker::Worker,
};
use crate::{
    context::{Context, PeerCall},
    deadline::{Deadline, SetBy},
    origin::{self, Facts},
    status::Cause,
};

/// A call under way.
pub(super) struct PeerCallUnderWay {
    pub worker: Arc<Worker>,
    pub context: Context,
    pub kind: MethodKind,
    /// Of a unary call, and of how long a stream without a deadline waits until it can begin.
    pub cap: Duration,
    /// When it has to be answered, and who says so. A stream has no time of its own.
    pub deadline: Option<(Deadline, SetBy)>,
    pub progress: Progress,
}

impl PeerCallUnderWay {
    /// What has failed an attempt.
    pub fn read(&self, status: &Status) -> Failed {
        let is_by_peer = is_by(status, self.worker.peer.name(), self.worker.identity.domain());
        Failed { is_by_peer, ..Failed::of(status, self.deadline) }
    }

    /// What the deadline means that has passed.
    pub fn time_is_up(&mut self) -> Status {
        let set_by = self.deadline.map_or(SetBy::Caller, |(_, set_by)| set_by);
        let failed = self.progress.passed(set_by, &self.worker.balancer);
        self.failed(failed)
    }

    /// The status for our own caller.
    pub fn failed(&self, failed: Failed) -> Status {
        let facts = Facts {
            attempts: self.progress.attempts(),
            elapsed: self.context.call.elapsed(),
            timeout: self.context.deadline.map(|deadline| deadline.timeout()),
            retry_in: failed.next_try.map(|at| at.saturating_duration_since(Instant::now())),
            blame: blame(self.progress.replica.clone(), failed.served_by.as_ref()),
            is_by_peer: failed.is_by_peer,
        };
        let status = origin::failed(&self.worker.identity, &self.worker.peer, failed.cause, facts);
        self.note(failed.served_by, Some(failed.cause));
        failed.cause.on(status)
    }

    /// Leaves behind what the call's log line and response headers tell.
    pub fn note(&self, served_by: Option<HeaderValue>, cause: Option<Cause>) {
        let url = self.progress.url.clone().unwrap_or_else(|| self.worker.url.clone());
        self.context.call.note(PeerCall {
            peer: self.worker.peer.clone(),
            cause: cause.map(|cause| in_the_log(cause, &url)),
            served_by,
            timeout: self.deadline.map(|(deadline, _)| deadline.timeout()),
            sent: self.progress.sent > 0,
            attempts: self.progress.attempts(),
            url,
            replica: self.progress.replica.clone(),
        });
    }
}

/// What went wrong, and where.
pub(super) fn in_the_log(cause: Cause, url: &str) -> String {
    let authority = url.trim_start_matches("http://");
    match cause {
        Cause::Unreachable(_) | Cause::Unresolved | Cause::NotGrpc(_) => format!("connect {authority}: {cause}"),
        cause => format!("{authority}: {cause}"),
    }
}
