//! One log line a call, written when its answer is complete or when nobody waits for it any more; and the headers that
//! tell a caller who answered.

use std::{
    borrow::Cow,
    net::SocketAddr,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};

use http::{HeaderMap, HeaderName, HeaderValue, Request, Response, StatusCode};
use http_body::{Frame, SizeHint};
use tonic::{Code, Status, body::Body};
use tracing::{Level, debug, enabled, info};

use super::{Handle, json::Face, prepared::Told};
use crate::{
    behavior::Asked,
    context::{BEHAVIOR_IGNORED, Call, REQUEST_ID, SERVED_BY},
    deadline::{Deadline, header_ms},
    health::is_serving,
    server::{Shared, connection::InFlight, methods::Method},
    status::{code_name, http_status},
};

const RECEIVED_TIMEOUT: HeaderName = HeaderName::from_static("received-timeout-ms");
const SENT_TIMEOUT: HeaderName = HeaderName::from_static("sent-timeout-ms");

pub(crate) struct Record<S> {
    pub shared: Arc<Shared>,
    pub inner: S,
}

impl<S: Handle> Handle for Record<S> {
    async fn handle(&self, mut request: Request<Body>) -> Response<Body> {
        let call = Call::begin(request.headers(), Asked::read(request.headers(), self.shared.service));
        let method = self.shared.methods.find(request.uri().path());
        let mut entry = Entry::new(&mut request, method, call.clone());
        entry.says_not_serving = method.is_some_and(Method::is_own_health) && !is_serving(&self.shared.phases);
        let received = Deadline::read(request.headers()).ok().flatten();
        let extensions = request.extensions_mut();
        extensions.insert(call.clone());
        if let Some(method) = method {
            extensions.insert(method);
        }
        let mut response = self.inner.handle(request).await;
        self.tell_who_answered(response.headers_mut(), &call, received);
        if call.is_ignored_in_part(self.shared.faults.obeys(method)) {
            response.headers_mut().insert(BEHAVIOR_IGNORED, HeaderValue::from_static("1"));
        }
        // An answer without a message carries its status in the headers ("trailers-only").
        match response.headers().contains_key(Status::GRPC_STATUS) {
            true => {
                entry.finish(response.headers(), response.extensions().get());
                response
            }
            false => response.map(|inner| Body::new(Recorded { inner, entry: Some(entry) })),
        }
    }
}

impl<S> Record<S> {
    fn tell_who_answered(&self, headers: &mut HeaderMap, call: &Call, received: Option<Deadline>) {
        let peer_call = call.peer_call();
        let served_by = match peer_call.and_then(|peer| peer.served_by.as_ref()?.to_str().ok()) {
            None => self.shared.served_by.clone(),
            Some(peer) => joined(&self.shared.served_by, peer),
        };
        headers.insert(SERVED_BY, served_by);
        headers.insert(REQUEST_ID, call.request_id().clone());
        if let Some(deadline) = received {
            headers.insert(RECEIVED_TIMEOUT, header_ms(deadline.timeout()));
        }
        if let Some(peer) = peer_call.filter(|peer| peer.sent) {
            headers.insert(SENT_TIMEOUT, header_ms(peer.timeout));
        }
    }
}

/// `service-b/<instance>, service-a/<instance>`: last hop last.
fn joined(own: &HeaderValue, peer: &str) -> HeaderValue {
    let own_text = own.to_str().unwrap_or("");
    HeaderValue::try_from(format!("{own_text}, {peer}")).unwrap_or_else(|_| own.clone())
}

/// A line in the making. Dropped before it is finished, the caller is gone: CANCELLED.
struct Entry {
    endpoint: Cow<'static, str>,
    quiet: bool,
    method: &'static str,
    peer: Option<SocketAddr>,
    call: Call,
    /// A health check whose answer is OK, and says no.
    says_not_serving: bool,
    /// Holds the drain back until the answer is complete.
    _in_flight: Option<InFlight>,
    finished: bool,
}

impl Entry {
    fn new(request: &mut Request<Body>, method: Option<Method>, call: Call) -> Self {
        let in_flight: Option<InFlight> = request.extensions_mut().remove();
        if let Some(in_flight) = in_flight.as_ref().filter(|_| method.is_some_and(|method| method.server_streaming)) {
            in_flight.streams();
        }
        let extensions = request.extensions();
        Entry {
            endpoint: match method {
                Some(method) => Cow::Borrowed(method.endpoint),
                None => Cow::Owned(request.uri().path().chars().take(100).collect()),
            },
            quiet: method.is_some_and(|method| method.quiet),
            method: extensions.get::<Face>().map_or("grpc", |face| face.0),
            peer: extensions.get::<SocketAddr>().copied(),
            call,
            says_not_serving: false,
            _in_flight: in_flight,
            finished: false,
        }
    }

    /// The line for an answer, whose status stands in its headers or trailers, and may be known.
    fn finish(mut self, status: &HeaderMap, told: Option<&Arc<Told>>) {
        match told {
            Some(told) => self.write(|| told.clone()),
            None => self.write(|| {
                let status = Status::from_header_map(status);
                Arc::new(Told::of(&status.unwrap_or_else(|| Status::internal("the answer has no status"))))
            }),
        }
    }

    /// Reading a status takes longer than not writing a line.
    fn is_wanted(&self) -> bool {
        if self.quiet { enabled!(Level::DEBUG) } else { enabled!(Level::INFO) }
    }

    fn write(&mut self, told: impl FnOnce() -> Arc<Told>) {
        self.finished = true;
        if !self.is_wanted() {
            return;
        }
        let told = told();
        let reason = told.reason.as_deref();
        let failed = told.code != Code::Ok;
        let http = match self.says_not_serving && !failed {
            true => StatusCode::SERVICE_UNAVAILABLE,
            false => http_status(told.code, reason),
        };
        let latency = self.call.elapsed();
        let peer_call = self.call.peer_call();
        macro_rules! line {
            ($level:ident) => {
                $level!(
                    endpoint = &*self.endpoint,
                    status = if failed { "error" } else { "ok" },
                    error = failed.then_some(&*told.message),
                    latency_ms = millis(latency),
                    code = code_name(told.code),
                    http = http.as_u16(),
                    reason,
                    url = peer_call.map(|peer| peer.url.as_str()),
                    timeout_ms = peer_call.map(|peer| millis(peer.timeout)),
                    attempts = peer_call.map(|peer| peer.attempts),
                    cause = peer_call.and_then(|peer| peer.cause.as_deref()),
                    latency_us = u64::try_from(latency.as_micros()).unwrap_or(u64::MAX),
                    method = self.method,
                    peer = self.peer.map(tracing::field::display),
                    request_id = self.call.request_id().to_str().ok(),
                    trace_id = self.call.trace_id(),
                )
            };
        }
        if self.quiet { line!(debug) } else { line!(info) }
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        if !self.finished {
            let status = || Status::cancelled("the caller went away before the answer was complete");
            self.write(|| Arc::new(Told::of(&status())));
        }
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// A body that finishes the line when its trailers have passed.
struct Recorded {
    inner: Body,
    entry: Option<Entry>,
}

impl http_body::Body for Recorded {
    type Data = bytes::Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Self::Data>, Self::Error>>> {
        let frame = ready!(Pin::new(&mut self.inner).poll_frame(cx));
        if let Some(trailers) = frame.as_ref().and_then(|frame| frame.as_ref().ok()?.trailers_ref())
            && let Some(entry) = self.entry.take()
        {
            entry.finish(trailers, None);
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}
