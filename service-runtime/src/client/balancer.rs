//! A replica for a call: now, or as soon as one is ready. Keeps the set of them up to date meanwhile.

use std::sync::Arc;

use tokio::task::AbortHandle;

use super::{
    connection::Connection,
    replica::Replica,
    replicas::{Choice, ReplicaConfig, Replicas},
    resolver::Resolver,
    subchannel::Failure,
};
use crate::{address::Address, status::Cause};

/// The replicas of a peer as one worker sees them. Dropped, it stops connecting and looking up.
pub(crate) struct Balancer {
    replicas: Arc<Replicas>,
    task: AbortHandle,
}

impl Balancer {
    /// Starts looking up and connecting. Needs a Tokio runtime.
    pub fn new(resolver: Resolver, config: ReplicaConfig) -> Self {
        let replicas = Arc::new(Replicas::new(config));
        let kept = replicas.clone();
        let task = tokio::spawn(async move { resolver.keep_resolved(&kept).await }).abort_handle();
        Balancer { replicas, task }
    }

    /// Replicas that are there from the start to the end.
    #[cfg(any(test, feature = "harness"))]
    pub fn of(config: ReplicaConfig, replicas: impl IntoIterator<Item = (super::Endpoint, super::Backoff)>) -> Self {
        let all = Replicas::fixed(config, replicas);
        Balancer { replicas: Arc::new(all), task: tokio::spawn(async {}).abort_handle() }
    }

    /// A replica for one attempt: now, or as soon as a first try to connect has ended well. Others than those to `avoid` are
    /// preferred. Errors: why none is ready.
    pub async fn pick(&self, avoid: &[Address]) -> Result<(Arc<Replica>, Connection), Failure> {
        let mut changed = self.replicas.changed.subscribe();
        loop {
            match self.replicas.choose(avoid) {
                Choice::Ready(replica, connection) => return Ok((replica, connection)),
                Choice::Failed(failure) => return Err(failure),
                Choice::Wait => drop(changed.changed().await),
            }
        }
    }

    /// What a call that finds no end of waiting is told.
    pub fn waits_for(&self) -> Cause {
        if self.replicas.set().is_empty() { Cause::Unresolved } else { Cause::Unreachable("connect timeout") }
    }
}

impl Drop for Balancer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

#[cfg(test)]
mod tests;
