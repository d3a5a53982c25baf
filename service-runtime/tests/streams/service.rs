//! A service with a method of each kind, whose streams do what the test says, and a server for it in the test's own runtime.

use std::{
    net::SocketAddr,
    pin::Pin,
    task::{Context, Poll, ready},
};

use futures_util::Stream;
use service_runtime::{
    Identity, InProcess, Server, ServerConfig, Services, Shutdown,
    server::{Draining, Worker},
    shutdown::Trigger,
};
use tokio::{net::TcpListener, sync::mpsc, task::JoinHandle};
use tonic::{Request, Response, Status, Streaming, codec::CompressionEncoding};

use crate::{
    caller::soon,
    generated::{DESCRIPTORS, Item, streams_server},
};

/// What a handler's stream does next.
pub enum Act {
    /// Sends an item with this content.
    Send(Vec<u8>),
    /// Panics.
    Panic,
}

/// A call of `Download`, in the hands of the test. Dropped, its stream ends with OK.
pub struct Download {
    /// At most one act waits; what is sent beyond that the stream has taken.
    pub acts: mpsc::Sender<Act>,
    /// What the handler can see of a drain.
    pub draining: Draining,
}

type Downloads = mpsc::UnboundedReceiver<Download>;
type Ended = mpsc::UnboundedReceiver<&'static str>;

/// The service; each server has one.
#[derive(Clone)]
struct Handlers {
    downloads: mpsc::UnboundedSender<Download>,
    ended: mpsc::UnboundedSender<&'static str>,
    draining: Draining,
}

/// Says that a handler is no more: it ended, or it was dropped.
struct Ends(&'static str, mpsc::UnboundedSender<&'static str>);

impl Drop for Ends {
    fn drop(&mut self) {
        let _ = self.1.send(self.0);
    }
}

/// The stream of `Download`.
pub struct Acts(mpsc::Receiver<Act>);

impl Stream for Acts {
    type Item = Result<Item, Status>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        Poll::Ready(ready!(self.0.poll_recv(cx)).map(|act| match act {
            Act::Send(content) => Ok(Item { content }),
            Act::Panic => panic!("because the test says so"),
        }))
    }
}

/// The stream of `Chat`: what comes in goes out, a failure too.
pub struct Echoes(Streaming<Item>, #[expect(dead_code, reason = "it is there to be dropped")] Ends);

impl Stream for Echoes {
    type Item = Result<Item, Status>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        Pin::new(&mut self.0).poll_next(cx)
    }
}

#[tonic::async_trait]
impl streams_server::Streams for Handlers {
    async fn echo(&self, request: Request<Item>) -> Result<Response<Item>, Status> {
        Ok(Response::new(request.into_inner()))
    }

    /// Answers how many items there were, as text; at one that says `wait` it reads no more, and never answers.
    async fn upload(&self, request: Request<Streaming<Item>>) -> Result<Response<Item>, Status> {
        let _ends = Ends("Upload", self.ended.clone());
        let (mut items, mut count) = (request.into_inner(), 0);
        while let Some(item) = items.message().await? {
            if item.content == b"wait" {
                std::future::pending::<()>().await;
            }
            count += 1;
        }
        Ok(Response::new(Item { content: count.to_string().into_bytes() }))
    }

    type DownloadStream = Acts;

    async fn download(&self, _: Request<Item>) -> Result<Response<Acts>, Status> {
        let (acts, stream) = mpsc::channel(1);
        let download = Download { acts, draining: self.draining.clone() };
        self.downloads.send(download).map_err(|_| Status::aborted("the test is over"))?;
        Ok(Response::new(Acts(stream)))
    }

    type ChatStream = Echoes;

    async fn chat(&self, request: Request<Streaming<Item>>) -> Result<Response<Echoes>, Status> {
        Ok(Response::new(Echoes(request.into_inner(), Ends("Chat", self.ended.clone()))))
    }
}

/// A server with one worker in the runtime of the test.
pub struct Running {
    pub address: SocketAddr,
    /// Each call of `Download` that has reached its handler.
    pub downloads: Downloads,
    /// The name of each method of the caller's streams whose handler has ended.
    pub ended: Ended,
    pub shutdown: Trigger,
    pub served: JoinHandle<anyhow::Result<()>>,
}

/// A server as it is by default.
pub async fn serve() -> Running {
    serve_with(|_| {}, None).await
}

/// Makes the services of a worker, which take and send compressed messages where an encoding is given; and what the test gets to know
/// of their calls.
fn services(encoding: Option<CompressionEncoding>) -> (impl Fn(&Worker) -> Services + Send + Sync, Downloads, Ended) {
    let (to_downloads, downloads) = mpsc::unbounded_channel();
    let (to_ended, ended) = mpsc::unbounded_channel();
    let factory = move |worker: &Worker| {
        let handlers =
            Handlers { downloads: to_downloads.clone(), ended: to_ended.clone(), draining: worker.draining() };
        let mut server = streams_server::StreamsServer::new(handlers).max_decoding_message_size(usize::MAX);
        if let Some(encoding) = encoding {
            server = server.accept_compressed(encoding).send_compressed(encoding);
        }
        Services::new().add(server)
    };
    (factory, downloads, ended)
}

fn server(change: impl FnOnce(&mut ServerConfig)) -> Server {
    crate::log::install();
    let mut config = ServerConfig::default();
    change(&mut config);
    Server::new(Identity::new("streams", "streams.v1"), DESCRIPTORS).config(config)
}

/// The same server without a port.
pub struct InMemory {
    pub server: InProcess,
    pub downloads: Downloads,
    pub ended: Ended,
}

pub fn in_memory(change: impl FnOnce(&mut ServerConfig), encoding: Option<CompressionEncoding>) -> InMemory {
    let (factory, downloads, ended) = services(encoding);
    InMemory { server: server(change).in_process(factory).unwrap(), downloads, ended }
}

/// A server with another configuration, that takes compressed messages where an encoding is given, and then sends them too.
pub async fn serve_with(change: impl FnOnce(&mut ServerConfig), encoding: Option<CompressionEncoding>) -> Running {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (shutdown, asked) = Shutdown::new();
    let (factory, downloads, ended) = services(encoding);
    let served = tokio::spawn(server(change).serve_here(listener, factory, asked));
    Running { address, downloads, ended, shutdown, served }
}

impl Running {
    /// The next call of `Download`.
    pub async fn download(&mut self) -> Download {
        soon(self.downloads.recv()).await.unwrap()
    }
}
