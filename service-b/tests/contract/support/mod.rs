//! B as a real process, both of its faces as a caller sees them, and an A that misbehaves on purpose.

pub mod peer;

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::TcpStream,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use bytes::Bytes;
use echo_proto::{CallEchoRequest, CallEchoResponse};
use http::Request;
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http2;
use hyper_util::rt::{TokioExecutor, TokioIo};
use prost::Message;
use service_runtime::{origin::Origin, status::code_name};
use tonic::Status;

/// What a bound adds to the contract's figure here: the contract's ε is 50 ms on an idle machine, and these tests run side
/// by side on two cores that also compile.
pub const SLACK: Duration = Duration::from_millis(400);

/// A process of service B, killed when the test ends.
pub struct B {
    child: Child,
    pub address: String,
}

impl B {
    /// Starts B in front of `service_a`, and waits until it listens.
    pub fn start(service_a: &str, flags: &[&str]) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_service-b"));
        command.args(["--listen", "127.0.0.1:0", "--service-a", service_a]).args(flags).stdout(Stdio::piped());
        // Made first, so that the process ends also when what follows does not hold.
        let mut b = B { child: command.spawn().unwrap(), address: String::new() };
        let mut log = BufReader::new(b.child.stdout.take().unwrap());
        let mut first = String::new();
        log.read_line(&mut first).unwrap();
        let (_, address) = first.trim().split_once("listening=http://").expect("the first line says where it listens");
        b.address = address.to_owned();
        // Nobody reads the rest; the log must not care.
        std::thread::spawn(move || std::io::copy(&mut log, &mut std::io::sink()));
        b
    }

    /// `CallEcho` over HTTP/2; `timeout` goes out as it is written. A gRPC client would keep its own clock beside it, and
    /// might win by a hair.
    pub async fn call(&self, msg: &str, timeout: Option<&str>) -> Answer {
        let stream = tokio::net::TcpStream::connect(&self.address).await.unwrap();
        let (mut sender, connection) = http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await.unwrap();
        let _connection = AbortOnDrop(tokio::spawn(connection).abort_handle());
        let mut request = Request::post(format!("http://{}/echo.v1.CallEchoService/CallEcho", self.address))
            .header("content-type", "application/grpc")
            .header("te", "trailers");
        if let Some(timeout) = timeout {
            request = request.header("grpc-timeout", timeout);
        }
        let message = CallEchoRequest { msg: msg.into() }.encode_to_vec();
        let length = u32::try_from(message.len()).unwrap().to_be_bytes();
        let body = [&[0], &length[..], &message].concat();
        let began = Instant::now();
        let answer = sender.send_request(request.body(Full::new(Bytes::from(body))).unwrap()).await.unwrap();
        let (head, body) = answer.into_parts();
        let body = body.collect().await.unwrap();
        let status = Status::from_header_map(body.trailers().unwrap_or(&head.headers)).expect("a gRPC status");
        Answer::of_grpc(&status, &body.to_bytes(), began.elapsed())
    }

    /// `GET /call-echo` as curl sends it.
    pub fn get(&self, msg: &str, timeout: Option<&str>) -> Answer {
        let began = Instant::now();
        let mut stream = self.send_get(msg, timeout);
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        Answer::of_http(&answer, began.elapsed())
    }

    /// The request alone; whoever drops the stream has cancelled it.
    pub fn send_get(&self, msg: &str, timeout: Option<&str>) -> TcpStream {
        let timeout = timeout.map_or(String::new(), |timeout| format!("grpc-timeout: {timeout}\r\n"));
        let mut stream = TcpStream::connect(&self.address).unwrap();
        write!(stream, "GET /call-echo?msg={msg} HTTP/1.1\r\nhost: b\r\nconnection: close\r\n{timeout}\r\n").unwrap();
        stream
    }

    /// Both faces, one after the other; their codes and reasons must be the same.
    pub async fn both(&self, msg: &str, timeout: Option<&str>) -> [Answer; 2] {
        [self.call(msg, timeout).await, self.get(msg, timeout)]
    }
}

impl Drop for B {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A spawned connection that goes when its call does: a dropped call is a caller who went away.
struct AbortOnDrop(tokio::task::AbortHandle);

impl Drop for AbortOnDrop {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// What a caller of B got, on either face.
#[derive(Debug)]
pub struct Answer {
    pub code: String,
    pub reason: String,
    pub hop: Option<String>,
    pub http: Option<u16>,
    pub text: String,
    pub after: Duration,
}

impl Answer {
    fn of_grpc(status: &Status, body: &[u8], after: Duration) -> Self {
        let origin = Origin::of(status);
        let reply = CallEchoResponse::decode(body.get(5..).unwrap_or_default()).unwrap();
        Answer {
            code: code_name(status.code()).into(),
            reason: origin.as_ref().map(|origin| origin.reason.clone()).unwrap_or_default(),
            hop: origin.map(|origin| origin.hop),
            http: None,
            text: reply.service_a.map_or_else(|| status.message().into(), |reply| reply.echo),
            after,
        }
    }

    fn of_http(answer: &str, after: Duration) -> Self {
        let (head, body) = answer.split_once("\r\n\r\n").expect("a whole answer");
        let http: u16 = head.split(' ').nth(1).unwrap().parse().unwrap();
        let word = |key: &str| {
            let (_, rest) = body.split_once(&format!("\"{key}\":\""))?;
            Some(rest.split('"').next().unwrap().to_owned())
        };
        Answer {
            code: word("code").unwrap_or_else(|| "OK".into()),
            reason: word("reason").unwrap_or_default(),
            hop: None,
            http: Some(http),
            text: word("echo").or(word("error")).unwrap_or_default(),
            after,
        }
    }

    /// Asserts the row of the contract: code, HTTP status, reason, and that it came within `bound` and some slack.
    #[track_caller]
    pub fn is(&self, code: &str, http: u16, reason: &str, bound: Duration) {
        assert_eq!((self.code.as_str(), self.reason.as_str()), (code, reason), "{self:?}");
        assert!(self.http.is_none_or(|seen| seen == http), "{self:?}");
        assert!(self.hop.as_deref().is_none_or(|hop| hop == "service-b"), "{self:?}");
        assert!(self.after <= bound + SLACK, "not within {bound:?}: {self:?}");
    }
}
