//! Who a process is, and whom it calls: the names in logs, headers, errors and sentences.

use std::sync::Arc;

/// A service as its callers, its log and its errors name it. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Identity(Arc<Names>);

#[derive(Clone, Debug)]
struct Names {
    name: String,
    title: String,
    log_name: String,
    domain: String,
    behind: Option<Peer>,
}

impl Identity {
    /// A service called `name`, such as `service-a`, whose errors carry `domain`: by convention its protobuf package, such as
    /// `echo.v1`.
    pub fn new(name: &str, domain: &str) -> Self {
        Identity(Arc::new(Names {
            name: name.to_owned(),
            title: title(name),
            log_name: name.to_owned(),
            domain: domain.to_owned(),
            behind: None,
        }))
    }

    /// The same with a shorter name for the log, such as `A`.
    pub fn with_log_name(mut self, log_name: &str) -> Self {
        log_name.clone_into(&mut Arc::make_mut(&mut self.0).log_name);
        self
    }

    /// The same with a service behind it: whom its callers wait for when a deadline passes, and whom an `rpc-behavior` without a
    /// hop is for.
    pub fn calls(mut self, peer: Peer) -> Self {
        Arc::make_mut(&mut self.0).behind = Some(peer);
        self
    }

    /// The name that callers know: in `served-by`, and as the hop of an error.
    pub fn name(&self) -> &str {
        &self.0.name
    }

    /// The name in sentences: `Service A`.
    pub fn title(&self) -> &str {
        &self.0.title
    }

    /// The name in the log.
    pub fn log_name(&self) -> &str {
        &self.0.log_name
    }

    /// The domain of its errors.
    pub fn domain(&self) -> &str {
        &self.0.domain
    }

    /// The service behind this one, if it has one.
    pub fn behind(&self) -> Option<&Peer> {
        self.0.behind.as_ref()
    }
}

/// A service that this one calls. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Peer(Arc<PeerNames>);

#[derive(Clone, Debug)]
struct PeerNames {
    name: String,
    title: String,
    reason_prefix: String,
    descriptor_sets: Vec<&'static [u8]>,
}

impl Peer {
    /// A peer called `name`, such as `service-a`; reasons and sentences are made from it.
    pub fn new(name: &str) -> Self {
        Peer(Arc::new(PeerNames {
            name: name.to_owned(),
            title: title(name),
            reason_prefix: name.to_uppercase().replace('-', "_"),
            descriptor_sets: Vec::new(),
        }))
    }

    /// The same, described by an encoded `google.protobuf.FileDescriptorSet`: which of its methods stream, and which may be called
    /// again.
    pub fn descriptors(mut self, set: &'static [u8]) -> Self {
        Arc::make_mut(&mut self.0).descriptor_sets.push(set);
        self
    }

    /// What it is described by.
    pub fn descriptor_sets(&self) -> &[&'static [u8]] {
        &self.0.descriptor_sets
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.0.name
    }

    /// In sentences: `Service A`.
    pub fn title(&self) -> &str {
        &self.0.title
    }

    /// Before reasons: `SERVICE_A`.
    pub fn reason_prefix(&self) -> &str {
        &self.0.reason_prefix
    }
}

/// One worker of one process of a service.
#[derive(Clone, Debug)]
pub struct Place {
    /// The service.
    pub identity: Identity,
    /// The name of the process, as callers see it in `served-by`.
    pub instance: Arc<str>,
    /// The worker's number; counts from 0.
    pub worker: usize,
}

impl AsRef<Place> for Place {
    fn as_ref(&self) -> &Place {
        self
    }
}

/// `service-a` → `Service A`.
fn title(name: &str) -> String {
    let word = |word: &str| {
        let mut letters = word.chars();
        letters.next().map_or(String::new(), |first| first.to_uppercase().chain(letters).collect())
    };
    name.split('-').map(word).collect::<Vec<String>>().join(" ")
}

/// A service that calls another, for tests.
#[cfg(test)]
pub(crate) fn service_b() -> Identity {
    Identity::new("service-b", "echo.v1").with_log_name("B").calls(Peer::new("service-a"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn makes_names_for_sentences_and_reasons() {
        let peer = Peer::new("service-a");
        assert_eq!((peer.title(), peer.reason_prefix()), ("Service A", "SERVICE_A"));
        let identity = service_b();
        assert_eq!((identity.title(), identity.log_name()), ("Service B", "B"));
        assert_eq!(Identity::new("greeter", "hello.v1").log_name(), "greeter");
    }
}
