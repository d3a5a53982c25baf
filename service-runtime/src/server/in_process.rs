//! A server without a port, for tests: each connection to it is a pair of byte streams in memory.

use std::{
    convert::Infallible,
    future::{Ready, ready},
    sync::{Arc, atomic::Ordering},
    task::{Context, Poll},
};

use http::Uri;
use hyper_util::rt::TokioIo;
use tokio::{
    io::{DuplexStream, duplex},
    sync::watch,
};
use tower::Service;

use super::{
    Server, Services, connection,
    shared::Shared,
    stack::Stack,
    worker::{Worker, assemble},
};
use crate::{
    layers::{
        Handle,
        user::{Around, NoLayers},
    },
    shutdown::Phase,
};

/// What is on its way on a connection, in each direction and in bytes: as much as a stream's window in HTTP/2.
const ON_ITS_WAY: usize = 64 * 1024;

/// A server that is reached without a port. Cheap to clone; with the last clone its connections end.
///
/// It is a [`Dial`](crate::client::Dial) for an `Upstream`, and a connector for tonic's `Endpoint::connect_with_connector`. Its layers, limits and
/// log are those of a server with a port. It opens no socket, so that a test of it can run on Tokio's paused clock.
pub struct InProcess<A: Around = NoLayers>(Arc<Inner<A>>);

struct Inner<A: Around> {
    stack: Arc<Stack<A>>,
    shared: Arc<Shared<A>>,
    /// Its end is the end of the server.
    phase: watch::Sender<Phase>,
}

impl<A: Around> Server<A> {
    /// One worker of this server without a listener, in the caller's own runtime.
    ///
    /// Errors: the configuration contradicts itself, services and descriptors do not fit together.
    pub fn in_process(self, factory: impl FnOnce(&Worker) -> Services) -> anyhow::Result<InProcess<A>> {
        let (shared, phase) = self.shared()?;
        let services = factory(&Worker::new(0, &shared));
        let stack = Arc::new(assemble(&shared, services)?);
        Ok(InProcess(Arc::new(Inner { stack, shared: Arc::new(shared), phase })))
    }
}

impl<A: Around> InProcess<A> {
    /// A new connection to it. Needs a Tokio runtime, which serves the other end.
    pub fn connect(&self) -> DuplexStream {
        let (ours, theirs) = duplex(ON_ITS_WAY);
        let (stack, shared) = (self.0.stack.clone(), self.0.shared.clone());

        tokio::spawn(async move { serve(theirs, &shared, stack).await });
        ours
    }

    /// Begins its drain: connections get GOAWAY, and what is in flight goes on.
    pub fn drain(&self) {
        self.0.phase.send_replace(Phase::Draining);
    }

    /// Calls in flight, without those of health and reflection.
    pub fn calls_in_flight(&self) -> usize {
        self.0.shared.calls.load(Ordering::Relaxed)
    }

    /// Serves one connection, whose calls `handler` takes: this worker, or something around it.
    #[cfg(feature = "harness")]
    pub async fn serve(&self, io: DuplexStream, handler: Arc<impl Handle>) -> usize {
        serve(io, &self.0.shared, handler).await
    }
}

async fn serve<A>(io: DuplexStream, shared: &Shared<A>, handler: Arc<impl Handle>) -> usize {
    let (window, lifetime) = (shared.config.stream_window(), shared.config.lifetime());
    connection::serve(io, None, handler, window, lifetime, shared.phases.clone()).await
}

impl<A: Around> Clone for InProcess<A> {
    fn clone(&self) -> Self {
        InProcess(self.0.clone())
    }
}

/// For `Endpoint::connect_with_connector`, whose address does not matter.
impl<A: Around> Service<Uri> for InProcess<A> {
    type Response = TokioIo<DuplexStream>;
    type Error = Infallible;
    type Future = Ready<Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Uri) -> Self::Future {
        ready(Ok(TokioIo::new(self.connect())))
    }
}

#[cfg(feature = "client")]
mod dial {
    use std::io;

    use super::{Around, InProcess};
    use crate::client::{BoxFuture, ByteStream, Dial, Endpoint};

    impl<A: Around> Dial for InProcess<A> {
        fn dial<'a>(&'a self, _: &'a Endpoint) -> BoxFuture<'a, io::Result<Box<dyn ByteStream>>> {
            Box::pin(async { Ok(Box::new(self.connect()) as _) })
        }
    }
}

#[cfg(feature = "harness")]
impl<A: Around> Handle for InProcess<A> {
    async fn handle(&self, request: http::Request<tonic::body::Body>) -> http::Response<tonic::body::Body> {
        self.0.stack.handle(request).await
    }
}
