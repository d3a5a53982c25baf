//! What a service tells the runtime about itself.

use crate::{client::Peer, layers::json};

/// Everything that is particular to one service; the runtime knows the rest.
pub struct Service {
    /// The name callers know, such as `service-a`: in `served-by` and as the hop of an error.
    pub name: &'static str,
    /// The name in the log, such as `A`.
    pub log_name: &'static str,
    /// What the environment variables of its flags begin with, such as `ECHO_A`.
    pub env_prefix: &'static str,
    /// The domain of its errors, by convention its protobuf package, such as `echo.v1`.
    pub domain: &'static str,
    /// The full names of the services it offers, out of its descriptors.
    pub services: &'static [&'static str],
    /// Its encoded `google.protobuf.FileDescriptorSet`: the methods there are, and what reflection tells.
    pub descriptors: &'static [u8],
    /// The service behind this one, if it has one: who its callers wait for, when a deadline passes, and whom an
    /// `rpc-behavior` without a hop is for.
    pub behind: Option<Peer>,
    /// Its face for HTTP callers who do not speak gRPC.
    pub json: &'static [json::Route],
}

impl Service {
    /// The name in sentences: `Service A`.
    pub fn title(&self) -> String {
        title(self.name)
    }
}

/// `service-a` → `Service A`.
pub(crate) fn title(name: &str) -> String {
    let word = |word: &str| {
        let mut letters = word.chars();
        letters.next().map_or(String::new(), |first| first.to_uppercase().chain(letters).collect())
    };
    name.split('-').map(word).collect::<Vec<String>>().join(" ")
}

/// A service that calls another, for tests.
#[cfg(any(test, fuzzing))]
pub(crate) const B: Service = Service {
    name: "service-b",
    log_name: "B",
    env_prefix: "B",
    domain: "echo.v1",
    services: &[],
    descriptors: &[],
    behind: Some(Peer { name: "service-a" }),
    json: &[],
};
