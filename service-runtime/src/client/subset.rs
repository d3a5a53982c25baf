//! Above some number of replicas a worker connects to a part of them only: connections stay linear in the workers. Always the
//! same part, and together the workers cover all evenly (Site Reliability Engineering, ch. 20, "deterministic subsetting").

use std::{
    hash::{DefaultHasher, Hash, Hasher},
    net::SocketAddr,
};

use rand::{SeedableRng, rngs::StdRng, seq::SliceRandom};

/// Which part is this worker's.
#[derive(Clone, Copy, Debug)]
pub(super) struct Subset {
    /// The most replicas to connect to.
    pub size: usize,
    /// The number of this worker among all workers of all processes; neighbours get different parts.
    pub client: u64,
}

impl Subset {
    /// The part of worker `index` in the process of that name.
    pub fn new(size: usize, process: &str, index: usize) -> Self {
        let mut hasher = DefaultHasher::new();
        process.hash(&mut hasher);
        Subset { size, client: hasher.finish().wrapping_add(index as u64) }
    }

    /// Leaves of `all`, sorted and without doubles, this worker's part.
    pub fn choose(self, all: Vec<SocketAddr>) -> Vec<SocketAddr> {
        if all.len() <= self.size {
            return all;
        }
        let parts = (all.len() / self.size) as u64;
        let (round, part) = (self.client / parts, self.client % parts);
        // The clients of a round share one order, and so no replica.
        let mut shuffled = all;
        shuffled.shuffle(&mut StdRng::seed_from_u64(round));
        let start = usize::try_from(part).unwrap_or(0) * self.size;
        shuffled[start..start + self.size].to_vec()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;

    fn replicas(count: u16) -> Vec<SocketAddr> {
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
    fn chooses_the_same_part_every_time_and_others_for_others() {
        let of = |index| Subset::new(10, "b-1", index).choose(replicas(200));
        assert_eq!(of(3), of(3));
        assert_ne!(of(3), of(4));
    }
}
