//! One gRPC call as raw HTTP/2: the deadline goes out as it is written, and no clock of the caller's runs beside B's.

use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};

use anyhow::Context as _;
use bytes::Bytes;
use echo_proto::{CallEchoRequest, CallEchoResponse};
use http::{HeaderMap, Request};
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http2::{self, SendRequest};
use hyper_util::rt::{TokioExecutor, TokioIo};
use prost::Message;
use tokio::{net::TcpStream, task::AbortHandle, time::timeout};
use tonic::Status;

/// A flag and a length before the message.
const FRAME_HEADER: usize = 5;

/// A connection that calls are made on. Dropped, it is closed, and its calls are cancelled.
pub struct Caller {
    sender: SendRequest<Full<Bytes>>,
    address: SocketAddr,
    connection: AbortHandle,
}

/// What came, by the book or not.
#[derive(Debug)]
pub struct Reply {
    /// The status, OK included.
    pub status: Status,
    /// Response headers and trailers together.
    pub headers: HeaderMap,
    /// The text that A echoed.
    pub echo: Option<String>,
    /// From the request to the last byte.
    pub took: Duration,
}

impl Caller {
    /// Connects. Errors: nobody takes the connection within `patience`.
    pub async fn connect(address: SocketAddr, patience: Duration) -> anyhow::Result<Self> {
        let stream = timeout(patience, TcpStream::connect(address)).await??;
        stream.set_nodelay(true)?;
        let (sender, connection) = http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await?;
        let connection = tokio::spawn(connection).abort_handle();
        Ok(Caller { sender, address, connection })
    }

    /// Calls CallEcho. Errors: no whole answer within `patience`, or one without a status.
    pub async fn call_echo(&self, msg: &str, headers: &[(&str, &str)], patience: Duration) -> anyhow::Result<Reply> {
        let request = self.request(msg, headers)?;
        let reply = timeout(patience, exchange(self.sender.clone(), request)).await;
        reply.with_context(|| format!("no answer in {} ms", patience.as_millis()))?
    }

    fn request(&self, msg: &str, headers: &[(&str, &str)]) -> anyhow::Result<Request<Full<Bytes>>> {
        let mut request = Request::post(format!("http://{}/echo.v1.CallEchoService/CallEcho", self.address))
            .header("content-type", "application/grpc")
            .header("te", "trailers");
        for (key, value) in headers {
            request = request.header(*key, *value);
        }
        let message = CallEchoRequest { msg: msg.into() }.encode_to_vec();
        let length = u32::try_from(message.len())?.to_be_bytes();
        Ok(request.body(Full::new([&[0], &length[..], &message].concat().into()))?)
    }
}

impl Drop for Caller {
    fn drop(&mut self) {
        self.connection.abort();
    }
}

async fn exchange(mut sender: SendRequest<Full<Bytes>>, request: Request<Full<Bytes>>) -> anyhow::Result<Reply> {
    let start = Instant::now();
    sender.ready().await?;
    let (head, body) = sender.send_request(request).await?.into_parts();
    let body = body.collect().await?;
    let mut headers = head.headers;
    headers.extend(body.trailers().cloned().unwrap_or_default());
    let status = Status::from_header_map(&headers).context("an answer without a status")?;
    let message = body.to_bytes();
    let reply = message.get(FRAME_HEADER..).and_then(|message| CallEchoResponse::decode(message).ok());
    let echo = reply.and_then(|reply| reply.service_a).map(|reply| reply.echo);
    Ok(Reply { status, headers, echo, took: start.elapsed() })
}
