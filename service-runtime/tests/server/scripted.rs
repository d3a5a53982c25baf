//! A chat service that does what the metadata `script` of a call says, and the ways to start and to call it.

use std::{net::SocketAddr, pin::Pin, time::Duration};

use futures_util::{Stream, StreamExt as _, stream};
use service_runtime::{Identity, Server, ServerConfig, Services, Shutdown, origin::Origin, shutdown::Trigger};
use tokio::{net::TcpListener, sync::mpsc, task::JoinHandle};
use tonic::{Code, Request, Response, Status, Streaming, codec::CompressionEncoding, transport::Channel};
use tonic_types::{ErrorDetails, StatusExt as _};

pub use crate::chat::{
    DESCRIPTORS, Line, ListenRequest, Receipt, chat_client::ChatClient, chat_server, chat_server::ChatServer,
};

/// Far beyond what anything here takes on a busy machine.
pub const LONG: Duration = Duration::from_secs(20);

/// The service, and what tests look at.
#[derive(Clone)]
pub struct Scripted {
    /// Told when a stream or a call is dropped before its end.
    dropped: mpsc::UnboundedSender<()>,
}

type Lines = Pin<Box<dyn Stream<Item = Result<Line, Status>> + Send>>;

pub fn line(text: &str) -> Line {
    Line { name: "test".into(), text: text.into() }
}

fn script<T>(request: &Request<T>) -> String {
    request.metadata().get("script").map_or(String::new(), |script| script.to_str().unwrap().to_owned())
}

/// Tells when it is dropped.
struct Guard(mpsc::UnboundedSender<()>);

impl Drop for Guard {
    fn drop(&mut self) {
        let _ = self.0.send(());
    }
}

#[tonic::async_trait]
impl chat_server::Chat for Scripted {
    async fn say(&self, request: Request<Line>) -> Result<Response<Receipt>, Status> {
        match script(&request).as_str() {
            "bare" => Err(Status::not_found("no such room")),
            "details" => {
                let details = ErrorDetails::with_bad_request_violation("name", "must be known");
                Err(Status::with_error_details(Code::InvalidArgument, "who are you?", details))
            }
            "opaque" => Err(Status::with_details(Code::Aborted, "x", b"\xff\xff".to_vec().into())),
            "addresses" => {
                let (remote, local) = (request.remote_addr().unwrap(), request.local_addr().unwrap());
                Err(Status::aborted(format!("{remote} {local}")))
            }
            "pending" => {
                let _guard = Guard(self.dropped.clone());
                std::future::pending().await
            }
            _ => Ok(Response::new(Receipt { lines: 1 })),
        }
    }

    type ListenStream = Lines;

    async fn listen(&self, request: Request<ListenRequest>) -> Result<Response<Lines>, Status> {
        let one = stream::iter([Ok(line("one"))]);
        let lines: Lines = match script(&request).as_str() {
            "error" => Box::pin(one.chain(stream::iter([Err(Status::data_loss("the rest is lost"))]))),
            other => return Err(Status::invalid_argument(other.to_owned())),
        };
        Ok(Response::new(lines))
    }

    async fn dictate(&self, request: Request<Streaming<Line>>) -> Result<Response<Receipt>, Status> {
        let (mut said, mut lines) = (request.into_inner(), 0);
        while said.message().await?.is_some() {
            lines += 1;
        }
        Ok(Response::new(Receipt { lines }))
    }

    type TalkStream = Lines;

    /// Gives each line back. With `script: deaf` it never reads any.
    async fn talk(&self, request: Request<Streaming<Line>>) -> Result<Response<Lines>, Status> {
        let deaf = script(&request) == "deaf";
        let said = request.into_inner();
        let lines: Lines = if deaf { Box::pin(stream::pending().chain(said)) } else { Box::pin(said) };
        Ok(Response::new(lines))
    }
}

/// A server that runs, and how to end it.
pub struct Running {
    pub address: SocketAddr,
    /// Kept: a server whose trigger is gone is never asked to drain, and that is as well.
    pub _trigger: Trigger,
    pub served: JoinHandle<anyhow::Result<()>>,
    pub dropped: mpsc::UnboundedReceiver<()>,
}

/// A configuration for one worker, changed by `change`.
pub fn config(change: impl FnOnce(&mut ServerConfig)) -> ServerConfig {
    let mut config = ServerConfig::default();
    config.instance = Some("1".into());
    change(&mut config);
    config
}

pub fn identity() -> Identity {
    Identity::new("chatter", "chat.v1")
}

pub fn server(config: ServerConfig) -> Server {
    crate::log::install();
    Server::new(identity(), DESCRIPTORS).config(config)
}

/// Starts a server in this runtime, whose service may accept `gzip`.
macro_rules! start {
    ($server:expr) => {
        crate::scripted::start!($server, None)
    };
    ($server:expr, $encoding:expr) => {{
        let (listener, trigger, shutdown, scripted, dropped) = crate::scripted::parts().await;
        let address = listener.local_addr().unwrap();
        let services = move |_: &service_runtime::server::Worker| scripted.services($encoding);
        let served = tokio::spawn($server.serve_here(listener, services, shutdown));
        crate::scripted::Running { address, _trigger: trigger, served, dropped }
    }};
}
pub(crate) use start;

pub type Parts = (TcpListener, Trigger, Shutdown, Scripted, mpsc::UnboundedReceiver<()>);

pub async fn parts() -> Parts {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (trigger, shutdown) = Shutdown::new();
    let (scripted, dropped) = Scripted::new();
    (listener, trigger, shutdown, scripted, dropped)
}

impl Scripted {
    pub fn new() -> (Self, mpsc::UnboundedReceiver<()>) {
        let (dropped, hears) = mpsc::unbounded_channel();
        (Scripted { dropped }, hears)
    }

    pub fn services(&self, encoding: Option<CompressionEncoding>) -> Services {
        let chat = ChatServer::new(self.clone()).max_decoding_message_size(usize::MAX);
        Services::new().add(encoding.into_iter().fold(chat, ChatServer::accept_compressed))
    }
}

impl Running {
    pub async fn client(&self) -> ChatClient<Channel> {
        client_of(self.address).await
    }
}

/// A client with a connection of its own.
pub async fn client_of(address: SocketAddr) -> ChatClient<Channel> {
    ChatClient::new(Channel::from_shared(format!("http://{address}")).unwrap().connect().await.unwrap())
}

/// A request with a script.
pub fn scripted<T>(script: &'static str, message: T) -> Request<T> {
    let mut request = Request::new(message);
    request.metadata_mut().insert("script", script.parse().unwrap());
    request
}

/// The same with an id to find its log line by.
pub fn named<T>(mut request: Request<T>, id: &'static str) -> Request<T> {
    request.metadata_mut().insert("x-request-id", id.parse().unwrap());
    request
}

/// Code and reason of a failure.
pub fn failure(status: &Status) -> (Code, String) {
    let origin = Origin::of(status).unwrap_or_default();
    (status.code(), origin.reason)
}

/// What a call failed with.
pub fn failed<T: std::fmt::Debug>(result: Result<T, Status>) -> (Code, String) {
    failure(&result.unwrap_err())
}
