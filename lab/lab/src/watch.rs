//! A Watch of gRPC's standard health service, from its first state to its end.

use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};

use anyhow::Context as _;
use bytes::Bytes;
use hostile_peer::frame::MESSAGE_HEAD;
use http::HeaderMap;
use http_body_util::BodyExt;
use hyper::body::Incoming;
use service_runtime::status::of_headers;
use tokio::time::timeout;
use tonic::Code;

use crate::grpc::GrpcClient;

/// `HealthCheckResponse` with SERVING.
const SERVING: &[u8] = &[8, 1];
/// The same with NOT_SERVING.
const NOT_SERVING: &[u8] = &[8, 2];
/// How long to wait for each state, and for the end.
const STATE_TIMEOUT: Duration = Duration::from_secs(10);

/// An open Watch of a process that serves.
pub struct Watch {
    body: Incoming,
    _client: GrpcClient,
}

/// How a Watch ended.
#[derive(Debug)]
pub struct WatchEnd {
    /// NOT_SERVING, and when.
    pub not_serving: Option<Instant>,
    /// The status at the end, and when.
    pub end: Option<(Code, Instant)>,
}

impl WatchEnd {
    /// NOT_SERVING, then UNAVAILABLE: a drain, as the contract has it.
    pub fn is_drained(&self) -> bool {
        self.not_serving.is_some() && self.end.is_some_and(|(code, _)| code == Code::Unavailable)
    }
}

impl Watch {
    /// Opens it, and waits for its first state. Errors: that is not SERVING.
    pub async fn open(at: SocketAddr) -> anyhow::Result<Watch> {
        let client = GrpcClient::connect(at, STATE_TIMEOUT).await?;
        let response = timeout(STATE_TIMEOUT, client.call("/grpc.health.v1.Health/Watch", &[], &[]));
        let body = response.await.context("no answer to a Watch")??.into_body();
        let mut watch = Watch { body, _client: client };
        let first = timeout(STATE_TIMEOUT, watch.next()).await.context("no first state")?;
        anyhow::ensure!(first.is_some_and(|first| first.is_ok_and(|state| state == SERVING)), "it is not SERVING");
        Ok(watch)
    }

    /// Waits for its end.
    pub async fn end(mut self) -> WatchEnd {
        let mut watched = WatchEnd { not_serving: None, end: None };
        loop {
            match timeout(STATE_TIMEOUT, self.next()).await {
                Ok(Some(Ok(state))) if state == NOT_SERVING => watched.not_serving = Some(Instant::now()),
                Ok(Some(Err(trailers))) => {
                    watched.end = of_headers(&trailers).map(|status| (status.code(), Instant::now()));
                }
                Ok(Some(Ok(_))) => {}
                Ok(None) | Err(_) => return watched,
            }
        }
    }

    /// The next state, or the trailers; `None` when there is no more.
    async fn next(&mut self) -> Option<Result<Bytes, HeaderMap>> {
        let frame = self.body.frame().await?.ok()?;
        Some(
            frame
                .into_data()
                .map(|data| data.slice(data.len().min(MESSAGE_HEAD)..))
                .map_err(|frame| frame.into_trailers().unwrap_or_default()),
        )
    }
}
