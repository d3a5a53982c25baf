//! B as a real process, both of its faces as a caller sees them, and an A that misbehaves on purpose.

pub mod peer;

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::TcpStream,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use echo_proto::{CallEchoRequest, CallEchoResponse, call_echo_service_client::CallEchoServiceClient};
use service_runtime::{origin::Origin, status::code_name};
use tonic::{Request, Response, Status, transport::Channel};

/// What a bound adds to the contract's figure here: the contract's ε is 50 ms on an idle machine, and these tests run side
/// by side on two cores that also compile.
pub const SLACK: Duration = Duration::from_millis(400);

/// A process of service B, killed when the test ends.
pub struct B {
    pub child: Child,
    pub address: String,
}

impl B {
    /// Starts B in front of `service_a`, and waits until it listens.
    pub fn start(service_a: &str, flags: &[&str]) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_service-b"));
        command.args(["--listen", "127.0.0.1:0", "--service-a", service_a]).args(flags).stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut log = BufReader::new(child.stdout.take().unwrap());
        let mut first = String::new();
        log.read_line(&mut first).unwrap();
        let address = first.trim().split_once("listening=http://").expect("the first line says where").1.to_owned();
        // Nobody reads the rest; the log must not care.
        std::thread::spawn(move || std::io::copy(&mut log, &mut std::io::sink()));
        B { child, address }
    }

    pub async fn channel(&self) -> Channel {
        Channel::from_shared(format!("http://{}", self.address)).unwrap().connect().await.unwrap()
    }

    /// `CallEcho` over gRPC; `timeout` goes out as it is written.
    pub async fn call(&self, msg: &str, timeout: Option<&'static str>) -> Answer {
        let mut request = Request::new(CallEchoRequest { msg: msg.into() });
        if let Some(timeout) = timeout {
            request.metadata_mut().insert("x-test-timeout", timeout.parse().unwrap());
        }
        let mut client = CallEchoServiceClient::with_interceptor(self.channel().await, as_timeout);
        let began = Instant::now();
        Answer::of_grpc(client.call_echo(request).await, began.elapsed())
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
    pub async fn both(&self, msg: &str, timeout: Option<&'static str>) -> [Answer; 2] {
        [self.call(msg, timeout).await, self.get(msg, timeout)]
    }
}

impl Drop for B {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// tonic would keep a `grpc-timeout` that it knows of itself, and answer CANCELLED; put in here it knows of none.
#[expect(clippy::unnecessary_wraps, clippy::result_large_err, reason = "the shape of an interceptor")]
fn as_timeout(mut request: Request<()>) -> Result<Request<()>, Status> {
    if let Some(timeout) = request.metadata_mut().remove("x-test-timeout") {
        request.metadata_mut().insert("grpc-timeout", timeout);
    }
    Ok(request)
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
    fn of_grpc(result: Result<Response<CallEchoResponse>, Status>, after: Duration) -> Self {
        match result {
            Ok(response) => {
                let text = response.into_inner().service_a.unwrap().echo;
                Answer { code: "OK".into(), reason: String::new(), hop: None, http: None, text, after }
            }
            Err(status) => {
                let origin = Origin::of(&status).unwrap_or_default();
                let code = code_name(status.code()).into();
                Answer {
                    code,
                    reason: origin.reason,
                    hop: Some(origin.hop),
                    http: None,
                    text: status.message().into(),
                    after,
                }
            }
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
