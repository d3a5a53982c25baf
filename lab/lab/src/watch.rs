//! A Watch of gRPC's standard health service, from its first state to its end.

use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};

use anyhow::Context as _;
use bytes::Bytes;
use http::{HeaderMap, Request};
use http_body_util::{BodyExt, Full};
use hyper::{body::Incoming, client::conn::http2};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::{net::TcpStream, task::JoinHandle, time::timeout};
use tonic::{Code, Status};

/// `HealthCheckResponse` with SERVING, with gRPC's five bytes before it.
const SERVING: &[u8] = &[0, 0, 0, 0, 2, 8, 1];
/// The same with NOT_SERVING.
const NOT_SERVING: &[u8] = &[0, 0, 0, 0, 2, 8, 2];
/// An answer that takes longer is none.
const PATIENCE: Duration = Duration::from_secs(10);

/// An open Watch of a process that serves.
pub struct Watch {
    body: Incoming,
    connection: JoinHandle<hyper::Result<()>>,
    _sender: http2::SendRequest<Full<Bytes>>,
}

/// How a Watch ended.
#[derive(Debug)]
pub struct Told {
    /// NOT_SERVING, and when.
    pub not_serving: Option<Instant>,
    /// The status at the end, and when.
    pub end: Option<(Code, Instant)>,
}

impl Told {
    /// NOT_SERVING, then UNAVAILABLE: a drain, as the contract has it.
    pub fn is_drained(&self) -> bool {
        self.not_serving.is_some() && self.end.is_some_and(|(code, _)| code == Code::Unavailable)
    }
}

impl Watch {
    /// Opens it, and waits for its first state. Errors: that is not SERVING.
    pub async fn open(at: SocketAddr) -> anyhow::Result<Watch> {
        let stream = TcpStream::connect(at).await?;
        stream.set_nodelay(true)?;
        let (mut sender, connection) = http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await?;
        let connection = tokio::spawn(connection);
        let request = Request::post(format!("http://{at}/grpc.health.v1.Health/Watch"))
            .header("content-type", "application/grpc")
            .header("te", "trailers")
            .body(Full::new(Bytes::from_static(&[0; 5])))?;
        let response = timeout(PATIENCE, sender.send_request(request)).await.context("no answer to a Watch")??;
        let mut watch = Watch { body: response.into_body(), connection, _sender: sender };
        let first = timeout(PATIENCE, watch.next()).await.context("no first state")?;
        anyhow::ensure!(first.is_some_and(|first| first.is_ok_and(|state| state == SERVING)), "it is not SERVING");
        Ok(watch)
    }

    /// Waits for its end.
    pub async fn told(mut self) -> Told {
        let mut told = Told { not_serving: None, end: None };
        loop {
            match timeout(PATIENCE, self.next()).await {
                Ok(Some(Ok(state))) if state == NOT_SERVING => told.not_serving = Some(Instant::now()),
                Ok(Some(Err(trailers))) => {
                    told.end = Status::from_header_map(&trailers).map(|status| (status.code(), Instant::now()));
                }
                Ok(Some(Ok(_))) => {}
                Ok(None) | Err(_) => return told,
            }
        }
    }

    /// The next state, or the trailers; `None` when there is no more.
    async fn next(&mut self) -> Option<Result<Bytes, HeaderMap>> {
        let frame = self.body.frame().await?.ok()?;
        Some(frame.into_data().map_err(|frame| frame.into_trailers().unwrap_or_default()))
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.connection.abort();
    }
}
