//! From names to addresses: at the start, now and then, and soon after something has failed.

use std::{collections::BTreeMap, net::SocketAddr, time::Duration};

use futures_util::future::join_all;
use tokio::{
    net::lookup_host,
    time::{Instant, sleep_until, timeout},
};

use super::{Backoff, Endpoint, Target, replicas::Replicas, subchannel::Failure};
use crate::status::Cause;

/// How often names are looked up where nothing fails: a replica that was added has calls within 30 s, a second of which is for the
/// look-up and the connect.
const NOW_AND_THEN: Duration = Duration::from_secs(29);
/// Not more often than that, whatever fails.
const AT_MOST: Duration = Duration::from_secs(1);

/// What to look up.
pub(crate) struct Resolver {
    pub targets: Vec<Target>,
    /// The longest that a lookup may take.
    pub timeout: Duration,
    pub backoff: Backoff,
}

impl Resolver {
    /// Tells `replicas` which addresses there are, as long as it lives. Names that are addresses are looked up once.
    pub async fn keep_resolved(mut self, replicas: &Replicas) {
        // What a name had, for as long as it has nothing new: a resolver that is down is no reason to stop.
        let mut known: BTreeMap<usize, Vec<SocketAddr>> = BTreeMap::new();
        loop {
            let all_found = self.look_up(&mut known).await;
            let found =
                known.iter().flat_map(|(index, addresses)| self.endpoints(*index, addresses)).collect::<Vec<_>>();
            let next = match all_found {
                true if self.targets.iter().all(Target::is_address) => None,
                true => {
                    self.backoff.reset();
                    Some(NOW_AND_THEN)
                }
                false => Some(self.backoff.next_pause()),
            };
            let next_try = Instant::now() + next.unwrap_or_default();
            replicas.replace(&found, Failure { cause: Cause::Unresolved, next_try });
            if next.is_none() {
                return;
            }
            if all_found {
                let soon = Instant::now() + AT_MOST;
                tokio::select! {
                    () = sleep_until(next_try) => {}
                    () = async { replicas.trouble().await; sleep_until(soon).await } => {}
                }
            } else {
                sleep_until(next_try).await;
            }
        }
    }

    /// Looks all targets up; false if one of them was not found.
    async fn look_up(&self, known: &mut BTreeMap<usize, Vec<SocketAddr>>) -> bool {
        let lookups = self.targets.iter().map(|target| timeout(self.timeout, lookup_host(target.address())));
        let mut all_found = true;
        for (index, found) in join_all(lookups).await.into_iter().enumerate() {
            let addresses: Vec<_> = found.ok().and_then(Result::ok).map(Iterator::collect).unwrap_or_default();
            match addresses.is_empty() {
                true => all_found = false,
                false => drop(known.insert(index, addresses)),
            }
        }
        all_found
    }

    fn endpoints(&self, index: usize, addresses: &[SocketAddr]) -> Vec<Endpoint> {
        let target = &self.targets[index];
        addresses.iter().map(|address| Endpoint { target: target.clone(), address: *address }).collect()
    }
}
