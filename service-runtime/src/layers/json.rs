//! The face for callers who do not speak gRPC: JSON over HTTP/1.1 and HTTP/2, as a translation at the edge.
//!
//! A plain request becomes a gRPC request before any other layer sees it, and the gRPC answer becomes JSON after the last
//! one has. So one stack serves both faces, and a deadline or a refusal means the same on both.

use std::{borrow::Cow, cell::RefCell, sync::Arc};

use bytes::Bytes;
use http::{
    HeaderMap, HeaderName, HeaderValue, Method as HttpMethod, Request, Response, StatusCode, Uri, Version,
    header::{ALLOW, CONTENT_LENGTH, CONTENT_TYPE, HOST, RETRY_AFTER},
};
use http_body_util::{BodyExt, Full};
use percent_encoding::percent_decode_str;
use prost::{DecodeError, Message};
use serde_json::{Value, json};
use tonic::{Code, Status, body::Body};

use super::{
    Handle,
    cors::{CorsOrigins, Page},
};
use crate::{
    grpc::{FRAME_HEADER, frame, has_grpc_content},
    methods::{Alias, Method},
    origin::Origin,
    status::{Refusal, code_name, http_status, of_headers},
};

/// Where it is said what there is.
const ROOT: &str = "/";

/// A JSON path and the unary gRPC method behind it.
pub struct Route {
    path: String,
    method: String,
    uri: Uri,
    probe: bool,
    /// Of a path that has not its method's name in the log.
    logged_as: Option<Arc<Method>>,
    request: Box<MakeRequest>,
    reply: Box<MakeBody>,
    failure: Box<MakeFailure>,
}

/// The encoded request message for a query.
type MakeRequest = dyn Fn(&Query) -> Vec<u8> + Send + Sync;
/// HTTP status and body for an encoded reply.
type MakeBody = dyn Fn(&[u8]) -> Reply + Send + Sync;
/// The body for a failure.
type MakeFailure = dyn Fn(&Failure) -> Option<Value> + Send + Sync;

/// What a route makes of an encoded reply: the HTTP status and the body.
type Reply = Result<(StatusCode, Value), DecodeError>;

impl Route {
    /// `GET path`, which calls the gRPC `method`, such as `/echo.v1.EchoService/Echo`: `request` makes its message of the query,
    /// `reply` the JSON body of its answer. `path` is also the method's name in the log.
    pub fn get<Req: Message, Res: Message + Default>(
        path: &str,
        method: &str,
        request: impl Fn(&Query) -> Req + Send + Sync + 'static,
        reply: impl Fn(Res) -> Value + Send + Sync + 'static,
    ) -> Self {
        Route {
            path: path.to_owned(),
            method: method.to_owned(),
            // One that is no path is no method either: the server says so at its start.
            uri: method.parse().unwrap_or_default(),
            probe: false,
            logged_as: None,
            request: Box::new(move |query| request(query).encode_to_vec()),
            reply: Box::new(move |encoded| Ok((StatusCode::OK, reply(Res::decode(encoded)?)))),
            failure: Box::new(|_| None),
        }
    }

    /// `GET /health` for a health method whose request is empty. `status` reads its answer: `ok` is 200 `{"status":"ok"}`, any other
    /// text 503. It does not count against the limit of calls.
    pub fn health<Res: Message + Default>(
        method: &str,
        status: impl Fn(Res) -> String + Send + Sync + 'static,
    ) -> Self {
        let reply = move |encoded: &[u8]| {
            let status = status(Res::decode(encoded)?);
            let code = if status == "ok" { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
            Ok((code, json!({"status": status})))
        };
        Route { probe: true, reply: Box::new(reply), ..Route::get("/health", method, |_| (), |()| Value::Null) }
    }

    /// The same with a body of its own for a failure that deserves more than `error`, `code` and `reason`; `None` is these three.
    pub fn on_failure(self, body: impl Fn(&Failure) -> Option<Value> + Send + Sync + 'static) -> Self {
        Route { failure: Box::new(body), ..self }
    }

    /// `GET /`, which says what there is: `{"service":"greeter","paths":["/health","/hello?name=…"]}`. A call like any other, with its
    /// line in the log, its deadline and its permit. `method` answers an empty message with OK, and its answer is not looked at.
    pub(crate) fn listing(service: &str, routes: &[Route], method: &str) -> Self {
        let paths: Vec<String> = routes.iter().map(Route::with_its_query).collect();
        let listing = json!({"service": service, "paths": paths});
        let method_of_log = Method { endpoint: ROOT.to_owned(), ..Method::default() };
        let route = Route::get(ROOT, method, |_| (), move |()| listing.clone());
        Route { logged_as: Some(Arc::new(method_of_log)), ..route }
    }

    /// Whether `GET /` is among them.
    pub(crate) fn is_root(&self) -> bool {
        self.path == ROOT
    }

    /// The path, and the keys that it takes from its query: those that it asks an empty one for.
    fn with_its_query(&self) -> String {
        let query = Query { pairs: Vec::new(), asked_for: Some(RefCell::default()) };
        (self.request)(&query);
        let keys = query.asked_for.map(RefCell::into_inner).unwrap_or_default();
        let keys: Vec<String> = keys.iter().map(|key| format!("{key}=…")).collect();
        if keys.is_empty() { self.path.clone() } else { format!("{}?{}", self.path, keys.join("&")) }
    }

    /// What the path stands for, where the log calls the method after it.
    pub(crate) fn alias(&self) -> Option<Alias<'_>> {
        let is_alias = self.logged_as.is_none();
        is_alias.then_some(Alias { method: &self.method, path: &self.path, probe: self.probe })
    }
}

/// A failed call, as JSON tells it.
pub struct Failure<'a> {
    /// The code as gRPC writes it, such as `UNAVAILABLE`.
    pub code: &'static str,
    /// The constant sentence.
    pub message: &'a str,
    /// Who decided it and why.
    pub origin: &'a Origin,
}

/// The query of a URI, decoded.
pub struct Query {
    pairs: Vec<(String, String)>,
    /// The keys that a route asks for, where these are to be known.
    asked_for: Option<RefCell<Vec<String>>>,
}

/// Marks a request that came through this face; the word is the HTTP method for the log.
#[derive(Clone, Copy)]
pub struct Face(pub &'static str);

impl Query {
    /// The first value of `key`; empty where it is missing.
    pub fn text(&self, key: &str) -> String {
        if let Some(keys) = &self.asked_for {
            keys.borrow_mut().push(key.to_owned());
        }
        self.pairs.iter().find(|(name, _)| name == key).map_or(String::new(), |(_, value)| value.clone())
    }

    pub(crate) fn read(uri: &Uri) -> Result<Self, Refusal> {
        let pairs = uri.query().unwrap_or("").split('&').filter(|pair| !pair.is_empty());
        pairs
            .map(|pair| {
                let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
                Ok((decode(key)?, decode(value)?))
            })
            .collect::<Result<_, _>>()
            .map(|pairs| Query { pairs, asked_for: None })
    }
}

/// Percent-decoding that refuses what it cannot decode, instead of passing it on as it is.
fn decode(text: &str) -> Result<String, Refusal> {
    let mut escapes = text.split('%').skip(1).map(str::as_bytes);
    let whole = |escape: &[u8]| escape.len() >= 2 && escape[..2].iter().all(u8::is_ascii_hexdigit);
    if !escapes.all(whole) {
        return Err(Refusal::BadQuery);
    }
    let spaced = text.replace('+', " ");
    percent_decode_str(&spaced).decode_utf8().map(Cow::into_owned).map_err(|_| Refusal::BadQuery)
}

pub(crate) struct Json<S> {
    pub routes: Arc<[Route]>,
    /// The pages of other origins that may read the answers.
    pub cors: Option<CorsOrigins>,
    pub inner: S,
}

impl<S: Handle> Handle for Json<S> {
    async fn handle(&self, mut request: Request<Body>) -> Response<Body> {
        if speaks_grpc(&request) {
            return self.inner.handle(request).await;
        }
        let page = self.cors.as_ref().map(|origins| origins.page_of(&request));
        if let Some(answer) = page.as_ref().and_then(Page::preflight_answer) {
            return answer;
        }
        let route = self.routes.iter().find(|route| route.path == request.uri().path());
        let is_head = request.method() == HttpMethod::HEAD;
        let face = face(request.method());
        let host_is_wrong = has_wrong_host(&request);
        request.extensions_mut().insert(face);
        if let Some(route) = route {
            request = translate(route, request);
        }
        if host_is_wrong {
            request.extensions_mut().insert(Refusal::BadHost);
        }
        let answer = self.inner.handle(request).await;
        let mut answer = to_json(route, answer).await;
        if let Some(page) = page {
            page.mark(answer.headers_mut());
        }
        if is_head { answer.map(|_| Body::empty()) } else { answer }
    }
}

fn speaks_grpc(request: &Request<Body>) -> bool {
    let is_post = request.method() == HttpMethod::POST;
    request.version() == Version::HTTP_2 && is_post && has_grpc_content(request.headers())
}

/// None, or two of which a proxy may have looked at the other: RFC 9112, 3.2, wants both refused.
fn has_wrong_host(request: &Request<Body>) -> bool {
    request.version() == Version::HTTP_11 && request.headers().get_all(HOST).iter().count() != 1
}

fn face(method: &HttpMethod) -> Face {
    Face(match *method {
        HttpMethod::GET => "GET",
        HttpMethod::HEAD => "HEAD",
        HttpMethod::POST => "POST",
        HttpMethod::PUT => "PUT",
        HttpMethod::DELETE => "DELETE",
        HttpMethod::PATCH => "PATCH",
        HttpMethod::OPTIONS => "OPTIONS",
        _ => "other",
    })
}

/// The gRPC request behind a plain one. What is wrong with it travels along, so that it is refused in order and logged.
fn translate(route: &Route, request: Request<Body>) -> Request<Body> {
    let message = match request.method() {
        &HttpMethod::GET | &HttpMethod::HEAD => Query::read(request.uri()).map(|query| (route.request)(&query)),
        _ => Err(Refusal::WrongHttpMethod),
    };
    let (mut head, _) = request.into_parts();
    head.method = HttpMethod::POST;
    head.version = Version::HTTP_2;
    head.uri = route.uri.clone();
    if let Some(method) = &route.logged_as {
        head.extensions.insert(method.clone());
    }
    head.headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
    let body = match message {
        Ok(message) => Body::new(Full::new(frame(&message))),
        Err(refusal) => {
            head.extensions.insert(refusal);
            Body::empty()
        }
    };
    Request::from_parts(head, body)
}

async fn to_json(route: Option<&Route>, answer: Response<Body>) -> Response<Body> {
    let (head, body) = answer.into_parts();
    let (status, message) = match of_headers(&head.headers) {
        Some(status) => (status, Bytes::new()),
        None => collect(body).await,
    };
    let reply = match (route, status.code()) {
        (Some(route), Code::Ok) => (route.reply)(message.get(FRAME_HEADER..).unwrap_or_default())
            .map_err(|_| Status::internal("The answer is not what its method promises")),
        _ => Err(status),
    };
    let mut headers = head.headers;
    let (code, value) = match reply {
        Ok(reply) => reply,
        Err(status) => failure(route, &status, &mut headers),
    };
    let body = Bytes::from(format!("{value}\n"));
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(CONTENT_LENGTH, HeaderValue::from(body.len()));
    forget_grpc(&mut headers);
    let mut response = Response::new(Body::new(Full::new(body)));
    *response.status_mut() = code;
    *response.headers_mut() = headers;
    response
}

async fn collect(body: Body) -> (Status, Bytes) {
    match body.collect().await {
        Err(status) => (status, Bytes::new()),
        Ok(collected) => {
            let status = collected.trailers().and_then(of_headers);
            (status.unwrap_or_else(|| Status::internal("The answer has no status")), collected.to_bytes())
        }
    }
}

fn failure(route: Option<&Route>, status: &Status, headers: &mut HeaderMap) -> (StatusCode, Value) {
    let code = code_name(status.code());
    let origin = Origin::of(status).unwrap_or_else(|| Origin { reason: code.to_owned(), ..Origin::default() });
    let failure = Failure { code, message: status.message(), origin: &origin };
    let http = http_status(status.code(), Some(&origin.reason));
    if http == StatusCode::METHOD_NOT_ALLOWED {
        headers.insert(ALLOW, HeaderValue::from_static(if route.is_some() { "GET, HEAD" } else { "POST" }));
    }
    if let Some(ms) = origin.retry_in_ms {
        // The next try may be due this very moment; 0 would have every caller come back at once.
        headers.insert(RETRY_AFTER, HeaderValue::from(ms.div_ceil(1000).max(1)));
    }
    let own = route.and_then(|route| (route.failure)(&failure));
    (http, own.unwrap_or_else(|| json!({"error": failure.message, "code": code, "reason": origin.reason})))
}

fn forget_grpc(headers: &mut HeaderMap) {
    let names: Vec<HeaderName> = headers.keys().filter(|name| name.as_str().starts_with("grpc-")).cloned().collect();
    for name in names {
        headers.remove(name);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::{
        identity::{Peer, service_b},
        origin::{self, Facts},
        status::Cause,
    };

    fn query(text: &'static str) -> Result<String, Refusal> {
        let uri = Uri::builder().path_and_query(text).build().unwrap();
        Query::read(&uri).map(|query| query.text("msg"))
    }

    #[test]
    fn decodes_a_query_as_browsers_and_curl_encode_it() {
        assert_eq!(query("/echo?msg=hello"), Ok("hello".into()));
        assert_eq!(query("/echo?a=b&msg=a%20b+c%26&msg=second"), Ok("a b c&".into()));
        assert_eq!(query("/echo?msg=gr%C3%BC%C3%9Fe"), Ok("grüße".into()));
        for missing in ["/echo", "/echo?", "/echo?msg", "/echo?msg=", "/echo?other=x"] {
            assert_eq!(query(missing), Ok(String::new()), "{missing}");
        }
    }

    #[test]
    fn wants_exactly_one_host_of_http_1_1_and_of_no_other() {
        let one = ["a"];
        let cases: [(Version, &[&str], bool); 5] = [
            (Version::HTTP_11, &one, false),
            (Version::HTTP_11, &[], true),
            (Version::HTTP_11, &["a", "a"], true),
            (Version::HTTP_10, &[], false),
            (Version::HTTP_2, &[], false),
        ];
        for (version, hosts, wrong) in cases {
            let mut request = Request::new(Body::empty());
            *request.version_mut() = version;
            for host in hosts {
                request.headers_mut().append(HOST, HeaderValue::from_static(host));
            }
            assert_eq!(has_wrong_host(&request), wrong, "{version:?} {hosts:?}");
        }
    }

    #[test]
    fn never_asks_to_be_tried_again_at_once() {
        let peer = Peer::new("service-a");
        for (ms, seconds) in [(0, "1"), (1, "1"), (1000, "1"), (1001, "2")] {
            let facts = Facts { retry_in: Some(Duration::from_millis(ms)), ..Facts::default() };
            let status = origin::failed(&service_b(), &peer, Cause::Unreachable("connection refused"), facts);
            let mut headers = HeaderMap::new();
            failure(None, &status, &mut headers);
            assert_eq!(headers[RETRY_AFTER], seconds, "{ms} ms");
        }
    }

    #[test]
    fn refuses_what_is_not_percent_encoded_utf8() {
        for bad in ["/echo?msg=%", "/echo?msg=%2", "/echo?msg=%zz", "/echo?msg=%FF", "/echo?%=x", "/echo?msg=%%20"] {
            assert_eq!(query(bad), Err(Refusal::BadQuery), "{bad}");
        }
    }
}
