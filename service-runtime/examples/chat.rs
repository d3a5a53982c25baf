//! A chat room: all four kinds of method, a state that all workers share, and streams that end by themselves when a drain begins.
//!
//!     cargo run -p service-runtime --example chat
//!     grpcurl -plaintext 127.0.0.1:8091 chat.v1.Chat/Listen
//!     grpcurl -plaintext -d '{"name": "you", "text": "hello"}' 127.0.0.1:8091 chat.v1.Chat/Say
//!
//! It starts without flags, in a runtime of its own: what `cli::run` does, step by step.

#[path = "generated/chat.rs"]
mod chat;

use std::{net::SocketAddr, pin::Pin};

use chat::{DESCRIPTORS, Line, ListenRequest, Receipt, chat_server};
use futures_util::{Stream, StreamExt as _, stream};
use service_runtime::{
    Identity, Server, Services, Shutdown, process,
    server::Draining,
    telemetry::{self, LogConfig},
};
use tokio::sync::broadcast;
use tonic::{Request, Response, Status, Streaming};

/// Lines that a listener may be behind before it misses some.
const BACKLOG: usize = 256;

struct Chat {
    room: broadcast::Sender<Line>,
    draining: Draining,
}

type Lines = Pin<Box<dyn Stream<Item = Result<Line, Status>> + Send>>;

impl Chat {
    /// What is said from now on.
    fn heard(&self) -> Lines {
        Box::pin(stream::unfold(self.room.subscribe(), |mut room| async {
            let line = room.recv().await.map_err(|_| Status::data_loss("you read too slowly, and missed lines"));
            Some((line, room))
        }))
    }

    /// The same lines, until a drain begins: then the stream ends with OK.
    fn until_drain(&self, lines: impl Stream<Item = Result<Line, Status>> + Send + 'static) -> Response<Lines> {
        let draining = self.draining.clone();
        Response::new(Box::pin(lines.take_until(Box::pin(async move { draining.begun().await }))))
    }
}

#[tonic::async_trait]
impl chat_server::Chat for Chat {
    async fn say(&self, request: Request<Line>) -> Result<Response<Receipt>, Status> {
        // It fails where there is no listener, which is no failure of the call.
        let _ = self.room.send(request.into_inner());
        Ok(Response::new(Receipt { lines: 1 }))
    }

    type ListenStream = Lines;

    async fn listen(&self, _: Request<ListenRequest>) -> Result<Response<Lines>, Status> {
        Ok(self.until_drain(self.heard()))
    }

    async fn dictate(&self, request: Request<Streaming<Line>>) -> Result<Response<Receipt>, Status> {
        let (mut said, mut lines) = (request.into_inner(), 0);
        while let Some(line) = said.message().await? {
            let _ = self.room.send(line);
            lines += 1;
        }
        Ok(Response::new(Receipt { lines }))
    }

    type TalkStream = Lines;

    async fn talk(&self, request: Request<Streaming<Line>>) -> Result<Response<Lines>, Status> {
        let room = self.room.clone();
        // Polled with the answer, so that it ends with it; what fails in the request fails the answer.
        let said = request.into_inner().filter_map(move |line| {
            let said = line.map(|line| drop(room.send(line)));
            std::future::ready(said.err().map(Err))
        });
        Ok(self.until_drain(stream::select(self.heard(), said)))
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    let _flush_at_exit = telemetry::install("chat", &LogConfig::default())?;
    process::raise_descriptor_limit();
    let listen: SocketAddr = std::env::args().nth(1).as_deref().unwrap_or("127.0.0.1:8091").parse()?;
    let (room, _) = broadcast::channel(BACKLOG);
    Server::new(Identity::new("chat", "chat.v1"), DESCRIPTORS)
        .serve(
            listen,
            move |worker| {
                let chat = Chat { room: room.clone(), draining: worker.draining() };
                Services::new().add(chat_server::ChatServer::new(chat))
            },
            Shutdown::on_signals()?,
        )
        .await
}
