//! What a call needs besides its message: gRPC's call options, and the names of the hops that it takes.

use std::time::Duration;

use http::HeaderMap;
use service_runtime::client::Target;

/// What the client calls itself where it is the hop that decided.
pub const TEST_CLIENT: &str = "test-client";
/// The name of A.
pub const SERVICE_A: &str = "service-a";
/// The name of B.
pub const SERVICE_B: &str = "service-b";

/// Every hop that a failure can come from; `-or-proxy` where nothing proves that the service itself spoke.
pub const HOPS: [&str; 5] = [SERVICE_A, "service-a-or-proxy", SERVICE_B, "service-b-or-proxy", TEST_CLIENT];

/// Where the calls of one command go, and what goes out with each.
#[derive(Clone, Debug)]
pub struct CallOptions {
    /// The service that answers them.
    pub called: Called,
    /// The same place, under the name that each call names.
    pub authority: Target,
    /// The deadline of each call, connecting included.
    pub timeout: Duration,
    /// Whether a call waits for a connection instead of failing at once.
    pub wait_for_ready: bool,
    /// The metadata of each call.
    pub metadata: HeaderMap,
}

/// The service that a call goes to.
#[derive(Clone, Debug)]
pub struct Called {
    /// Its name, such as `service-b`.
    pub name: &'static str,
    /// Where it listens.
    pub target: Target,
}
