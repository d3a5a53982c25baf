//! A replica for a call: now, or as soon as one is ready. Keeps the set of them up to date meanwhile.

use std::sync::Arc;

use tokio::task::AbortHandle;

use super::{
    replica::{Attempt, Replica},
    replicas::{Choice, ReplicaConfig, Replicas},
    resolver::Resolver,
    state::{Failure, State},
};
use crate::{address::Address, status::Cause};

/// The replicas of a peer as one worker sees them. Dropped, it stops connecting and looking up.
pub(crate) struct Balancer {
    replicas: Arc<Replicas>,
    tasks: [AbortHandle; 2],
}

/// This number of calls may always wait for a stream; more of them where the peer allows more streams.
const SHORT_LINE: usize = 100;

impl Balancer {
    /// Starts looking up and connecting. Needs a Tokio runtime.
    pub fn new(resolver: Resolver, config: ReplicaConfig) -> Self {
        let replicas = Arc::new(Replicas::new(config));
        let kept = replicas.clone();
        let resolves = tokio::spawn(async move { resolver.keep_resolved(&kept).await }).abort_handle();
        let serves = serves(&replicas);
        Balancer { replicas, tasks: [resolves, serves] }
    }

    /// Replicas that are there from the start to the end.
    #[cfg(any(test, feature = "harness"))]
    pub fn of(config: ReplicaConfig, replicas: impl IntoIterator<Item = (super::Endpoint, super::Backoff)>) -> Self {
        let replicas = Arc::new(Replicas::fixed(config, replicas));
        let serves = serves(&replicas);
        Balancer { replicas, tasks: [serves.clone(), serves] }
    }

    /// A replica for one attempt, and a stream to it: now, or as soon as a first try to connect has ended well or a stream is free.
    /// Others than those to `avoid` are preferred. Errors: why there is none.
    pub async fn pick(&self, avoid: &[Address]) -> Result<Attempt, Failure> {
        let line = &self.replicas.line;
        // Whoever waits has been here for longer.
        if line.len() == 0 {
            match self.replicas.choose(avoid) {
                Choice::Ready(attempt) => return Ok(attempt),
                Choice::Failed(failure) => return Err(failure),
                Choice::Wait => return line.wait(avoid).await,
                Choice::Full => {}
            }
        }
        if self.replicas.most_streams().is_some_and(|most| line.len() >= most.max(SHORT_LINE)) {
            return Err(Failure { cause: Cause::Busy, next_try: None });
        }
        line.wait(avoid).await
    }

    /// What a call that finds no end of waiting is told.
    pub fn waits_for(&self) -> Cause {
        let set = self.replicas.set();
        let is_ready = |replica: &Arc<Replica>| matches!(replica.subchannel.state(), State::Ready);
        if set.is_empty() {
            Cause::Unresolved
        } else if set.iter().any(|replica| replica.subchannel.is_at_a_limit()) {
            Cause::Busy
        } else if set.iter().any(is_ready) {
            // Its socket takes nothing: it is as good as frozen.
            Cause::Timeout
        } else {
            Cause::Unreachable("connect timeout")
        }
    }
}

fn serves(replicas: &Arc<Replicas>) -> AbortHandle {
    let replicas = replicas.clone();
    tokio::spawn(async move { replicas.serve_line().await }).abort_handle()
}

impl Drop for Balancer {
    fn drop(&mut self) {
        self.tasks.iter().for_each(AbortHandle::abort);
    }
}

#[cfg(test)]
mod tests;
