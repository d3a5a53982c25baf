//! Servers for the client to call: the real pair, and some that the pair is not.

use std::{
    collections::HashMap,
    io::{Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    thread,
    time::Duration,
};

use bytes::Bytes;
use echo_proto::{
    CallEchoRequest, CallEchoResponse, EchoRequest, EchoResponse, Health,
    call_echo_service_server::{CallEchoService, CallEchoServiceServer},
    echo_service_server::{EchoService, EchoServiceServer},
    health_service_server::HealthServiceServer,
};
use http::HeaderMap;
use http_body_util::{BodyExt as _, Full};
use service_runtime::{
    ServerConfig, Shutdown,
    client::{Upstream, UpstreamConfig},
    server::{self, Listen},
    shutdown::Trigger,
};
use socket2::{Domain, Socket, Type};
use tonic::{
    Code, Request, Response, Status,
    body::Body,
    transport::{Server, server::TcpIncoming},
};
use tonic_types::{ErrorDetails, StatusExt};

/// A server in a thread of its own; asked to drain when it goes out of scope.
pub struct Running {
    pub url: String,
    trigger: Trigger,
}

impl Drop for Running {
    fn drop(&mut self) {
        self.trigger.ask();
    }
}

pub fn service_a() -> Running {
    service_a_with(|_| {})
}

/// A that obeys `rpc-behavior`.
pub fn service_a_with_faults() -> Running {
    service_a_with(|config| config.faults.obey_metadata = true)
}

/// A that ends each connection at that age, a tenth more or less.
pub fn service_a_with_age(age: Duration) -> Running {
    service_a_with(|config| config.max_connection_age = age)
}

/// A whose errors carry no `ErrorInfo`.
pub fn service_a_without_details() -> Running {
    service_a_with(|config| config.error_details = false)
}

fn service_a_with(change: impl FnOnce(&mut ServerConfig)) -> Running {
    let (listener, mut config, running, shutdown) = process("1");
    change(&mut config);
    let server = service_a::server().config(config);
    in_thread(async move { server.serve(listener, service_a::services, shutdown).await.unwrap() });
    running
}

pub fn service_b(service_a: &str) -> Running {
    let (listener, config, running, shutdown) = process("2");
    let server = service_b::server().config(config);
    let upstream =
        Upstream::new(service_b::service_a(), UpstreamConfig::new(vec![service_a.parse().unwrap()])).unwrap();
    let services = move |worker: &_| service_b::services(worker, upstream.on(worker));
    in_thread(async move { server.serve(listener, services, shutdown).await.unwrap() });
    running
}

/// What it takes to run a service of that instance on a free port, with one worker.
fn process(instance: &str) -> (Listen, ServerConfig, Running, Shutdown) {
    let mut config = ServerConfig::default();
    config.workers = Some(1);
    config.instance = Some(instance.into());
    let listener = server::bind(([127, 0, 0, 1], 0).into(), false).unwrap();
    let (trigger, shutdown) = Shutdown::new();
    let url = listener.address().unwrap().url();
    (listener, config, Running { url, trigger }, shutdown)
}

fn url(address: SocketAddr) -> String {
    format!("http://{address}")
}

fn in_thread(server: impl Future<Output = ()> + Send + 'static) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    thread::spawn(move || runtime.block_on(server));
}

/// A port that is taken and that nobody listens on: whoever connects is refused.
pub fn nobody() -> (Socket, String) {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    socket.bind(&SocketAddr::from(([127, 0, 0, 1], 0)).into()).unwrap();
    let address = socket.local_addr().unwrap().as_socket().unwrap();
    (socket, url(address))
}

/// A port where connections are made and nothing is ever said.
pub fn silent() -> (TcpListener, String) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = url(listener.local_addr().unwrap());
    (listener, url)
}

/// A peer that says `hello` to its first caller, then does what `then` says.
pub fn peer(hello: &'static [u8], then: impl FnOnce(TcpStream) + Send + 'static) -> String {
    let (listener, url) = silent();
    thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        stream.write_all(hello).unwrap();
        then(stream);
    });
    url
}

/// An empty SETTINGS frame: all that an HTTP/2 server has to say at first.
pub const SETTINGS: &[u8] = &[0, 0, 0, 4, 0, 0, 0, 0, 0];

/// Reads until a request has arrived whole, then resets the connection. A client that still writes would see the reset
/// as a broken pipe, or not, as the clock will have it: so its answer to our SETTINGS is waited for, too.
pub fn reset_after_the_request(mut stream: TcpStream) {
    const PREFACE: usize = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".len();
    const DATA_END_STREAM: [u8; 2] = [0, 1];
    const SETTINGS_ACK: [u8; 2] = [4, 1];
    read(&mut stream, PREFACE);
    let mut awaited = vec![DATA_END_STREAM, SETTINGS_ACK];
    while !awaited.is_empty() {
        let head = read(&mut stream, 9);
        read(&mut stream, usize::from(u16::from_be_bytes([head[1], head[2]])));
        awaited.retain(|kind_and_flags| *kind_and_flags != head[3..5]);
    }
    Socket::from(stream).set_linger(Some(Duration::ZERO)).unwrap();
}

fn read(stream: &mut TcpStream, n: usize) -> Vec<u8> {
    let mut bytes = vec![0; n];
    stream.read_exact(&mut bytes).unwrap();
    bytes
}

/// A gRPC server that is not of the pair: never well, and without an origin in its errors.
pub fn stranger() -> String {
    stranger_with(|answer| answer)
}

/// The same, whose answers have metadata before and after the message, some keys in both and twice; those that fail, too. Only a
/// failure without a text is one that is nothing but its end.
pub fn stranger_that_says_more() -> String {
    stranger_with(|answer| {
        let (mut head, body) = answer.into_parts();
        let silent = head.headers.get("grpc-status").is_some_and(|_| !head.headers.contains_key("grpc-message"));
        append(&mut head.headers, if silent { "t" } else { "h" });
        if silent {
            return http::Response::from_parts(head, body);
        }
        // What would be nothing but its end begins with headers, then.
        let failed = head.headers.remove("grpc-status").map(|status| {
            let message = head.headers.remove("grpc-message").unwrap();
            HeaderMap::from_iter(
                [("grpc-status", status), ("grpc-message", message)].map(|(k, v)| (k.parse().unwrap(), v)),
            )
        });
        let body = match failed {
            Some(trailers) => Body::new(Full::new(Bytes::new()).with_trailers(std::future::ready(Some(Ok(trailers))))),
            None => body,
        };
        let add = |mut frame: http_body::Frame<_>| {
            frame.trailers_mut().into_iter().for_each(|trailers| append(trailers, "t"));
            frame
        };
        http::Response::from_parts(head, Body::new(body.map_frame(add)))
    })
}

fn append(metadata: &mut HeaderMap, at: &str) {
    for (name, value) in [("x-both", "1"), ("x-both", "2"), (&format!("x-{at}"), "only"), ("x-bin", "3q2+7w")] {
        let value = if name == "x-both" { format!("{at}{value}") } else { value.to_owned() };
        metadata.append(name.parse::<http::HeaderName>().unwrap(), value.parse().unwrap());
    }
}

fn stranger_with(
    change: impl Fn(http::Response<Body>) -> http::Response<Body> + Clone + Send + Sync + 'static,
) -> String {
    let (listener, url) = silent();
    listener.set_nonblocking(true).unwrap();
    in_thread(async move {
        let incoming = TcpIncoming::from(tokio::net::TcpListener::from_std(listener).unwrap());
        let authority = |mut request: http::Request<_>| {
            let authority = request.uri().authority().unwrap().to_string();
            request.headers_mut().insert("authority", authority.parse().unwrap());
            request
        };
        let server = Server::builder()
            .layer(tower::util::MapRequestLayer::new(authority))
            .layer(tower::util::MapResponseLayer::new(change))
            .add_service(EchoServiceServer::new(Stranger))
            .add_service(CallEchoServiceServer::new(Stranger))
            .add_service(HealthServiceServer::new(Health(|| false)));
        server.serve_with_incoming(incoming).await.unwrap();
    });
    url
}

/// What a terminal would obey, in every way there is.
pub const HARMFUL: &str = "a\u{1b}[2J\u{9b}2J\u{7f}\u{85}\u{2028}\u{202e}\u{2066}<b>&\"'";

fn harmful_status() -> Status {
    let metadata = HashMap::from([("hop".into(), HARMFUL.into()), ("details".into(), HARMFUL.into())]);
    let details = ErrorDetails::with_error_info(format!("SERVICE_A_{HARMFUL}"), "echo.v1", metadata);
    let mut status = Status::with_error_details(Code::Unavailable, HARMFUL, details);
    let name = http::HeaderValue::from_bytes("x\u{9b}2J\u{202e}".as_bytes()).unwrap();
    status.metadata_mut().as_mut().insert("served-by", name);
    status
}

struct Stranger;

#[tonic::async_trait]
impl EchoService for Stranger {
    /// Echoes the value of the request metadata that the message names.
    async fn echo(&self, request: Request<EchoRequest>) -> Result<Response<EchoResponse>, Status> {
        let values = request.metadata().get_all(&request.get_ref().msg);
        let echo = values.iter().map(|value| value.to_str().unwrap()).collect::<Vec<_>>().join(", ");
        Ok(Response::new(EchoResponse { echo }))
    }
}

#[tonic::async_trait]
impl CallEchoService for Stranger {
    /// Fails with text that does no terminal good; asked for `silence`, without any; asked for `all`, or for the
    /// text of a load, with a text, reason, details and name that are all bad.
    async fn call_echo(&self, request: Request<CallEchoRequest>) -> Result<Response<CallEchoResponse>, Status> {
        match request.get_ref().msg.as_str() {
            "silence" => Err(Status::not_found("")),
            msg if msg == "all" || msg.ends_with("...") => Err(harmful_status()),
            _ => Err(Status::not_found("no such\nthing\x1b[2J")),
        }
    }
}
