//! A call to a peer, from the deadline to the cause of a failure.

use std::time::Duration;

use tokio::time::Instant;
use tonic::{Code, Request, Response, Status, transport::Channel};

use super::{
    Peer, Target,
    connection::Connection,
    subchannel::{Connect, FIRST_PAUSE, Failure, PeerLog, Subchannel},
};
use crate::{
    Service,
    context::{Context, PeerCall, SERVED_BY},
    deadline::{self, Deadline, SetBy},
    origin::{self, Facts},
    server::Worker,
    status::Cause,
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
    service: &'static Service,
    peer: Peer,
    target: Target,
    cap: Duration,
    subchannel: Subchannel,
}

/// A call that failed.
struct Failed {
    cause: Cause,
    next_try: Option<Instant>,
    served_by: Option<http::HeaderValue>,
}

impl Upstream {
    /// Starts to connect and keeps connected from then on. Call it in the factory of [`serve`](crate::server::Bound::serve).
    pub fn new(peer: Peer, config: &UpstreamConfig, worker: &Worker) -> Self {
        let connect =
            Connect { target: config.target.clone(), timeout: config.connect_timeout, max_backoff: config.max_backoff };
        Upstream {
            service: worker.service(),
            peer,
            target: config.target.clone(),
            cap: config.timeout,
            subchannel: Subchannel::new(connect, worker.process_wide::<PeerLog>(), peer),
        }
    }

    /// Calls the peer: `attempt` sends `message` over the channel it is given and may check the answer.
    ///
    /// Everything happens within the caller's deadline less a margin, or our own cap, whichever comes first: waiting for
    /// a connection, sending, headers and body. Dropping the future cancels the call at the peer. Errors: a status of
    /// the failure contract, with its origin.
    pub async fn call<Req, Res, Fut>(
        &self,
        context: &Context,
        message: Req,
        attempt: impl FnOnce(Channel, Request<Req>) -> Fut,
    ) -> Result<Response<Res>, Status>
    where
        Fut: Future<Output = Result<Response<Res>, Status>>,
    {
        let (deadline, set_by) = Deadline::for_peer(context.deadline, self.cap);
        let mut stage = Stage::NotBegun;
        let outcome = deadline::keep(Some(deadline), async {
            stage = Stage::Connecting;
            let connection = self.subchannel.ready().await.map_err(Failed::from)?;
            stage = Stage::Sent;
            let mut request = Request::new(message);
            context.call.pass_on(request.metadata_mut().as_mut());
            deadline.set_on(&mut request);
            let sent = attempt(connection.channel.clone(), request).await;
            context.call.hear(sent.as_ref().map_or_else(Status::metadata, Response::metadata).as_ref());
            sent.map_err(|status| Failed::of(&status, &connection, deadline, set_by))
        })
        .await;
        let result = outcome.unwrap_or_else(|deadline::Passed| Err(stage.passed(set_by)));
        self.note(context, deadline, &stage, &result);
        result.map_err(|failed| {
            let facts = Facts {
                attempts: stage.attempts(),
                elapsed: context.call.elapsed(),
                timeout: context.deadline.map(|deadline| deadline.timeout()),
                retry_in: failed.next_try.map(|at| at.saturating_duration_since(Instant::now())),
            };
            origin::failed(self.service, &self.peer, failed.cause, facts)
        })
    }

    /// Leaves behind what the call's log line and response headers tell.
    fn note<Res>(&self, context: &Context, deadline: Deadline, stage: &Stage, result: &Result<Response<Res>, Failed>) {
        let served_by = match result {
            Ok(response) => response.metadata().as_ref().get(SERVED_BY).cloned(),
            Err(failed) => failed.served_by.clone(),
        };
        let authority = self.target.authority();
        let cause = result.as_ref().err().map(|failed| match failed.cause {
            cause @ (Cause::Unreachable(_) | Cause::Unresolved) => format!("connect {authority}: {cause}"),
            cause => format!("{authority}: {cause}"),
        });
        context.call.note(PeerCall {
            url: self.target.to_string(),
            timeout: deadline.timeout(),
            sent: *stage == Stage::Sent,
            attempts: stage.attempts(),
            cause,
            served_by,
        });
    }
}

/// How far a call came; decides what a passed deadline means.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    NotBegun,
    Connecting,
    Sent,
}

impl Stage {
    fn attempts(self) -> u32 {
        u32::from(self != Stage::NotBegun)
    }

    fn passed(self, set_by: SetBy) -> Failed {
        Failed::because(match (set_by, self) {
            (SetBy::Caller, _) => Cause::Deadline,
            (SetBy::Cap, Stage::Sent) => Cause::Timeout,
            (SetBy::Cap, _) => Cause::Unreachable("connect timeout"),
        })
    }
}

impl Failed {
    fn because(cause: Cause) -> Self {
        Failed { cause, next_try: None, served_by: None }
    }

    fn of(status: &Status, connection: &Connection, deadline: Deadline, set_by: SetBy) -> Self {
        let cause = match Cause::of(status) {
            Cause::Timeout => Stage::Sent.passed(set_by).cause,
            Cause::Answered(Code::DeadlineExceeded | Code::Cancelled) if deadline.remaining() <= SAME_MOMENT => {
                Stage::Sent.passed(set_by).cause
            }
            lost @ Cause::ConnectionLost(_) => connection.end().unwrap_or(lost),
            cause => cause,
        };
        // The connection is being replaced: soon it is worth a try.
        let next_try = matches!(cause, Cause::ConnectionLost(_)).then(|| Instant::now() + FIRST_PAUSE);
        Failed { next_try, served_by: status.metadata().as_ref().get(SERVED_BY).cloned(), ..Self::because(cause) }
    }
}

impl From<Failure> for Failed {
    fn from(failure: Failure) -> Self {
        Failed { next_try: Some(failure.next_try), ..Self::because(failure.cause) }
    }
}
