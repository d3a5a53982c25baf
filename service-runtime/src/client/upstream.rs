//! A call to a peer, from the deadline to the cause of a failure: the loop that uses all the rest.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use rand::{SeedableRng, rngs::StdRng};
use tokio::time::{Instant, sleep, timeout};
use tonic::{Request, Response, Status};

use super::{
    Backoff, Checked, Dial, Resolve, Sockets, SystemResolver, Target,
    balancer::Balancer,
    budget::RetryBudget,
    connection::Connection,
    outlier::Outliers,
    peer_log::PeerLog,
    progress::{Failed, Last, Progress, served_by},
    proof::is_by,
    replica::Replica,
    replicas::ReplicaConfig,
    resolver::Resolver,
    retry,
    subset::Subset,
};
use crate::{
    context::{Context, PREVIOUS_ATTEMPTS, PeerCall},
    deadline::{self, Deadline, SetBy},
    identity::{Identity, Peer, Place},
    origin::{self, Facts},
    status::{self, Cause},
};

/// The longest that a retry waits for a replica to be ready: its call has had its answer already.
const RETRY_WAIT: Duration = Duration::from_millis(50);

/// Where a peer is and how long to wait for it.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct UpstreamConfig {
    /// Where its replicas listen; a name with many addresses is many replicas.
    pub targets: Vec<Target>,
    /// The cap on a whole call, whatever the caller's deadline is.
    pub timeout: Duration,
    /// The cap on a look-up, and on connecting. Where `timeout` is shorter, a call does not wait for either for longer than that, and
    /// the try goes on without it.
    pub connect_timeout: Duration,
    /// The longest pause between two tries to connect.
    pub max_backoff: Duration,
    /// The most attempts of one call, the first counted; 1 is no retries.
    pub retry_attempts: usize,
    /// The most replicas that a worker connects to.
    pub subset: usize,
    /// The largest answer that is taken, in bytes.
    pub max_message_size: usize,
}

impl UpstreamConfig {
    /// The peer at these targets, and for all else the defaults: 2 s a call, 1 s to connect, 1 s between two tries, 3 attempts, 100
    /// replicas a worker, answers of up to 64 KiB.
    pub fn new(targets: Vec<Target>) -> Self {
        UpstreamConfig {
            targets,
            timeout: Duration::from_secs(2),
            connect_timeout: Duration::from_secs(1),
            max_backoff: Duration::from_secs(1),
            retry_attempts: 3,
            subset: 100,
            max_message_size: 64 * 1024,
        }
    }
}

/// A peer as a process sees it: what its workers share. Make one for each peer, and [`on`](Upstream::on) of it for each worker.
pub struct Upstream {
    peer: Peer,
    config: UpstreamConfig,
    resolver: Arc<dyn Resolve>,
    dialer: Arc<dyn Dial>,
    log: Arc<PeerLog>,
    outliers: Arc<Outliers>,
    budget: Arc<RetryBudget>,
}

impl Upstream {
    /// A peer that is not connected to yet.
    pub fn new(peer: Peer, config: UpstreamConfig) -> Self {
        let (resolver, dialer) = (Arc::new(SystemResolver), Arc::new(Sockets));
        let (log, outliers, budget) = Default::default();
        Upstream { peer, config, resolver, dialer, log, outliers, budget }
    }

    /// Looks names up by `resolver`, in place of the system's.
    pub fn resolver(self, resolver: Arc<impl Resolve>) -> Self {
        Upstream { resolver, ..self }
    }

    /// Connects by `dialer`, in place of TCP and Unix sockets.
    pub fn dialer(self, dialer: Arc<impl Dial>) -> Self {
        Upstream { dialer, ..self }
    }

    /// Starts to look up and to connect, and keeps connected until it is dropped. Call it in the factory of a server, with the
    /// worker that the factory is given; elsewhere with any [`Place`]. Needs a Tokio runtime.
    pub fn on(&self, place: &impl AsRef<Place>) -> WorkerUpstream {
        let (config, place) = (&self.config, place.as_ref());
        let resolver = Resolver {
            targets: config.targets.clone(),
            resolve: self.resolver.clone(),
            timeout: config.connect_timeout,
            backoff: Backoff::new(config.max_backoff),
        };
        let replicas = ReplicaConfig {
            peer: self.peer.clone(),
            dialer: self.dialer.clone(),
            connect_timeout: config.connect_timeout,
            max_backoff: config.max_backoff,
            log: self.log.clone(),
            outliers: self.outliers.clone(),
            subset: Subset::new(config.subset, &place.instance, place.worker),
        };
        WorkerUpstream {
            identity: place.identity.clone(),
            peer: self.peer.clone(),
            url: config.targets.first().map(Target::to_string).unwrap_or_default().into(),
            cap: config.timeout,
            max_message: config.max_message_size,
            retry_attempts: u32::try_from(config.retry_attempts).unwrap_or(u32::MAX),
            balancer: Balancer::new(resolver, replicas),
            budget: self.budget.clone(),
            random: Mutex::new(StdRng::from_rng(&mut rand::rng())),
        }
    }
}

/// A peer as one worker sees it. Dropped, it stops connecting.
pub struct WorkerUpstream {
    pub(crate) identity: Identity,
    pub(crate) peer: Peer,
    /// What the log calls the peer before a replica is known.
    pub(crate) url: Arc<str>,
    pub(crate) cap: Duration,
    pub(crate) max_message: usize,
    pub(crate) retry_attempts: u32,
    pub(crate) balancer: Balancer,
    pub(crate) budget: Arc<RetryBudget>,
    /// For the pauses before retries.
    pub(crate) random: Mutex<StdRng>,
}

impl WorkerUpstream {
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
        let mut progress = Progress::default();
        let attempts = self.attempts(context, (deadline, set_by), &mut progress, |channel, request: Request<()>| {
            attempt(channel, request.map(|()| message.clone()))
        });
        let outcome = deadline::keep(Some(deadline), attempts).await;
        let result = outcome.unwrap_or_else(|deadline::Passed| Err(progress.passed(set_by, &self.balancer)));
        self.note(context, deadline, &progress, &result);
        result.map_err(|failed| {
            let facts = Facts {
                attempts: progress.attempts(),
                elapsed: context.call.elapsed(),
                timeout: context.deadline.map(|deadline| deadline.timeout()),
                retry_in: failed.next_try.map(|at| at.saturating_duration_since(Instant::now())),
                blame: progress.blame(failed.served_by.as_ref()),
                is_by_peer: failed.is_by_peer,
            };
            origin::failed(&self.identity, &self.peer, failed.cause, facts)
        })
    }

    /// One attempt after the other, until one is answered or may not be made again.
    async fn attempts<Res, Fut>(
        &self,
        context: &Context,
        (deadline, set_by): (Deadline, SetBy),
        progress: &mut Progress,
        attempt: impl Fn(Checked, Request<()>) -> Fut,
    ) -> Result<Response<Res>, Failed>
    where
        Fut: Future<Output = Result<Response<Res>, Status>>,
    {
        progress.begun = true;
        loop {
            let (replica, connection) = self.pick(progress).await?;
            let mut request = Request::new(());
            let headers = request.metadata_mut().as_mut();
            context.call.pass_on(headers);
            if progress.failed > 0 {
                headers.insert(PREVIOUS_ATTEMPTS, progress.failed.into());
            }
            deadline.set_on(&mut request);
            progress.sent(&replica);
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
            let is_by_peer = is_by(&status, self.peer.name(), self.identity.domain());
            let failed = Failed { is_by_peer, ..Failed::of(&status, &connection, deadline, set_by) };
            at_replica.ended(Some(failed.cause));
            self.again(failed, &connection, deadline, progress).await?;
        }
    }

    /// A replica that is ready. A retry that finds none is no attempt: the earlier answer stands.
    async fn pick(&self, progress: &mut Progress) -> Result<(Arc<Replica>, Connection), Failed> {
        let pick = self.balancer.pick(&progress.tried);
        let picked = match &progress.last {
            // No replica has processed the call: it may wait like any other.
            None | Some(Last { transparent: true, .. }) => pick.await,
            Some(_) => match timeout(RETRY_WAIT, pick).await {
                Ok(picked) => picked,
                Err(_) => return Err(progress.earlier().unwrap_or_else(|| Failed::because(self.balancer.waits_for()))),
            },
        };
        picked.map_err(|failure| progress.earlier().unwrap_or_else(|| failure.into()))
    }

    /// Returns when it is time for the next attempt. Errors: there is none; the failure stands.
    async fn again(
        &self,
        failed: Failed,
        connection: &Connection,
        deadline: Deadline,
        progress: &mut Progress,
    ) -> Result<(), Failed> {
        match failed.cause.transparent_retry() {
            status::Retry::NeverSent => {
                progress.not_sent();
                connection.gone().await;
                return Ok(());
            }
            status::Retry::NotProcessed if !progress.retried_transparently => {
                progress.failed_transparently(failed);
                return Ok(());
            }
            _ => {}
        }
        let attempt = (progress.failed + 1, self.retry_attempts);
        let pause = {
            let mut random = self.random.lock().unwrap_or_else(PoisonError::into_inner);
            retry::pause(failed.cause, failed.pushback, attempt, &mut random)
        };
        // Past the deadline its caller does not wait.
        match pause.filter(|pause| *pause < deadline.remaining()).filter(|_| self.budget.take()) {
            Some(pause) => {
                progress.failed(failed);
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
        progress: &Progress,
        result: &Result<Response<Res>, Failed>,
    ) {
        let served_by = match result {
            Ok(response) => served_by(response.metadata().as_ref()),
            Err(failed) => failed.served_by.clone(),
        };
        let url = progress.url.clone().unwrap_or_else(|| self.url.clone());
        let cause = result.as_ref().err().map(|failed| {
            let authority = url.trim_start_matches("http://");
            match failed.cause {
                cause @ (Cause::Unreachable(_) | Cause::Unresolved | Cause::NotGrpc(_)) => {
                    format!("connect {authority}: {cause}")
                }
                cause => format!("{authority}: {cause}"),
            }
        });
        context.call.note(PeerCall {
            cause,
            served_by,
            timeout: deadline.timeout(),
            sent: progress.sent > 0,
            attempts: progress.attempts(),
            url,
        });
    }
}

#[cfg(test)]
mod tests;
