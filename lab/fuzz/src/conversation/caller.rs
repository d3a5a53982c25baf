//! A caller who does nothing wrong, and is served whatever others do.

use std::time::Duration;

use bytes::Bytes;
use http::Request;
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http2::{SendRequest, handshake};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::{io::DuplexStream, time::timeout};

/// A good call takes no time at all on a clock that stands still while there is work.
const AT_ONCE: Duration = Duration::from_millis(10);

/// One connection, kept open.
pub struct Caller(SendRequest<Full<Bytes>>);

impl Caller {
    pub async fn on(client: DuplexStream) -> Self {
        let (sender, connection) = handshake(TokioExecutor::new(), TokioIo::new(client)).await.unwrap();
        tokio::spawn(connection);
        Caller(sender)
    }

    /// Makes a call. Errors: what came instead of its answer.
    pub async fn call(&mut self) -> Result<(), String> {
        let request = Request::post("http://a/hello.v1.Greeter/Hello").header("content-type", "application/grpc");
        let request = request.body(Full::from(&b"\0\0\0\0\x05\n\x03you"[..])).unwrap();
        let answer = async {
            let body = self.0.send_request(request).await?.into_body().collect().await?;
            Ok::<_, hyper::Error>((body.trailers().and_then(|all| all.get("grpc-status").cloned()), body.to_bytes()))
        };
        match timeout(AT_ONCE, answer).await {
            Ok(Ok((Some(status), body))) if status == "0" && body == b"\0\0\0\0\x05\n\x03you"[..] => Ok(()),
            other => Err(format!("{other:?}")),
        }
    }
}
