//! A or B as a real process, and a caller that sends metadata as it is written and keeps no clock of its own.

use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};

use bytes::Bytes;
use http::{HeaderMap, Request};
use http_body_util::{BodyExt, Full};
use hyper::client::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo};
use lab::{child::Child, http::Cancels, program::Program};
use service_runtime::{
    origin::Origin,
    status::{code_of_name, of_headers},
};
use tokio::net::TcpStream;

/// What a bound adds to what it is about: these tests run side by side on cores that also compile.
pub const SLACK: Duration = Duration::from_millis(400);

/// `EchoRequest` and `CallEchoRequest` alike: the first field is `hello`.
pub const HELLO: &[u8] = b"\0\0\0\0\x07\x0a\x05hello";

pub const OBEYS: &str = "--fault-injection";

pub async fn start(service: &'static str, flags: &[&str]) -> Child {
    let program = Program::at(env!("CARGO_BIN_EXE_lab")).with_defaults();
    Child::start(&program, service, &[&["--listen", "127.0.0.1:0"], flags].concat()).await.unwrap()
}

pub async fn a(flags: &[&str]) -> Child {
    start("service-a", flags).await
}

/// B in front of `a`, with a connection to it.
pub async fn b(a: &Child, flags: &[&str]) -> Child {
    let b = start("service-b", &[&["--workers", "1", "--service-a", &a.url()], flags].concat()).await;
    // The first call waits for the connection, and has nothing to do with any fault.
    Caller::of(&b).call(&[("grpc-timeout", "10S")]).await;
    b
}

/// What came, on either face.
#[derive(Debug)]
pub struct Answer {
    /// The number of the gRPC code; on the JSON face that of its name.
    pub code: i32,
    /// On the JSON face.
    pub http: Option<u16>,
    pub reason: String,
    /// On the gRPC face.
    pub hop: Option<String>,
    pub headers: HeaderMap,
    pub after: Duration,
}

impl Answer {
    pub fn is_ignored(&self) -> bool {
        self.headers.get("rpc-behavior-ignored").is_some_and(|value| value == "1")
    }

    /// Asserts the code and the reason, that it came no earlier than `bound` and not much later.
    #[track_caller]
    pub fn is(&self, code: i32, reason: &str, bound: Duration) {
        assert_eq!((self.code, self.reason.as_str()), (code, reason), "{self:?}");
        assert!((bound..bound + SLACK).contains(&self.after), "not after {bound:?}: {self:?}");
    }
}

/// Calls the one method that a service is there for, or its health.
#[derive(Clone, Copy)]
pub struct Caller {
    address: SocketAddr,
    method: &'static str,
    path: &'static str,
    message: &'static [u8],
}

pub type Metadata<'a> = &'a [(&'a str, &'a str)];

impl Caller {
    pub fn of(service: &Child) -> Self {
        let (method, path) = match service.name() {
            "service-a" => ("/echo.v1.EchoService/Echo", "/echo?msg=hello"),
            _ => ("/echo.v1.CallEchoService/CallEcho", "/call-echo?msg=hello"),
        };
        Caller { address: service.address(), method, path, message: HELLO }
    }

    pub fn of_health(service: &Child, method: &'static str) -> Self {
        Caller { method, path: "/health", message: b"\0\0\0\0\0", ..Caller::of(service) }
    }

    pub fn sending(self, message: &'static [u8]) -> Self {
        Caller { message, ..self }
    }

    /// Over gRPC. Dropped, it is a caller who went away.
    pub async fn call(&self, metadata: Metadata<'_>) -> Answer {
        let stream = TcpStream::connect(self.address).await.unwrap();
        let (mut sender, connection) = http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await.unwrap();
        let url = format!("http://{}{}", self.address, self.method);
        let request = Request::post(url).header("content-type", "application/grpc").header("te", "trailers");
        let request = with(request, metadata).body(Full::new(Bytes::from_static(self.message))).unwrap();
        let began = Instant::now();
        let answer = async move {
            let (head, body) = sender.send_request(request).await.unwrap().into_parts();
            (head, body.collect().await.unwrap())
        };
        let (head, body) = over(answer, connection).await;
        let after = began.elapsed();
        let trailers = body.trailers().unwrap_or(&head.headers);
        let origin = Origin::of(&of_headers(trailers).unwrap());
        let code = trailers["grpc-status"].to_str().unwrap().parse().unwrap();
        let (reason, hop) = origin.map(|origin| (origin.reason, origin.hop)).unzip();
        Answer { code, http: None, reason: reason.unwrap_or_default(), hop, headers: head.headers, after }
    }

    /// As JSON over HTTP/1.1. Dropped, it is a caller who went away.
    pub async fn get(&self, metadata: Metadata<'_>) -> Answer {
        let stream = TcpStream::connect(self.address).await.unwrap();
        let cancels = Cancels::call_on(&stream).unwrap();
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.unwrap();
        let request = with(Request::get(self.path).header("host", "x"), metadata);
        let request = request.body(Full::new(Bytes::new())).unwrap();
        let began = Instant::now();
        let answer = async move {
            let (head, body) = sender.send_request(request).await.unwrap().into_parts();
            (head, body.collect().await.unwrap())
        };
        let (head, body) = over(answer, connection).await;
        cancels.answered();
        let after = began.elapsed();
        let body: serde_json::Value = serde_json::from_slice(&body.to_bytes()).unwrap();
        let code = code_of_name(body["code"].as_str().unwrap_or("OK")).unwrap() as i32;
        let reason = body["reason"].as_str().unwrap_or_default().to_owned();
        Answer { code, http: Some(head.status.as_u16()), reason, hop: None, headers: head.headers, after }
    }

    /// On both faces, one after the other.
    pub async fn both(&self, metadata: Metadata<'_>) -> [Answer; 2] {
        [self.call(metadata).await, self.get(metadata).await]
    }

    /// On both faces, with this `rpc-behavior` and time enough.
    pub async fn asks(&self, behavior: &str) -> [Answer; 2] {
        self.both(&[("rpc-behavior", behavior), ("grpc-timeout", "10S")]).await
    }

    /// Asks again and again until that is the code; for what another connection's call changes.
    pub async fn until(&self, code: i32) {
        let began = Instant::now();
        while self.call(&[]).await.code != code {
            assert!(began.elapsed() < Duration::from_secs(10), "it is never {code}");
        }
    }
}

fn with(request: http::request::Builder, metadata: Metadata<'_>) -> http::request::Builder {
    metadata.iter().fold(request, |request, (key, value)| request.header(*key, *value))
}

/// Moves the connection's bytes while the answer is awaited, and not longer: both are dropped together.
async fn over<T>(answer: impl Future<Output = T>, connection: impl Future<Output = hyper::Result<()>>) -> T {
    let connection = async {
        let ended = connection.await;
        std::future::pending::<()>().await;
        ended
    };
    tokio::select! {
        biased;
        answer = answer => answer,
        _ = connection => unreachable!("it never ends"),
    }
}
