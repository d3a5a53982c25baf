//! What a channel knows of the methods that are called over it: which of them stream, and which may be called again.

use std::{collections::HashMap, time::Duration};

use http::Request;

use crate::{identity::Peer, methods::Methods};

/// What kind of method it is. A request may carry one as an extension (`request.extensions_mut().insert(MethodKind::UNARY)`);
/// then it says so of this call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct MethodKind {
    /// Its caller sends a stream.
    pub client_streaming: bool,
    /// Its caller gets a stream.
    pub server_streaming: bool,
    /// It may be called again where it is not known whether it was processed: its `.proto` says `idempotency_level = NO_SIDE_EFFECTS`
    /// or `IDEMPOTENT`.
    pub idempotent: bool,
}

impl MethodKind {
    /// One request, one answer, and not to be made again.
    pub const UNARY: Self = MethodKind { client_streaming: false, server_streaming: false, idempotent: false };
    /// A stream of requests, one answer, and not to be made again.
    pub const CLIENT_STREAMING: Self = MethodKind { client_streaming: true, ..Self::UNARY };
    /// One request, a stream of answers, and not to be made again.
    pub const SERVER_STREAMING: Self = MethodKind { server_streaming: true, ..Self::UNARY };
    /// Streams both ways, and not to be made again. What the channel knows nothing of is taken for this: nothing is kept, and
    /// no order is placed twice.
    pub const BIDI_STREAMING: Self = MethodKind { client_streaming: true, server_streaming: true, idempotent: false };

    /// The same, and it may be called again.
    pub const fn idempotent(self) -> Self {
        MethodKind { idempotent: true, ..self }
    }

    pub(crate) fn is_unary(self) -> bool {
        !self.client_streaming && !self.server_streaming
    }
}

/// What a user says of some methods of a peer; it wins over the descriptors. gRPC's `methodConfig` in shape.
#[derive(Clone, Debug)]
pub struct MethodConfig {
    /// The service's full name, such as `echo.v1.EchoService`.
    pub service: String,
    /// The method; without one all of the service, but for those that are named.
    pub method: Option<String>,
    /// What they are.
    pub kind: Option<MethodKind>,
    /// The cap on a call, instead of the upstream's.
    pub timeout: Option<Duration>,
}

/// What is known of one call's method.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Called {
    pub kind: MethodKind,
    /// Of a unary call.
    pub cap: Duration,
}

/// By path, such as `/echo.v1.EchoService/Echo`; of a whole service by the path before the method's name.
#[derive(Debug)]
pub(crate) struct MethodTable {
    described: Methods,
    configured: HashMap<String, (Option<MethodKind>, Option<Duration>)>,
    cap: Duration,
}

impl MethodTable {
    /// Errors: descriptors that cannot be decoded.
    pub fn new(peer: &Peer, configured: &[MethodConfig], cap: Duration) -> anyhow::Result<Self> {
        let path = |method: &MethodConfig| format!("/{}/{}", method.service, method.method.as_deref().unwrap_or(""));
        let configured = configured.iter().map(|method| (path(method), (method.kind, method.timeout))).collect();
        Ok(MethodTable { described: Methods::described(peer.descriptor_sets())?, configured, cap })
    }

    /// What this request calls.
    pub fn called<B>(&self, request: &Request<B>) -> Called {
        let path = request.uri().path();
        let (kind, timeout) = self.configured(path);
        let extension = request.extensions().get().copied();
        let described = || {
            self.described.find(path).map(|method| MethodKind {
                client_streaming: method.client_streaming,
                server_streaming: method.server_streaming,
                idempotent: method.idempotent,
            })
        };
        let kind = extension.or(kind).or_else(described).unwrap_or(MethodKind::BIDI_STREAMING);
        Called { kind, cap: timeout.unwrap_or(self.cap) }
    }

    fn configured(&self, path: &str) -> (Option<MethodKind>, Option<Duration>) {
        if self.configured.is_empty() {
            return (None, None);
        }
        let of = |path| self.configured.get(path).copied().unwrap_or_default();
        let service = path.rfind('/').map_or(path, |slash| &path[..=slash]);
        let (method, service) = (of(path), of(service));
        (method.0.or(service.0), method.1.or(service.1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn table(methods: &[MethodConfig]) -> MethodTable {
        MethodTable::new(&Peer::new("service-a"), methods, 2 * SECOND).unwrap()
    }

    fn config(method: Option<&str>, kind: Option<MethodKind>, timeout: Option<Duration>) -> MethodConfig {
        MethodConfig { service: "x.Y".into(), method: method.map(Into::into), kind, timeout }
    }

    fn called(table: &MethodTable, path: &str) -> (MethodKind, Duration) {
        let called = table.called(&Request::post(path).body(()).unwrap());
        (called.kind, called.cap)
    }

    #[test]
    fn takes_what_it_does_not_know_for_a_stream_that_is_not_made_again() {
        assert_eq!(called(&table(&[]), "/x.Y/Z").0, MethodKind::BIDI_STREAMING);
    }

    #[test]
    fn believes_the_request_before_the_config_and_a_method_before_its_service() {
        let safe = MethodKind::UNARY.idempotent();
        let table = table(&[config(None, Some(safe), Some(SECOND)), config(Some("Z"), Some(MethodKind::UNARY), None)]);
        assert_eq!(called(&table, "/x.Y/A"), (safe, SECOND));
        assert_eq!(called(&table, "/x.Y/Z"), (MethodKind::UNARY, SECOND));
        assert_eq!(called(&table, "/x.YY/Z"), (MethodKind::BIDI_STREAMING, 2 * SECOND));
        let mut request = Request::post("/x.Y/A").body(()).unwrap();
        request.extensions_mut().insert(MethodKind::BIDI_STREAMING);
        assert_eq!(table.called(&request).kind, MethodKind::BIDI_STREAMING);
    }

    #[test]
    fn says_that_descriptors_cannot_be_decoded() {
        let peer = Peer::new("service-a").descriptors(b"\xff");
        let wrong = MethodTable::new(&peer, &[], SECOND).err().unwrap();
        assert_eq!(wrong.to_string(), "the descriptor set cannot be decoded");
    }
}
