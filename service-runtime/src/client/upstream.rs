//! A call to a peer, from the deadline to the cause of a failure: the loop that uses all the rest.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use rand::{SeedableRng, rngs::StdRng};
use tokio::time::{Instant, sleep, timeout};
use tonic::{Request, Response, Status};

use super::{
    Backoff, Checked, Peer, Target,
    balancer::Balancer,
    budget::Budget,
    connection::Connection,
    course::{Course, Failed, Last, served_by},
    outlier::Outliers,
    peer_log::PeerLog,
    replica::Replica,
    replicas::Making,
    resolver::Resolver,
    retry::{self, PREVIOUS_ATTEMPTS},
    subset::Subset,
};
use crate::{
    Service,
    context::{Context, PeerCall},
    deadline::{self, Deadline, SetBy},
    origin::{self, Facts},
    server::Worker,
    status::{self, Cause},
};

/// The longest that a retry waits for a replica to be ready: its call has had its answer already.
const RETRY_PATIENCE: Duration = Duration::from_millis(50);

/// Where a peer is and how long to wait for it.
#[derive(Clone, Debug)]
pub struct UpstreamConfig {
    /// Where its replicas listen; a name with many addresses is many replicas.
    pub targets: Vec<Target>,
    /// The cap on a whole call, whatever the caller's deadline is.
    pub timeout: Duration,
    /// The cap on connecting.
    pub connect_timeout: Duration,
    /// The longest pause between two tries to connect.
    pub max_backoff: Duration,
    /// The most attempts of one call, the first counted; 1 is no retries.
    pub retry_attempts: usize,
    /// The most replicas that a worker connects to.
    pub subset: usize,
}

/// A peer as one worker sees it.
pub struct Upstream {
    pub(super) service: &'static Service,
    pub(super) peer: Peer,
    /// What the log calls the peer before a replica is known.
    pub(super) url: String,
    pub(super) cap: Duration,
    pub(super) max_message: usize,
    pub(super) retry_attempts: u32,
    pub(super) balancer: Balancer,
    pub(super) budget: Arc<Budget>,
    /// For the pauses before retries.
    pub(super) random: Mutex<StdRng>,
}

impl Upstream {
    /// Starts to look up and to connect, and keeps connected from then on. Call it in the factory of
    /// [`serve`](crate::server::Bound::serve).
    pub fn new(peer: Peer, config: &UpstreamConfig, worker: &Worker) -> Self {
        let UpstreamConfig { connect_timeout, max_backoff, .. } = *config;
        let resolver =
            Resolver { targets: config.targets.clone(), timeout: connect_timeout, backoff: Backoff::new(max_backoff) };
        let making = Making {
            peer,
            connect_timeout,
            max_backoff,
            log: worker.process_wide::<PeerLog>(),
            outliers: worker.process_wide::<Outliers>(),
            subset: Subset::new(config.subset, worker.instance(), worker.index),
        };
        Upstream {
            service: worker.service(),
            peer,
            url: config.targets.first().map(Target::to_string).unwrap_or_default(),
            cap: config.timeout,
            max_message: worker.max_message_size(),
            retry_attempts: u32::try_from(config.retry_attempts).unwrap_or(u32::MAX),
            balancer: Balancer::new(resolver, making),
            budget: worker.process_wide::<Budget>(),
            random: Mutex::new(StdRng::from_rng(&mut rand::rng())),
        }
    }

    /// Calls the peer: `attempt` sends `message` over the channel it is given and may check the answer.
    ///
    /// Everything happens within the caller's deadline less a margin, or our own cap, whichever comes first: waiting for
    /// a connection, sending, headers and body, and more attempts where the contract has them (gRFC A6). Dropping the future
    /// cancels the call at the peer. Errors: a status of the failure contract, with its origin.
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
        self.budget.call();
        let (deadline, set_by) = Deadline::for_peer(context.deadline, self.cap);
        let mut course = Course::default();
        let attempts = self.attempts(context, (deadline, set_by), &mut course, |channel, request: Request<()>| {
            attempt(channel, request.map(|()| message.clone()))
        });
        let outcome = deadline::keep(Some(deadline), attempts).await;
        let result = outcome.unwrap_or_else(|deadline::Passed| Err(course.passed(set_by, &self.balancer)));
        self.note(context, deadline, &course, &result);
        result.map_err(|failed| {
            let facts = Facts {
                attempts: course.attempts(),
                elapsed: context.call.elapsed(),
                timeout: context.deadline.map(|deadline| deadline.timeout()),
                retry_in: failed.next_try.map(|at| at.saturating_duration_since(Instant::now())),
                blame: course.blame(failed.served_by.as_ref()),
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
            let (replica, connection) = self.pick(course).await?;
            let mut request = Request::new(());
            let headers = request.metadata_mut().as_mut();
            context.call.pass_on(headers);
            if course.failed > 0 {
                headers.insert(PREVIOUS_ATTEMPTS, course.failed.into());
            }
            deadline.set_on(&mut request);
            course.sent(&replica);
            let at_replica = replica.begin(connection, deadline);
            let sent = attempt(at_replica.connection.channel(self.max_message), request).await;
            context.call.hear(sent.as_ref().map_or_else(Status::metadata, Response::metadata).as_ref());
            let status = match sent {
                Ok(answer) => {
                    at_replica.ended(None);
                    return Ok(answer);
                }
                Err(status) => status,
            };
            let connection = at_replica.connection.clone();
            let failed = Failed::of(&status, &connection, deadline, set_by);
            at_replica.ended(Some(failed.cause));
            self.again(failed, &connection, deadline, course).await?;
        }
    }

    /// A replica that is ready. A retry that finds none is no attempt: the earlier answer stands.
    async fn pick(&self, course: &mut Course) -> Result<(Arc<Replica>, Connection), Failed> {
        let pick = self.balancer.pick(&course.tried);
        let picked = match &course.last {
            // Nobody has processed the call: it may wait like any other.
            None | Some(Last { transparent: true, .. }) => pick.await,
            Some(_) => match timeout(RETRY_PATIENCE, pick).await {
                Ok(picked) => picked,
                Err(_) => return Err(course.earlier().unwrap_or_else(|| Failed::because(self.balancer.waits_for()))),
            },
        };
        picked.map_err(|failure| course.earlier().unwrap_or_else(|| failure.into()))
    }

    /// Returns when it is time for the next attempt. Errors: there is none; the failure stands.
    async fn again(
        &self,
        failed: Failed,
        connection: &Connection,
        deadline: Deadline,
        course: &mut Course,
    ) -> Result<(), Failed> {
        match failed.cause.transparent_retry() {
            status::Retry::NeverSent => {
                course.not_sent();
                connection.gone().await;
                return Ok(());
            }
            status::Retry::NotProcessed if !course.retried_transparently => {
                course.failed_transparently(failed);
                return Ok(());
            }
            _ => {}
        }
        let attempt = (course.failed + 1, self.retry_attempts);
        let pause = {
            let mut random = self.random.lock().unwrap_or_else(PoisonError::into_inner);
            retry::pause(failed.cause, failed.pushback, attempt, &mut random)
        };
        // Past the deadline nobody waits for it.
        match pause.filter(|pause| *pause < deadline.remaining()).filter(|_| self.budget.take()) {
            Some(pause) => {
                course.failed(failed);
                sleep(pause).await;
                Ok(())
            }
            None => Err(failed),
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
        let url = course.replica.map_or_else(|| self.url.clone(), |address| format!("http://{address}"));
        let authority = url.trim_start_matches("http://");
        let cause = result.as_ref().err().map(|failed| match failed.cause {
            cause @ (Cause::Unreachable(_) | Cause::Unresolved | Cause::NotGrpc(_)) => {
                format!("connect {authority}: {cause}")
            }
            cause => format!("{authority}: {cause}"),
        });
        context.call.note(PeerCall {
            cause,
            served_by,
            timeout: deadline.timeout(),
            sent: course.sent > 0,
            attempts: course.attempts(),
            url,
        });
    }
}

#[cfg(test)]
mod tests;
