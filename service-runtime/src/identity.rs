//! Who a process is, and whom it calls: the names in logs, headers, errors and sentences.

use std::sync::Arc;

use percent_encoding::percent_encode_byte;

/// The longest name of a process, in bytes.
pub(crate) const LONGEST_INSTANCE: usize = 128;

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

/// A name that can stand in `served-by`, made of any text: what is not visible ASCII, a comma, a slash and a quotation mark are
/// percent-encoded as UTF-8, and the name is cut to `longest` bytes.
pub(crate) fn visible(text: &[u8], longest: usize) -> String {
    let mut name = String::new();
    for &byte in text {
        // `served-by` is a comma list of `<service>/<instance>`.
        let may_stand = byte.is_ascii_graphic() && !matches!(byte, b',' | b'/' | b'"');
        let encoded = (!may_stand).then(|| percent_encode_byte(byte));
        if name.len() + encoded.map_or(1, str::len) > longest {
            break;
        }
        match encoded {
            Some(escape) => name.push_str(escape),
            None => name.push(byte.into()),
        }
    }
    name
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

    #[test]
    fn makes_a_name_for_served_by_of_any_text() {
        for (text, name) in [
            ("a-1.example:8080", "a-1.example:8080"),
            ("büro-pc", "b%C3%BCro-pc"),
            ("a b,c/d\"e", "a%20b%2Cc%2Fd%22e"),
            ("\u{7}\n\u{7f}", "%07%0A%7F"),
            ("", ""),
        ] {
            assert_eq!(visible(text.as_bytes(), LONGEST_INSTANCE), name);
        }
        assert_eq!(visible(b"\xff", LONGEST_INSTANCE), "%FF");
        assert_eq!(visible(&[b'x'; 200], LONGEST_INSTANCE).len(), LONGEST_INSTANCE);
        // No half of an escape.
        assert_eq!(visible("xxü".as_bytes(), 7), "xx%C3");
    }
}
