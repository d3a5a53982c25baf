//! One address of a peer, and who is meant by it.

use std::fmt;

use super::Target;
use crate::address::Address;

/// One address that a target has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    /// What calls name.
    pub target: Target,
    /// Where they go.
    pub address: Address,
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.address.url())
    }
}
