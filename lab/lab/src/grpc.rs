//! gRPC calls as bare HTTP/2: the deadline goes out as it is written, and no clock of the caller's runs beside B's.

use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};

use anyhow::Context as _;
use bytes::Bytes;
use echo_proto::{CallEchoRequest, CallEchoResponse};
use hostile_peer::frame;
use http::{HeaderMap, Request, Response};
use http_body_util::{BodyExt, Full};
use hyper::{
    body::Incoming,
    client::conn::http2::{self, SendRequest},
};
use hyper_util::rt::{TokioExecutor, TokioIo};
use prost::Message;
use service_runtime::status::of_headers;
use tokio::{net::TcpStream, task::AbortHandle, time::timeout};
use tonic::Status;

/// The path of A's method.
pub const ECHO: &str = "/echo.v1.EchoService/Echo";
/// The path of B's method.
pub const CALL_ECHO: &str = "/echo.v1.CallEchoService/CallEcho";

/// A connection that calls are made on. Dropped, it is closed, and its calls are cancelled.
pub struct GrpcClient {
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

impl GrpcClient {
    /// Connects. Errors: the connection is not there within that time.
    pub async fn connect(address: SocketAddr, within: Duration) -> anyhow::Result<Self> {
        let stream = timeout(within, TcpStream::connect(address)).await??;
        stream.set_nodelay(true)?;
        let (sender, connection) = http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await?;
        let connection = tokio::spawn(connection).abort_handle();
        Ok(GrpcClient { sender, address, connection })
    }

    /// Calls CallEcho. Errors: no whole answer within that time, or one without a status.
    pub async fn call_echo(&self, msg: &str, headers: &[(&str, &str)], within: Duration) -> anyhow::Result<Reply> {
        let start = Instant::now();
        let message = CallEchoRequest { msg: msg.into() }.encode_to_vec();
        let reply = async { read(self.call(CALL_ECHO, headers, &message).await?, start).await };
        timeout(within, reply).await.with_context(|| format!("no answer in {} ms", within.as_millis()))?
    }

    /// Calls a method with one message, and returns once the response headers are there. Errors: the connection is gone.
    pub async fn call(
        &self,
        method: &str,
        headers: &[(&str, &str)],
        message: &[u8],
    ) -> anyhow::Result<Response<Incoming>> {
        let mut request = Request::post(format!("http://{}{method}", self.address))
            .header("content-type", "application/grpc")
            .header("te", "trailers");
        for (key, value) in headers {
            request = request.header(*key, *value);
        }
        let mut body = Vec::new();
        frame::put_message(&mut body, 0, message);
        let request = request.body(Full::new(body.into()))?;
        let mut sender = self.sender.clone();
        sender.ready().await?;
        Ok(sender.send_request(request).await?)
    }
}

impl Drop for GrpcClient {
    fn drop(&mut self) {
        self.connection.abort();
    }
}

async fn read(response: Response<Incoming>, start: Instant) -> anyhow::Result<Reply> {
    let (head, body) = response.into_parts();
    let body = body.collect().await?;
    let mut headers = head.headers;
    headers.extend(body.trailers().cloned().unwrap_or_default());
    let status = of_headers(&headers).context("an answer without a status")?;
    let message = body.to_bytes();
    let reply = message.get(frame::MESSAGE_HEAD..).and_then(|message| CallEchoResponse::decode(message).ok());
    let echo = reply.and_then(|reply| reply.service_a).map(|reply| reply.echo);
    Ok(Reply { status, headers, echo, took: start.elapsed() })
}
