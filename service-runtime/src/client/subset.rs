//! Above some number of replicas a worker connects to a part of them only: connections stay linear in the workers. Always the
//! same part, and together the workers cover all evenly (Site Reliability Engineering, ch. 20, "deterministic subsetting").

use std::hash::{DefaultHasher, Hash, Hasher};

use crate::address::Address;

/// Which part is this worker's.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Subset {
    /// The most replicas to connect to.
    pub size: usize,
    /// The number of this worker among all workers of all processes; neighbours get different parts.
    pub client: u64,
}

impl Subset {
    /// The part of worker `index` in the process of that name.
    pub fn new(size: usize, process: &str, index: usize) -> Self {
        Subset { size, client: hash(process).wrapping_add(index as u64) }
    }

    /// Leaves of `all`, sorted and without doubles, this worker's part.
    pub fn choose(self, all: Vec<Address>) -> Vec<Address> {
        if all.len() <= self.size {
            return all;
        }
        let parts = (all.len() / self.size) as u64;
        let (round, part) = (self.client / parts, self.client % parts);
        // The clients of a round share one order, and so no replica. A replica's place in it does not hang on who else is there:
        // one that comes or goes moves each part by one at most, as long as there are as many parts.
        let mut ordered = all;
        ordered.sort_by_cached_key(|replica| hash(&(round, replica)));
        let start = usize::try_from(part).unwrap_or(0) * self.size;
        ordered[start..start + self.size].to_vec()
    }
}

/// The same in every process.
fn hash(what: &(impl Hash + ?Sized)) -> u64 {
    let mut hasher = DefaultHasher::new();
    what.hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;

    fn replicas(count: u16) -> Vec<Address> {
        (1..=count).map(|port| ([10, 0, 0, 1], port).into()).collect()
    }

    #[test]
    fn leaves_few_replicas_alone() {
        let subset = Subset { size: 100, client: 7 };
        assert_eq!(subset.choose(replicas(100)), replicas(100));
    }

    #[test]
    fn spreads_the_workers_evenly_over_all_replicas() {
        let mut connections = HashMap::new();
        for client in 0..300 {
            for replica in (Subset { size: 10, client }).choose(replicas(300)) {
                *connections.entry(replica).or_insert(0) += 1;
            }
        }
        assert_eq!(connections.len(), 300);
        assert!(connections.values().all(|count| *count == 10), "{connections:?}");
    }

    #[test]
    fn keeps_its_part_when_one_replica_of_many_goes() {
        let (all, subset) = (replicas(1050), Subset::new(100, "b-1", 0));
        let part = subset.choose(all.clone());
        for gone in &all {
            let left = all.iter().filter(|replica| *replica != gone).cloned().collect();
            let kept = subset.choose(left).iter().filter(|replica| part.contains(replica)).count();
            assert!(kept >= 99, "{kept} of 100 kept without {gone}");
        }
    }

    /// The connections of each replica to `bs` Bs of two workers each, by the names that Kubernetes gives them.
    fn connections(count: u16, bs: usize) -> Vec<usize> {
        let mut connections: HashMap<_, _> = replicas(count).into_iter().map(|replica| (replica, 0)).collect();
        for b in 0..bs {
            for worker in 0..2 {
                let subset = Subset::new(100, &format!("service-b-7d4b9c6f5-{:05x}", b * 48_271), worker);
                subset.choose(replicas(count)).iter().for_each(|replica| *connections.get_mut(replica).unwrap() += 1);
            }
        }
        connections.into_values().collect()
    }

    /// docs/operating.md tells these figures; run it with `--nocapture` to see them.
    #[test]
    fn keeps_connections_few_and_no_replica_without_one_where_there_are_many_workers() {
        for count in [1, 2, 10, 100, 1000, 10_000] {
            for bs in [1, 10, 100] {
                let all = connections(count, bs);
                let (least, most) = (*all.iter().min().unwrap(), *all.iter().max().unwrap());
                let none = all.iter().filter(|count| **count == 0).count();
                let mean = all.iter().sum::<usize>() as f64 / all.len() as f64;
                println!(
                    "{count:5} replicas, {bs:3} Bs: {mean:.1} connections each ({least} to {most}), {none} without"
                );
                assert!(mean <= 2.0 * bs as f64, "no more than one for each worker");
                assert!(count > 100 || (none == 0 && most == 2 * bs), "few replicas have one for each worker");
                assert!(bs < 100 || count > 1000 || none == 0, "{none} of {count} without");
            }
        }
    }

    #[test]
    fn chooses_the_same_part_every_time_and_others_for_others() {
        let of = |index| Subset::new(10, "b-1", index).choose(replicas(200));
        assert_eq!(of(3), of(3));
        assert_ne!(of(3), of(4));
    }
}
