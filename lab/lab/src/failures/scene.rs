//! What is done to A, to B or to the caller.

use std::fmt;

/// The shortest interval that B allows; its default is 5 min, too long for a demonstration.
pub(super) const SHORTEST_KEEPALIVE: &str = "10s";

/// What is done to A, to B or to the caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scene {
    /// Nothing: the request itself is what matters.
    Well,
    /// A hostile peer stands in A's place.
    Peer(&'static str),
    /// A is asked to behave so (`rpc-behavior`).
    Asked(&'static str),
    /// A is killed, and B has noticed.
    Killed,
    /// A is killed while it has the call.
    KilledDuringTheCall,
    /// A is frozen.
    Frozen,
    /// A gets SIGTERM while it has the call, and finishes.
    TerminatedDuringTheCall,
    /// A is killed and started again.
    Back,
    /// A's name has no address.
    Unresolved,
    /// B is at its limit of calls.
    Full,
    /// The caller leaves while A has the call.
    CallerLeaves,
    /// B gets SIGTERM while it has the call.
    Draining,
}

impl Scene {
    /// Whether A and B are started otherwise than for a pair that is well.
    pub(super) fn is_set_from_the_start(self) -> bool {
        matches!(self, Scene::Peer(_) | Scene::Unresolved | Scene::Full)
    }

    /// Whether it is about A, and stays so until it is healed.
    pub(super) fn lasts(self) -> bool {
        matches!(self, Scene::Peer(_) | Scene::Asked(_) | Scene::Killed | Scene::Frozen | Scene::Unresolved)
    }

    /// What A is asked to do.
    pub(super) fn behavior(self) -> Option<&'static str> {
        match self {
            Scene::Asked(behavior) => Some(behavior),
            // A call that A never answers.
            Scene::Full | Scene::CallerLeaves => Some("keep-open"),
            _ => None,
        }
    }
}

impl fmt::Display for Scene {
    /// How a user makes the same happen to a running pair.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Scene::Well => f.write_str("–"),
            Scene::Peer("no-ping") => write!(
                f,
                "`cargo lab peer no-ping --listen 127.0.0.1:8080` in A's place, and B with `--service-a-keepalive {SHORTEST_KEEPALIVE}`"
            ),
            Scene::Peer(behavior) => write!(f, "`cargo lab peer {behavior} --listen 127.0.0.1:8080` in A's place"),
            Scene::Asked(behavior) => write!(f, "`-H 'rpc-behavior: {behavior}'`"),
            Scene::Killed => f.write_str("`kill -9 $A`"),
            Scene::KilledDuringTheCall => f.write_str("`kill -9 $A` while A has a call"),
            Scene::Frozen => f.write_str("`kill -STOP $A`"),
            Scene::TerminatedDuringTheCall => f.write_str("`kill $A` while A has a call"),
            Scene::Back => f.write_str("`kill -9 $A`, then `cargo service-a`"),
            Scene::Unresolved => f.write_str("`cargo service-b --service-a http://nobody.invalid:8080`"),
            Scene::Full => f.write_str("`cargo service-b --max-concurrent-calls 1`, and two calls"),
            Scene::CallerLeaves => f.write_str("Ctrl-C in a client that waits"),
            Scene::Draining => f.write_str("`kill $B` while B has a call"),
        }
    }
}
