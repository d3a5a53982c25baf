//! One call to a peer: one attempt after the other, until one is answered, may not be made again, or the time is up.

use std::{
    pin::pin,
    sync::{Arc, PoisonError},
    time::Duration,
};

use http::{HeaderMap, HeaderValue, Request, Response};
use http_body::Body as _;
use tokio::time::{sleep, timeout};
use tonic::{Status, body::Body};

use super::{
    answer::AnswerBody,
    check,
    connection::Connection,
    exchange::PeerBody,
    methods::Called,
    progress::{Failed, Last, Progress, served_by},
    replica::Attempt,
    request::Outgoing,
    retry,
    stream::Incoming,
    under_way::PeerCallUnderWay,
    whole::WholeBody,
    worker::Worker,
};
use crate::{
    context::Context,
    deadline::{self, Deadline},
    grpc::Encoding,
    status,
};

/// The longest that a retry waits for a replica to be ready: its call has had its answer already.
pub(super) const RETRY_WAIT: Duration = Duration::from_millis(50);

/// The clock of a runtime counts in these: a pause may take one longer.
const TICK: Duration = Duration::from_millis(1);

/// Calls the peer. Errors: a status of the contract, with its origin.
///
/// What can be done at once is done before the future is made, and what is large is boxed: every call in flight pays for its size.
pub(super) fn call(
    worker: Arc<Worker>,
    context: Context,
    request: Request<Body>,
) -> impl Future<Output = Result<Response<AnswerBody>, Status>> + Send + use<> {
    worker.budget.call();
    let Called { kind, cap } = worker.methods.called(&request);
    let (head, body) = request.into_parts();
    let mut outgoing = Outgoing::new(head);
    let deadline = Deadline::for_peer(context.deadline, kind.is_unary().then_some(cap), outgoing.timeout);
    let call = Box::new(PeerCallUnderWay { worker, context, kind, cap, deadline, progress: Progress::default() });
    async move {
        outgoing.take(body, kind.client_streaming).await?;
        call.answer(&outgoing).await
    }
}

/// As much of an answer as a call waits for, where its status is not a failure.
enum Answer {
    /// All of it.
    Whole(Response<WholeBody>),
    /// The headers of a stream, whose messages are compressed like this.
    Begun(Response<PeerBody>, Encoding),
}

impl Answer {
    fn served_by(&self) -> Option<HeaderValue> {
        match self {
            Answer::Whole(answer) => {
                served_by(answer.headers()).or_else(|| answer.body().trailers().and_then(served_by))
            }
            Answer::Begun(answer, _) => served_by(answer.headers()),
        }
    }
}

impl PeerCallUnderWay {
    /// An answer, within the deadline: the whole of one that is no stream. Of a stream the headers; the rest comes with the body, which keeps the
    /// deadline too.
    async fn answer(mut self: Box<Self>, outgoing: &Outgoing) -> Result<Response<AnswerBody>, Status> {
        let ends_request = outgoing.end();
        let deadline = self.deadline.map(|(deadline, _)| deadline);
        let kept = {
            // Pinned here: moved into `keep` it would be in this future twice, and every call in flight would pay for both.
            let attempts = pin!(self.attempts(outgoing));
            deadline::keep(deadline, attempts).await
        };
        let (answer, mut attempt) = match kept {
            Ok(Ok(answered)) => answered,
            Ok(Err(failed)) => return Err(self.failed(failed)),
            Err(deadline::Passed) => return Err(self.time_is_up()),
        };
        // Of a stream too: our own answer, which may begin now, says who answered.
        let served_by = answer.served_by();
        self.note(served_by.clone(), None);
        Ok(match answer {
            Answer::Whole(answer) => {
                attempt.ended(None);
                answer.map(AnswerBody::Whole)
            }
            Answer::Begun(answer, encoding) => {
                let incoming = |body| Incoming::new(body, encoding, self, attempt, served_by, ends_request);
                answer.map(|body| AnswerBody::Stream(Box::new(incoming(body))))
            }
        })
    }

    async fn attempts(&mut self, outgoing: &Outgoing) -> Result<(Answer, Attempt), Failed> {
        self.progress.begun = true;
        loop {
            let mut attempt = self.pick().await?;
            let deadline = self.deadline.map(|(deadline, _)| deadline);
            let (request, body) = outgoing.attempt(&self.context.call, deadline, self.progress.failed);
            self.progress.sent(&attempt.replica);
            attempt.begin(self.deadline);
            let sent = match attempt.connection.send(request, body).await {
                Err(cause) => Err(cause.into()),
                Ok(answer) => {
                    self.context.call.hear(answer.headers());
                    let encoding = outgoing.encoding_of(answer.headers());
                    match self.kind.server_streaming {
                        true => begun(answer, encoding),
                        // Boxed, and so is `again`: calls that wait for their answer, which are most, need not have room for it.
                        false => {
                            Box::pin(check::whole(answer, self.worker.max_message, encoding)).await.map(Answer::Whole)
                        }
                    }
                }
            };
            let status = match sent {
                Ok(answer) => return Ok((answer, attempt)),
                Err(status) => status,
            };
            self.context.call.hear(status.metadata().as_ref());
            let failed = self.read(&status);
            attempt.ended(Some(failed.cause));
            let connection = attempt.connection.clone();
            // Its stream is free for others during a pause.
            drop(attempt);
            Box::pin(self.again(failed, &connection, outgoing)).await?;
        }
    }

    /// A replica with a free stream. A retry that finds none is no attempt: the earlier answer stands.
    async fn pick(&mut self) -> Result<Attempt, Failed> {
        let balancer = &self.worker.balancer;
        let progress = &mut self.progress;
        let pick = balancer.pick(&progress.tried);
        let most = match &progress.last {
            Some(Last { transparent: false, .. }) => Some(RETRY_WAIT),
            // No replica has processed the call: it may wait like any other.
            _ if self.deadline.is_some() => None,
            _ => Some(self.cap),
        };
        let picked = match most {
            None => pick.await,
            Some(most) => match timeout(most, pick).await {
                Ok(picked) => picked,
                Err(_) => return Err(progress.earlier().unwrap_or_else(|| Failed::because(balancer.waits_for()))),
            },
        };
        picked.map_err(|failure| progress.earlier().unwrap_or_else(|| failure.into()))
    }

    /// Returns when it is time for the next attempt. Errors: there is none; the failure stands.
    async fn again(&mut self, failed: Failed, connection: &Connection, outgoing: &Outgoing) -> Result<(), Failed> {
        if !outgoing.is_whole() {
            return Err(failed);
        }
        match failed.cause.transparent_retry() {
            status::Retry::NeverSent => {
                self.progress.not_sent();
                connection.gone().await;
                return Ok(());
            }
            status::Retry::NotProcessed if !self.progress.retried_transparently => {
                self.progress.failed_transparently(failed);
                return Ok(());
            }
            _ => {}
        }
        // Past the deadline its caller does not wait.
        let in_time = |pause: &Duration| self.deadline.is_none_or(|(deadline, _)| *pause + TICK < deadline.remaining());
        match self.pause(&failed).filter(in_time).filter(|_| self.worker.budget.take()) {
            Some(pause) => {
                self.progress.failed(failed);
                sleep(pause).await;
                Ok(())
            }
            None => Err(failed),
        }
    }

    /// Before a retry that is configured.
    fn pause(&self, failed: &Failed) -> Option<Duration> {
        let attempt = (self.progress.failed + 1, self.worker.retry_attempts);
        let mut random = self.worker.random.lock().unwrap_or_else(PoisonError::into_inner);
        retry::pause(failed.cause, failed.pushback, attempt, &mut random).filter(|_| self.kind.idempotent)
    }
}

/// What a channel may believe of a streamed answer so far.
fn begun(answer: Response<PeerBody>, encoding: Encoding) -> Result<Answer, Status> {
    let answer = check::head(answer)?;
    let is_whole = answer.body().is_end_stream();
    Ok(if is_whole { Answer::Whole(answer.map(|_| WholeBody::default())) } else { Answer::Begun(answer, encoding) })
}

impl Outgoing {
    /// How the messages of an answer are compressed, which only those may be whose caller can undo it.
    fn encoding_of(&self, answer: &HeaderMap) -> Encoding {
        if self.takes_compressed { Encoding::of(answer) } else { Encoding::Identity }
    }
}
