//! What the layers and the handler of one call share.

use std::{
    fmt,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use http::{Extensions, HeaderMap, HeaderName, HeaderValue};
use percent_encoding::{CONTROLS, percent_encode};
use tokio::time::Instant;

use crate::{
    address::Address,
    deadline::Deadline,
    fields::{list, once, single},
    identity::Peer,
};

/// The id that follows a request from hop to hop.
pub const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
/// W3C Trace Context.
pub const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");
/// W3C Trace Context, the vendors' part.
pub const TRACESTATE: HeaderName = HeaderName::from_static("tracestate");
/// `1` in a request over gRPC: the answer is to tell the deadlines and the request id, as it does over plain HTTP.
pub const EXPLAIN: HeaderName = HeaderName::from_static("x-explain");
/// Who answered: `service-a/<instance>`.
pub const SERVED_BY: HeaderName = HeaderName::from_static("served-by");
/// gRFC A6: how many attempts went before this one; absent on the first.
pub const PREVIOUS_ATTEMPTS: HeaderName = HeaderName::from_static("grpc-previous-rpc-attempts");
/// In an answer that tells it: how many attempts its service made at the call to its first peer.
pub const SENT_ATTEMPTS: HeaderName = HeaderName::from_static("sent-attempts");
/// In an answer: its request's `rpc-behavior` asked for something that was not done.
pub const BEHAVIOR_IGNORED: HeaderName = HeaderName::from_static("rpc-behavior-ignored");

/// One call: its identity, its start, and what its calls to peers came to.
#[derive(Clone)]
pub struct Call(Arc<Inner>);

struct Inner {
    started: Instant,
    passed_on: Vec<(HeaderName, HeaderValue)>,
    request_id: HeaderValue,
    made_request_id: bool,
    peer_calls: Mutex<Vec<PeerCall>>,
    behavior_ignored: AtomicBool,
}

/// What a handler's call to a peer came to, for the log line and the response headers of its own call.
#[derive(Clone, Debug)]
pub struct PeerCall {
    /// Whom it was for.
    pub peer: Peer,
    /// Where it went.
    pub url: Arc<str>,
    /// The time the peer was given, if there is an end to it.
    pub timeout: Option<Duration>,
    /// Whether a request went out to it.
    pub sent: bool,
    /// How many attempts were made.
    pub attempts: u32,
    /// What went wrong, in our own words.
    pub cause: Option<String>,
    /// The peer's `served-by`.
    pub served_by: Option<HeaderValue>,
    /// The address of the replica that had the last attempt.
    pub replica: Option<Address>,
}

/// For the log of a call that called several peers: `service-c url=http://127.0.0.1:8082 attempts=1 cause=…`.
impl fmt::Display for PeerCall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} url={} attempts={}", self.peer.name(), self.url, self.attempts)?;
        self.cause.iter().try_for_each(|cause| write!(f, " cause={cause}"))
    }
}

impl Call {
    /// Begins a call: takes over its request id or makes one, and notes what is to be passed on: `more`, and what every call
    /// passes on.
    pub(crate) fn begin(headers: &HeaderMap, more: Option<(HeaderName, HeaderValue)>) -> Self {
        let plausible = |id: &&HeaderValue| id.len() <= 128 && id.to_str().is_ok_and(|id| !id.is_empty());
        let given = single(headers, REQUEST_ID).ok().flatten().filter(plausible).cloned();
        let made_request_id = given.is_none();
        let request_id = once(given.unwrap_or_else(new_request_id));
        let mut passed_on = vec![(REQUEST_ID, request_id.clone())];
        passed_on.extend(trace(headers));
        passed_on.extend(more);
        Call(Arc::new(Inner {
            started: Instant::now(),
            passed_on,
            request_id,
            made_request_id,
            peer_calls: Mutex::default(),
            behavior_ignored: AtomicBool::new(false),
        }))
    }

    /// Since the call began.
    pub fn elapsed(&self) -> Duration {
        self.0.started.elapsed()
    }

    /// The id in the log and towards peers, and in the response where its caller may not know it.
    pub fn request_id(&self) -> &HeaderValue {
        &self.0.request_id
    }

    /// Whether the caller cannot know the id, for it was made here.
    pub(crate) fn made_request_id(&self) -> bool {
        self.0.made_request_id
    }

    /// The trace this call belongs to: 32 hex digits out of `traceparent`.
    pub fn trace_id(&self) -> Option<&str> {
        let (_, value) = self.0.passed_on.iter().find(|(name, _)| *name == TRACEPARENT)?;
        let id = value.to_str().ok()?.split('-').nth(1)?;
        (id.len() == 32 && id.bytes().all(|b| b.is_ascii_hexdigit())).then_some(id)
    }

    /// The metadata that goes on to peers; nothing else of a caller's does.
    pub fn passed_on(&self) -> &[(HeaderName, HeaderValue)] {
        &self.0.passed_on
    }

    /// Takes notice of a peer's metadata, of an answer or of a failure, for what concerns our own caller too.
    pub fn hear(&self, metadata: &HeaderMap) {
        if metadata.contains_key(BEHAVIOR_IGNORED) {
            self.0.behavior_ignored.store(true, Ordering::Relaxed);
        }
    }

    /// Whether a peer said that it did not do what `rpc-behavior` asked of it.
    pub(crate) fn behavior_was_ignored(&self) -> bool {
        self.0.behavior_ignored.load(Ordering::Relaxed)
    }

    /// Notes what a call to a peer came to, or has come to so far. Of several calls to one peer the first that failed is kept, else the
    /// last.
    pub fn note(&self, peer_call: PeerCall) {
        let mut all = self.peer_calls();
        match all.iter_mut().find(|other| other.peer.name() == peer_call.peer.name()) {
            None => all.push(peer_call),
            Some(other) if other.cause.is_none() => *other = peer_call,
            Some(_) => {}
        }
    }

    /// What the calls to peers came to that have ended, one for each peer.
    pub fn peer_calls(&self) -> MutexGuard<'_, Vec<PeerCall>> {
        self.0.peer_calls.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Default for Context {
    fn default() -> Self {
        Context::new()
    }
}

/// What a handler hands to its calls to peers.
#[derive(Clone)]
pub struct Context {
    /// The call being handled.
    pub call: Call,
    /// The caller's deadline, if it set one.
    pub deadline: Option<Deadline>,
}

impl Context {
    /// For calls that are made on no caller's behalf: without a deadline.
    pub fn new() -> Self {
        Self::of_extensions(&Extensions::new())
    }

    /// The same, with a deadline.
    pub fn with_deadline(self, deadline: Deadline) -> Self {
        Context { deadline: Some(deadline), ..self }
    }

    /// The context of a request that came through the layers; a fresh one for a request made by hand.
    pub fn of<T>(request: &tonic::Request<T>) -> Self {
        Self::of_extensions(request.extensions())
    }

    fn of_extensions(extensions: &Extensions) -> Self {
        Context {
            call: extensions.get().cloned().unwrap_or_else(|| Call::begin(&HeaderMap::new(), None)),
            deadline: extensions.get().copied(),
        }
    }
}

/// Who answered, by the word of an answer's metadata, last hop last: each proxy may have added a field of its own. What is not
/// ASCII in it is percent-encoded.
pub fn served_by(metadata: &HeaderMap) -> Option<HeaderValue> {
    let hops = list(metadata, SERVED_BY)?;
    if hops.to_str().is_ok() {
        return Some(hops);
    }
    let encoded = percent_encode(hops.as_bytes(), CONTROLS).to_string();
    Some(HeaderValue::try_from(encoded).expect("ASCII without control characters is a header value"))
}

/// What goes on of W3C Trace Context: a caller that names two parents names none, and what the vendors noted of them is worth
/// nothing then (Trace Context, 3.3); the vendors' part may come in several fields, whose order counts (3.3.1.2).
fn trace(headers: &HeaderMap) -> impl Iterator<Item = (HeaderName, HeaderValue)> {
    let parent = single(headers, TRACEPARENT);
    let states = parent.map(|_| headers.get_all(TRACESTATE).iter()).into_iter().flatten();
    let parent = parent.ok().flatten().map(|parent| (TRACEPARENT, parent.clone()));
    parent.into_iter().chain(states.map(|state| (TRACESTATE, state.clone())))
}

fn new_request_id() -> HeaderValue {
    // Sixteen digits, each of half a byte. Without `format!`, which costs a call three times as much.
    let random: [u8; 8] = rand::random();
    let digits = random.map(|byte| [byte >> 4, byte & 15].map(|half| b"0123456789abcdef"[usize::from(half)]));
    HeaderValue::from_bytes(digits.as_flattened()).expect("hex digits are a header value")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn begin(name: HeaderName, value: &'static str) -> Call {
        Call::begin(&HeaderMap::from_iter([(name, HeaderValue::from_static(value))]), None)
    }

    #[test]
    fn takes_over_the_callers_request_id_and_passes_it_on() {
        assert_eq!(begin(REQUEST_ID, "abc").passed_on(), [(REQUEST_ID, HeaderValue::from_static("abc"))]);
    }

    fn passed_on(fields: &[(HeaderName, &'static str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in fields {
            headers.append(name, HeaderValue::from_static(value));
        }
        Call::begin(&headers, None).passed_on().iter().fold(HeaderMap::new(), |mut map, (name, value)| {
            map.append(name, value.clone());
            map
        })
    }

    #[test]
    fn passes_on_all_of_what_the_vendors_say_of_a_trace_in_order() {
        let passed_on = passed_on(&[(TRACEPARENT, "p"), (TRACESTATE, "a=1,b=2"), (TRACESTATE, "c=3")]);
        assert_eq!(passed_on.get_all(TRACESTATE).iter().collect::<Vec<_>>(), ["a=1,b=2", "c=3"]);
        assert_eq!(passed_on[TRACEPARENT], "p");
    }

    #[test]
    fn takes_two_parents_of_a_trace_for_none_and_two_request_ids_too() {
        let passed_on = passed_on(&[
            (TRACEPARENT, "p"),
            (TRACEPARENT, "q"),
            (TRACESTATE, "a=1"),
            (REQUEST_ID, "x"),
            (REQUEST_ID, "y"),
        ]);
        assert_eq!(passed_on.keys().collect::<Vec<_>>(), [REQUEST_ID]);
        assert_eq!(passed_on[REQUEST_ID].len(), 16);
    }

    #[test]
    fn makes_a_request_id_where_there_is_none() {
        assert_eq!(begin(REQUEST_ID, "").request_id().len(), 16);
        assert_ne!(begin(REQUEST_ID, "").request_id(), begin(REQUEST_ID, "").request_id());
    }

    #[test]
    fn reads_the_trace_id_only_where_it_is_one() {
        let call = begin(TRACEPARENT, "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01");
        assert_eq!(call.trace_id(), Some("4bf92f3577b34da6a3ce929d0e0e4736"));
        assert_eq!(begin(TRACEPARENT, "00-xyz-00f067aa0ba902b7-01").trace_id(), None);
    }
}
