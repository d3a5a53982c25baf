//! A channel over one connection, for clients that keep their connections themselves.

use std::{
    pin::Pin,
    task::{Context, Poll},
};

use http::{Request, Response};
use tonic::{Status, body::Body};
use tower::Service;

use super::{check, connection::Connection, whole::WholeBody};
use crate::grpc::Encoding;

/// A channel for unary calls whose every failure is a [`Status`] with a [`Cause`](crate::status::Cause) behind it.
#[derive(Clone)]
pub struct Checked {
    connection: Connection,
    max_message: usize,
}

impl Checked {
    /// Sends calls and takes answers of up to `max_message` bytes; once the connection is gone it fails for good.
    pub fn new(connection: Connection, max_message: usize) -> Self {
        Checked { connection, max_message }
    }
}

impl Service<Request<Body>> for Checked {
    type Response = Response<WholeBody>;
    type Error = Status;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Status>> + Send>>;

    /// Always ready: an error told here would lose its type in tonic's generated code.
    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Status>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let Checked { connection, max_message } = self.clone();
        Box::pin(async move { check::whole(connection.send(request).await?, max_message, Encoding::Identity).await })
    }
}
