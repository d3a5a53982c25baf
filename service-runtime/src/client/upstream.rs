//! A call to a peer, from the deadline to the cause of a failure.

use std::time::Duration;

use http::HeaderValue;
use tokio::time::Instant;
use tonic::{Code, Request, Response, Status};

use super::{
    Backoff, Checked, Peer, Target,
    backoff::FIRST_PAUSE,
    connection::Connection,
    subchannel::{Connect, Failure, PeerLog, Subchannel},
};
use crate::{
    Service,
    context::{Context, PeerCall, SERVED_BY},
    deadline::{self, Deadline, SetBy},
    origin::{self, Facts},
    server::Worker,
    status::{Cause, Retry},
};

/// A peer that gives up so close to our own deadline gave up because of it.
const SAME_MOMENT: Duration = Duration::from_millis(10);

/// Where a peer is and how long to wait for it.
#[derive(Clone, Debug)]
pub struct UpstreamConfig {
    /// Where it listens.
    pub target: Target,
    /// The cap on a whole call, whatever the caller's deadline is.
    pub timeout: Duration,
    /// The cap on connecting.
    pub connect_timeout: Duration,
    /// The longest pause between two tries to connect.
    pub max_backoff: Duration,
}

/// A peer as one worker sees it.
pub struct Upstream {
    pub(super) service: &'static Service,
    pub(super) peer: Peer,
    pub(super) target: Target,
    pub(super) cap: Duration,
    pub(super) max_message: usize,
    pub(super) subchannel: Subchannel,
}

impl Upstream {
    /// Starts to connect and keeps connected from then on. Call it in the factory of [`serve`](crate::server::Bound::serve).
    pub fn new(peer: Peer, config: &UpstreamConfig, worker: &Worker) -> Self {
        let connect = Connect {
            dial: config.target.clone(),
            target: config.target.clone(),
            timeout: config.connect_timeout,
            backoff: Backoff::new(config.max_backoff),
        };
        Upstream {
            service: worker.service(),
            peer,
            target: config.target.clone(),
            cap: config.timeout,
            max_message: worker.max_message_size(),
            subchannel: Subchannel::new(connect, worker.process_wide::<PeerLog>(), peer),
        }
    }

    /// Calls the peer: `attempt` sends `message` over the channel it is given and may check the answer.
    ///
    /// Everything happens within the caller's deadline less a margin, or our own cap, whichever comes first: waiting for
    /// a connection, sending, headers and body. A call that the peer has not processed is made again (gRFC A6,
    /// "transparent retries"). Dropping the future cancels the call at the peer. Errors: a status of the failure
    /// contract, with its origin.
    pub async fn call<Req, Res, Fut>(
        &self,
        context: &Context,
        message: Req,
        attempt: impl Fn(Checked, Request<Req>) -> Fut,
    ) -> Result<Response<Res>, Status>
    where
        Req: Clone,
        Fut: Future<Output = Result<Response<Res>, Status>>,
    {
        let (deadline, set_by) = Deadline::for_peer(context.deadline, self.cap);
        let mut course = Course::default();
        let attempts = self.attempts(context, (deadline, set_by), &mut course, |channel, request: Request<()>| {
            attempt(channel, request.map(|()| message.clone()))
        });
        let outcome = deadline::keep(Some(deadline), attempts).await;
        let result = outcome.unwrap_or_else(|deadline::Passed| Err(course.passed(set_by)));
        self.note(context, deadline, &course, &result);
        result.map_err(|failed| {
            let facts = Facts {
                attempts: course.attempts(),
                elapsed: context.call.elapsed(),
                timeout: context.deadline.map(|deadline| deadline.timeout()),
                retry_in: failed.next_try.map(|at| at.saturating_duration_since(Instant::now())),
            };
            origin::failed(self.service, &self.peer, failed.cause, facts)
        })
    }

    /// One attempt after the other, until one is answered or may not be made again.
    async fn attempts<Res, Fut>(
        &self,
        context: &Context,
        (deadline, set_by): (Deadline, SetBy),
        course: &mut Course,
        attempt: impl Fn(Checked, Request<()>) -> Fut,
    ) -> Result<Response<Res>, Failed>
    where
        Fut: Future<Output = Result<Response<Res>, Status>>,
    {
        course.begun = true;
        loop {
            let connection = match self.subchannel.ready().await {
                Ok(connection) => connection,
                // A retry that finds nobody is no attempt: the earlier answer stands.
                Err(failure) => return Err(course.refused.take().unwrap_or_else(|| failure.into())),
            };
            let mut request = Request::new(());
            context.call.pass_on(request.metadata_mut().as_mut());
            deadline.set_on(&mut request);
            course.sent();
            let sent = attempt(connection.channel(self.max_message), request).await;
            context.call.hear(sent.as_ref().map_or_else(Status::metadata, Response::metadata).as_ref());
            let status = match sent {
                Ok(answer) => return Ok(answer),
                Err(status) => status,
            };
            let failed = Failed::of(&status, &connection, deadline, set_by);
            match failed.cause.transparent_retry() {
                Retry::NeverSent => {
                    course.not_sent();
                    connection.gone().await;
                }
                Retry::NotProcessed if course.refused.is_none() => course.refused(failed),
                _ => return Err(failed),
            }
        }
    }

    /// Leaves behind what the call's log line and response headers tell.
    fn note<Res>(
        &self,
        context: &Context,
        deadline: Deadline,
        course: &Course,
        result: &Result<Response<Res>, Failed>,
    ) {
        let served_by = match result {
            Ok(response) => served_by(response.metadata().as_ref()),
            Err(failed) => failed.served_by.clone(),
        };
        let authority = self.target.authority();
        let cause = result.as_ref().err().map(|failed| match failed.cause {
            cause @ (Cause::Unreachable(_) | Cause::Unresolved | Cause::NotGrpc(_)) => {
                format!("connect {authority}: {cause}")
            }
            cause => format!("{authority}: {cause}"),
        });
        context.call.note(PeerCall {
            url: self.target.to_string(),
            timeout: deadline.timeout(),
            sent: course.sent > 0,
            attempts: course.attempts(),
            cause,
            served_by,
        });
    }
}

/// How far a call has come; decides what a passed deadline means.
#[derive(Default)]
struct Course {
    begun: bool,
    /// Attempts that went out.
    sent: u32,
    /// Whether one is under way.
    sending: bool,
    /// The attempt that the peer did not process. There is one more after it, not two.
    refused: Option<Failed>,
}

impl Course {
    fn sent(&mut self) {
        self.sent += 1;
        self.sending = true;
    }

    /// The connection was gone before the request was on it.
    fn not_sent(&mut self) {
        self.sent -= 1;
        self.sending = false;
    }

    fn refused(&mut self, failed: Failed) {
        self.refused = Some(failed);
        self.sending = false;
    }

    /// How many there were; looking for a connection in vain counts as one.
    fn attempts(&self) -> u32 {
        self.sent.max(u32::from(self.begun))
    }

    fn passed(&mut self, set_by: SetBy) -> Failed {
        match (set_by, self.sending) {
            (SetBy::Caller, _) => Failed::because(Cause::Deadline),
            (SetBy::Cap, true) => Failed::because(Cause::Timeout),
            (SetBy::Cap, false) => {
                self.refused.take().unwrap_or_else(|| Failed::because(Cause::Unreachable("connect timeout")))
            }
        }
    }
}

/// A call that failed.
struct Failed {
    cause: Cause,
    next_try: Option<Instant>,
    served_by: Option<HeaderValue>,
}

impl Failed {
    fn because(cause: Cause) -> Self {
        Failed { cause, next_try: None, served_by: None }
    }

    fn of(status: &Status, connection: &Connection, deadline: Deadline, set_by: SetBy) -> Self {
        let own = match set_by {
            SetBy::Caller => Cause::Deadline,
            SetBy::Cap => Cause::Timeout,
        };
        let gave_up = |cause: Cause| matches!(cause.code(), Code::DeadlineExceeded | Code::Cancelled);
        let cause = match Cause::of(status) {
            Cause::Timeout => own,
            cause @ Cause::Answered(_) if gave_up(cause) && deadline.remaining() <= SAME_MOMENT => own,
            // The connection knows better how it ended, unless it was we who ended it.
            Cause::ConnectionLost("closed") => connection.end().unwrap_or(Cause::ConnectionLost("closed")),
            cause => cause,
        };
        let next_try = cause.soon_worth_a_retry().then(|| Instant::now() + FIRST_PAUSE);
        Failed { cause, next_try, served_by: served_by(status.metadata().as_ref()) }
    }
}

impl From<Failure> for Failed {
    fn from(failure: Failure) -> Self {
        Failed { next_try: Some(failure.next_try), ..Self::because(failure.cause) }
    }
}

/// Who answered, by the peer's word; what does not look like it is left out.
fn served_by(headers: &http::HeaderMap) -> Option<HeaderValue> {
    let plausible = |value: &&HeaderValue| value.len() <= 256 && value.to_str().is_ok();
    headers.get(SERVED_BY).filter(plausible).cloned()
}
