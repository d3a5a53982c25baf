//! One plain HTTP/1.1 request, as `curl` makes it.

use std::{
    fmt, io,
    net::SocketAddr,
    thread,
    time::{Duration, Instant},
};

use anyhow::Context as _;
use bytes::Bytes;
use futures_util::future::join_all;
use http::{HeaderMap, Method, Request};
use http_body_util::{BodyExt, Empty};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use serde_json::Value;
use socket2::{SockRef, Socket};
use tokio::{net::TcpStream, time::timeout};

/// How long an answer is waited for.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(10);

/// What to ask.
#[derive(Clone, Debug)]
pub struct Ask {
    /// The HTTP method.
    pub method: Method,
    /// The path with its query.
    pub path: &'static str,
    /// More headers.
    pub headers: Vec<(&'static str, &'static str)>,
}

impl Ask {
    /// GET `path`.
    pub fn get(path: &'static str) -> Self {
        Ask { method: Method::GET, path, headers: Vec::new() }
    }

    /// POST to `path`, with nothing in it.
    pub fn post(path: &'static str) -> Self {
        Ask { method: Method::POST, ..Ask::get(path) }
    }

    /// The same, with a header.
    pub fn with(mut self, key: &'static str, value: &'static str) -> Self {
        self.headers.push((key, value));
        self
    }

    /// The command that a user would type, for a service on its default port.
    pub fn curl(&self, port: u16) -> String {
        let method = if self.method == Method::GET { String::new() } else { format!("-X {} ", self.method) };
        let header: String = self.headers.iter().map(|(key, value)| format!("-H '{key}: {value}' ")).collect();
        let quote = if self.path.contains('?') { "'" } else { "" };
        format!("curl {method}{header}{quote}localhost:{port}{}{quote}", self.path)
    }
}

/// What came.
#[derive(Clone, Debug)]
pub struct Reply {
    /// The HTTP status.
    pub status: u16,
    /// The headers.
    pub headers: HeaderMap,
    /// The body, without its newline.
    pub body: String,
    /// From before the connect to the last byte.
    pub took: Duration,
}

impl Reply {
    /// The body as JSON; null if it is none.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_default()
    }
}

impl fmt::Display for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.status, self.body)
    }
}

/// Asks once, on a connection of its own. Errors: no connection, or no whole answer within 10 s.
pub async fn ask(to: SocketAddr, ask: &Ask) -> anyhow::Result<Reply> {
    ask_for(to, ask, ANSWER_TIMEOUT).await
}

/// The same; waits at most `within` for the answer.
pub async fn ask_for(to: SocketAddr, ask: &Ask, within: Duration) -> anyhow::Result<Reply> {
    let start = Instant::now();
    let answer = async {
        let stream = TcpStream::connect(to).await.with_context(|| format!("cannot connect to {to}"))?;
        exchange(stream, ask).await
    };
    let reply = timeout(within, answer).await.with_context(|| format!("no answer in {} ms", within.as_millis()))??;
    Ok(Reply { took: start.elapsed(), ..reply })
}

/// Asks over a connection that is there. Errors: no whole answer within 10 s.
pub async fn over(stream: TcpStream, ask: &Ask) -> anyhow::Result<Reply> {
    timeout(ANSWER_TIMEOUT, exchange(stream, ask)).await.context("no answer over HTTP")?
}

/// Asks every worker of the service at `to`, and each at least once: a new connection goes to the worker that has the fewest,
/// so twice as many as there are workers reach them all.
pub async fn ask_every_worker(to: SocketAddr, question: &Ask) -> Vec<anyhow::Result<Reply>> {
    let workers = thread::available_parallelism().map_or(1, usize::from);
    let connections = join_all((0..2 * workers).map(|_| TcpStream::connect(to))).await;
    join_all(connections.into_iter().map(async |connection| over(connection?, question).await)).await
}

/// A call over HTTP/1.1 that is cancelled where it is given up: its connection is reset. The plain end of a connection (FIN) would
/// only say that its caller sends no more.
pub struct Cancels(Option<Socket>);

impl Cancels {
    /// Cancels the call on `stream` when it is dropped. Errors: no file descriptor is left.
    pub fn call_on(stream: &TcpStream) -> io::Result<Self> {
        Ok(Cancels(Some(SockRef::from(stream).try_clone()?)))
    }

    /// The answer is there: nothing is left to cancel.
    pub fn answered(mut self) {
        self.0 = None;
    }
}

impl Drop for Cancels {
    fn drop(&mut self) {
        if let Some(socket) = &self.0 {
            let _ = socket.set_linger(Some(Duration::ZERO));
        }
    }
}

async fn exchange(stream: TcpStream, ask: &Ask) -> anyhow::Result<Reply> {
    let start = Instant::now();
    let cancels = Cancels::call_on(&stream)?;
    let host = stream.peer_addr()?.to_string();
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    let mut request = Request::builder().method(&ask.method).uri(ask.path).header("host", host);
    for (key, value) in &ask.headers {
        request = request.header(*key, *value);
    }
    let answer = async move {
        let (head, body) = sender.send_request(request.body(Empty::<Bytes>::new())?).await?.into_parts();
        let body = String::from_utf8_lossy(&body.collect().await?.to_bytes()).trim_end().to_owned();
        Ok(Reply { status: head.status.as_u16(), headers: head.headers, body, took: start.elapsed() })
    };
    // The connection moves the bytes; it is over once the sender is dropped.
    let reply = tokio::join!(answer, connection).0;
    cancels.answered();
    reply
}
