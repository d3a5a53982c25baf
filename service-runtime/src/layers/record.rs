//! One log line a call, written when its answer is complete or when its caller has gone; the headers that tell a caller who
//! answered; and the origin of a status that a handler or a layer made without one.

use std::{
    net::SocketAddr,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Request, Response, StatusCode};
use http_body::{Frame, SizeHint};
use tonic::{Code, Status, body::Body, transport::server::TcpConnectInfo};
use tracing::{Level, debug, enabled, info, warn};

use super::{
    Handle,
    behavior::{Asked, RPC_BEHAVIOR},
    fault::Faults,
    json::Face,
    last_frame,
    prepared::StatusText,
};
use crate::{
    context::{BEHAVIOR_IGNORED, Call, EXPLAIN, PeerCall, REQUEST_ID, SENT_ATTEMPTS, SERVED_BY},
    deadline::{Deadline, header_ms, millis},
    grpc::MessageCount,
    identity::Identity,
    methods::{Method, Methods},
    origin::attributed,
    shutdown::Phases,
    status::{code_name, http_status, is_fault_of_service, of_headers},
};

const RECEIVED_TIMEOUT: HeaderName = HeaderName::from_static("received-timeout-ms");
const SENT_TIMEOUT: HeaderName = HeaderName::from_static("sent-timeout-ms");

pub struct Record<S> {
    pub identity: Identity,
    pub methods: Arc<Methods>,
    pub phases: Phases,
    pub faults: Arc<Faults>,
    pub served_by: HeaderValue,
    /// Whether callers over gRPC get `grpc-status-details-bin`.
    pub error_details: bool,
    pub inner: S,
}

/// A call that the end of its connection waits for, until it is dropped.
pub(crate) trait InFlight: Send + Sync {
    /// Its method streams requests or responses: the age of its connection does not end it. Where its answer is a stream, as that of
    /// a health Watch is, the 10 s that a peer has to take an answer do not hold either.
    fn is_a_stream(&self, and_so_is_its_answer: bool);
}

/// What the log shows of a path that is no method's, in characters.
const LONGEST_PATH: usize = 100;

/// How many messages a client stream has brought so far.
#[derive(Clone, Debug, Default)]
pub struct Received(Arc<AtomicU64>);

impl Received {
    /// One more.
    pub fn count(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    fn so_far(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

impl<S: Handle> Handle for Record<S> {
    async fn handle(&self, mut request: Request<Body>) -> Response<Body> {
        let asked = Asked::read(request.headers(), &self.identity);
        let call = Call::begin(request.headers(), asked.others().map(|others| (RPC_BEHAVIOR, others)));
        // A path of the JSON face may bring its own.
        let brought = request.extensions_mut().remove::<Arc<Method>>();
        let method = brought.or_else(|| self.methods.find(request.uri().path()).cloned());
        let deadline = Deadline::read(request.headers()).ok().flatten();
        let ignores = asked.is_ignored(self.faults.obeys(method.as_deref()));
        let explains = explains(&request);
        let entry = self.begin(&mut request, method.clone(), call.clone());
        let extensions = request.extensions_mut();
        extensions.insert(call.clone());
        if let Some(received) = entry.received.clone() {
            extensions.insert(received);
        }
        if !asked.is_empty() {
            extensions.insert(asked);
        }
        // What cannot be read is refused further in.
        if let Some(deadline) = deadline {
            extensions.insert(deadline);
        }
        if let Some(method) = method {
            extensions.insert(method);
        }
        let mut response = self.inner.handle(request).await;
        self.tell_who_answered(response.headers_mut(), &call);
        if explains {
            tell_deadlines(response.headers_mut(), &call, deadline);
            tell_attempts(response.headers_mut(), &call);
        }
        if explains || call.made_request_id() {
            response.headers_mut().insert(REQUEST_ID, call.request_id().clone());
        }
        if ignores || call.behavior_was_ignored() {
            response.headers_mut().insert(BEHAVIOR_IGNORED, HeaderValue::from_static("1"));
        }
        // An answer without a message carries its status in the headers ("trailers-only").
        if response.headers().contains_key(Status::GRPC_STATUS) {
            let text = response.extensions_mut().remove();
            entry.finish(response.headers_mut(), text);
            return response;
        }
        response.map(|inner| Body::new(Recorded { inner, entry: Some(entry) }))
    }
}

impl<S> Record<S> {
    /// The line in the making.
    fn begin(&self, request: &mut Request<Body>, method: Option<Arc<Method>>, call: Call) -> Entry {
        let in_flight: Option<Arc<dyn InFlight>> = request.extensions_mut().remove();
        let is_stream = method.as_ref().is_some_and(|method| method.server_streaming);
        let is_own_health = method.as_ref().is_some_and(|method| method.is_own_health());
        let takes_a_stream = method.as_ref().is_some_and(|method| method.client_streaming);
        if let Some(in_flight) = in_flight.as_ref().filter(|_| is_stream || takes_a_stream) {
            in_flight.is_a_stream(is_stream);
        }
        let face = request.extensions().get::<Face>();
        let peer = request.extensions().get::<TcpConnectInfo>().and_then(TcpConnectInfo::remote_addr);
        Entry {
            identity: self.identity.clone(),
            // The JSON face reads the reason out of the details.
            keeps_details: self.error_details || face.is_some(),
            unknown_path: match method {
                Some(_) => String::new(),
                None => request.uri().path().chars().take(LONGEST_PATH).collect(),
            },
            face: face.map_or("grpc", |face| face.0),
            peer,
            call,
            says_not_serving: is_own_health && !self.phases.is_serving(),
            received: method.as_ref().filter(|method| method.client_streaming).map(|_| Received::default()),
            sent: is_stream.then(MessageCount::default),
            method,
            _in_flight: in_flight,
            is_finished: false,
        }
    }

    fn tell_who_answered(&self, headers: &mut HeaderMap, call: &Call) {
        let peer_calls = call.peer_calls();
        let peers = peer_calls.iter().filter_map(|peer| peer.served_by.as_ref());
        headers.insert(SERVED_BY, peers.fold(self.served_by.clone(), |hops, peer| joined(&hops, peer)));
    }
}

/// Whether the answer tells what only people want to know: over plain HTTP always, over gRPC where `x-explain: 1` asks for it, since
/// headers are most of what a call costs. Any other value asks for nothing.
fn explains(request: &Request<Body>) -> bool {
    request.extensions().get::<Face>().is_some() || request.headers().get_all(EXPLAIN).iter().any(|value| value == "1")
}

/// The deadline as it arrived, and what the peer was given of it.
fn tell_deadlines(headers: &mut HeaderMap, call: &Call, received: Option<Deadline>) {
    if let Some(deadline) = received {
        headers.insert(RECEIVED_TIMEOUT, header_ms(deadline.timeout()));
    }
    if let Some(timeout) = call.peer_calls().first().filter(|peer| peer.sent).and_then(|peer| peer.timeout) {
        headers.insert(SENT_TIMEOUT, header_ms(timeout));
    }
}

/// A failure has them in its details, an answer that went well nowhere else.
fn tell_attempts(headers: &mut HeaderMap, call: &Call) {
    if let Some(peer) = call.peer_calls().first().filter(|peer| peer.sent) {
        headers.insert(SENT_ATTEMPTS, HeaderValue::from(peer.attempts));
    }
}

/// `service-b/<instance>, service-a/<instance>`: last hop last.
fn joined(own: &HeaderValue, peer: &HeaderValue) -> HeaderValue {
    let hops = [own.as_bytes(), b", ", peer.as_bytes()].concat();
    // Two header values make one.
    HeaderValue::from_bytes(&hops).unwrap_or_else(|_| own.clone())
}

/// A line in the making. Dropped before it is finished, the caller is gone: CANCELLED.
struct Entry {
    identity: Identity,
    keeps_details: bool,
    method: Option<Arc<Method>>,
    /// Where there is no method.
    unknown_path: String,
    /// `grpc`, or the HTTP method.
    face: &'static str,
    peer: Option<SocketAddr>,
    call: Call,
    /// A health check whose answer is OK, and says no.
    says_not_serving: bool,
    /// Of a client stream.
    received: Option<Received>,
    /// Of a server stream.
    sent: Option<MessageCount>,
    /// Holds the drain back until the answer is complete.
    _in_flight: Option<Arc<dyn InFlight>>,
    is_finished: bool,
}

impl Entry {
    /// Ends the call with the status that stands in `headers`, which may also be trailers. `text` is what it says, where that is
    /// known: then it has an origin too.
    fn finish(mut self, headers: &mut HeaderMap, text: Option<Arc<StatusText>>) {
        if headers.get(Status::GRPC_STATUS).is_some_and(|code| code == "0") {
            return self.write(&StatusText::OK);
        }
        let text = text.unwrap_or_else(|| {
            let status = of_headers(headers);
            let status = status.unwrap_or_else(|| Status::internal("the answer has no status"));
            let attributed = attributed(&self.identity, &status);
            if let Some(status) = &attributed {
                // The text came out of these headers, and so fits into them.
                let _ = status.add_header(headers);
            }
            Arc::new(StatusText::of(attributed.as_ref().unwrap_or(&status)))
        });
        if !self.keeps_details {
            headers.remove(Status::GRPC_STATUS_DETAILS);
        }
        self.write(&text);
    }

    /// What a balancer asks all day is for DEBUG; what failed by the service's own doing must be seen where only warnings are.
    fn level(&self, code: Code) -> Level {
        match &self.method {
            Some(method) if method.quiet => Level::DEBUG,
            Some(method) if method.is_own_health() => Level::INFO,
            _ if is_fault_of_service(code) => Level::WARN,
            _ => Level::INFO,
        }
    }

    fn write(&mut self, text: &StatusText) {
        self.is_finished = true;
        let level = self.level(text.code);
        // Writing nothing takes less than making a line that the filter leaves out.
        let is_wanted = match level {
            Level::DEBUG => enabled!(Level::DEBUG),
            Level::WARN => enabled!(Level::WARN),
            _ => enabled!(Level::INFO),
        };
        if !is_wanted {
            return;
        }
        let reason = text.reason.as_deref();
        let failed = text.code != Code::Ok;
        let http = match self.says_not_serving && !failed {
            true => StatusCode::SERVICE_UNAVAILABLE,
            false => http_status(text.code, reason),
        };
        let latency = self.call.elapsed();
        let peer_calls = self.call.peer_calls();
        let peer_call = peer_calls.first();
        let other_peers: Vec<String> = peer_calls.iter().skip(1).map(PeerCall::to_string).collect();
        macro_rules! line {
            ($level:ident) => {
                $level!(
                    endpoint = self.method.as_ref().map_or(&self.unknown_path, |method| &method.endpoint).as_str(),
                    status = if failed { "error" } else { "ok" },
                    error = failed.then_some(&*text.message),
                    latency_ms = millis(latency),
                    code = code_name(text.code),
                    http = http.as_u16(),
                    reason,
                    url = peer_call.map(|peer| &*peer.url),
                    timeout_ms = peer_call.and_then(|peer| peer.timeout).map(millis),
                    attempts = peer_call.map(|peer| peer.attempts),
                    cause = peer_call.and_then(|peer| peer.cause.as_deref()),
                    other_peers = (!other_peers.is_empty()).then(|| other_peers.join("; ")),
                    messages_received = self.received.as_ref().map(Received::so_far),
                    messages_sent = self.sent.as_ref().map(MessageCount::so_far),
                    latency_us = u64::try_from(latency.as_micros()).unwrap_or(u64::MAX),
                    method = self.face,
                    peer = self.peer.map(tracing::field::display),
                    request_id = self.call.request_id().to_str().ok(),
                    trace_id = self.call.trace_id(),
                )
            };
        }
        match level {
            Level::DEBUG => line!(debug),
            Level::WARN => line!(warn),
            _ => line!(info),
        }
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        if !self.is_finished {
            let status = Status::cancelled("the caller went away before the answer was complete");
            self.write(&StatusText::of(&status));
        }
    }
}

/// A body that ends the call when its trailers pass.
struct Recorded {
    inner: Body,
    /// `None` once the call has ended.
    entry: Option<Entry>,
}

impl http_body::Body for Recorded {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        let Some(frame) = ready!(Pin::new(&mut self.inner).poll_frame(cx)) else { return Poll::Ready(None) };
        // A body that fails, which a layer of the user's may do, would reset the stream, and its caller would see no status.
        let mut frame = frame.or_else(|status| last_frame(&status))?;
        if let Some(trailers) = frame.trailers_mut() {
            if let Some(entry) = self.entry.take() {
                entry.finish(trailers, None);
            }
            self.inner = Body::empty();
        } else if let Some(sent) = self.entry.as_mut().and_then(|entry| entry.sent.as_mut())
            && let Some(data) = frame.data_ref()
        {
            sent.follow(data);
        }
        Poll::Ready(Some(Ok(frame)))
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}
