//! What one worker has of a peer, and its calls need.

use std::sync::{Arc, Mutex};

use rand::rngs::StdRng;

use super::{balancer::Balancer, budget::RetryBudget, methods::MethodTable};
use crate::identity::{Identity, Peer};

pub(crate) struct Worker {
    pub identity: Identity,
    pub peer: Peer,
    /// What the log calls the peer before a replica is known.
    pub url: Arc<str>,
    pub max_message: usize,
    pub retry_attempts: u32,
    pub balancer: Balancer,
    pub budget: Arc<RetryBudget>,
    /// For the pauses before retries.
    pub random: Mutex<StdRng>,
    pub methods: Arc<MethodTable>,
}
