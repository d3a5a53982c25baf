//! From names to addresses: at the start, now and then, and soon after something has failed.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use futures_util::future::join_all;
use tokio::time::{Instant, sleep_until, timeout};

use super::{Backoff, Endpoint, Resolve, Target, replicas::Replicas, state::Failure};
use crate::{address::Address, status::Cause};

/// How often names are looked up where nothing fails: a replica that was added has calls within 30 s, a second of which is for the
/// look-up and the connect.
const NOW_AND_THEN: Duration = Duration::from_secs(29);
/// Not more often than that, whatever fails.
const AT_MOST: Duration = Duration::from_secs(1);

/// What to look up.
pub(crate) struct Resolver {
    pub targets: Vec<Target>,
    pub resolve: Arc<dyn Resolve>,
    /// The longest that a lookup may take.
    pub timeout: Duration,
    pub backoff: Backoff,
}

impl Resolver {
    /// Tells `replicas` which addresses there are, as long as it lives. Targets that are addresses are not looked up.
    pub async fn keep_resolved(mut self, replicas: &Replicas) {
        // What a name had, for as long as it has nothing new: a resolver that is down is no reason to stop.
        let mut known = self.given();
        if known.len() == self.targets.len() {
            return replicas.replace(&self.endpoints(&known), unresolved(Instant::now()));
        }
        if !known.is_empty() {
            // No reason for them to wait for a name.
            replicas.replace(&self.endpoints(&known), unresolved(Instant::now()));
        }
        loop {
            let all_found = self.look_up(&mut known).await;
            let pause = if all_found { NOW_AND_THEN } else { self.backoff.next_pause() };
            let next_try = Instant::now() + pause;
            replicas.replace(&self.endpoints(&known), unresolved(next_try));
            if all_found {
                self.backoff.reset();
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

    /// The targets that are addresses, by their places among all.
    fn given(&self) -> Known {
        let given = |(index, target): (usize, &Target)| Some((index, vec![target.address()?.clone()]));
        self.targets.iter().enumerate().filter_map(given).collect()
    }

    /// Looks all names up; false if one of them was not found.
    async fn look_up(&self, known: &mut Known) -> bool {
        let names = self.targets.iter().enumerate().filter(|(_, target)| target.address().is_none());
        let lookups =
            names.map(async |(index, target)| (index, timeout(self.timeout, self.resolve.resolve(target)).await));
        let mut all_found = true;
        for (index, found) in join_all(lookups).await {
            let addresses = found.ok().and_then(Result::ok).unwrap_or_default();
            match addresses.is_empty() {
                true => all_found = false,
                false => drop(known.insert(index, addresses)),
            }
        }
        all_found
    }

    fn endpoints(&self, known: &Known) -> Vec<Endpoint> {
        let all = known
            .iter()
            .flat_map(|(index, addresses)| addresses.iter().map(|address| (&self.targets[*index], address)));
        all.map(|(target, address)| Endpoint { target: target.clone(), address: address.clone() }).collect()
    }
}

/// The addresses of each target, by its place among all.
type Known = BTreeMap<usize, Vec<Address>>;

fn unresolved(next_try: Instant) -> Failure {
    Failure { cause: Cause::Unresolved, next_try: Some(next_try) }
}
