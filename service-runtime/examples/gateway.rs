//! A service that calls two peers, behind a layer that knows its callers; and passes a stream on, both ways.
//!
//!     cargo run -p service-runtime --features cli --example hello     # on 8090
//!     cargo run -p service-runtime --example chat                     # on 8091
//!     cargo run -p service-runtime --features cli --example gateway
//!     grpcurl -plaintext -H 'authorization: Bearer sesame' -d '{"name": "you"}' 127.0.0.1:8095 gateway.v1.Gateway/Enter

#[path = "generated/chat.rs"]
mod chat;
#[path = "generated/gateway.rs"]
mod gateway;
#[path = "generated/hello.rs"]
mod hello;

use std::{future::ready, pin::Pin, process::ExitCode};

use chat::chat_client::ChatClient;
use futures_util::{Stream, StreamExt as _, stream};
use gateway::{EnterReply, EnterRequest, Line, gateway_server};
use hello::{HelloRequest, greeter_client::GreeterClient};
use service_runtime::{
    Address, Identity, Peer, Server, Services, Shutdown, cli,
    client::{Target, Upstream, UpstreamConfig, WorkerUpstream},
    context::Context,
    server::Worker,
};
use tokio::sync::oneshot;
use tonic::{Request, Response, Status, Streaming, service::InterceptorLayer};

struct Gateway {
    greeter: WorkerUpstream,
    chat: WorkerUpstream,
}

#[tonic::async_trait]
impl gateway_server::Gateway for Gateway {
    /// Calls both, within its caller's deadline. If one fails, the status names it: UNAVAILABLE, `GREETER_UNREACHABLE`.
    async fn enter(&self, request: Request<EnterRequest>) -> Result<Response<EnterReply>, Status> {
        let context = Context::of(&request);
        let name = request.into_inner().name;
        let mut greeter = GreeterClient::new(self.greeter.channel(&context));
        let greeted = greeter.hello(HelloRequest { name: name.clone() }).await;
        let greeting = self.greeter.checked(&context, greeted)?.into_inner().greeting;
        let mut chat = ChatClient::new(self.chat.channel(&context));
        let said = chat.say(chat::Line { name, text: "has come".into() }).await;
        self.chat.checked(&context, said)?;
        Ok(Response::new(EnterReply { greeting }))
    }

    type TalkStream = Pin<Box<dyn Stream<Item = Result<Line, Status>> + Send>>;

    /// A caller that cancels, or whose deadline passes, drops the answer, and with it the call to the peer. A line is taken from
    /// either side only when the other side takes it.
    async fn talk(&self, request: Request<Streaming<Line>>) -> Result<Response<Self::TalkStream>, Status> {
        let context = Context::of(&request);
        let (said, failure) = lines(request.into_inner());
        let heard = ChatClient::new(self.chat.channel(&context)).talk(said).await;
        let heard = self.chat.checked(&context, heard)?.into_inner();
        let chat = self.chat.clone();
        let heard = heard.map(move |line| {
            let chat::Line { name, text } = chat.checked(&context, line)?;
            Ok(Line { name, text })
        });
        // Where the caller's own stream has failed, the peer saw no more than its end.
        let failure = stream::once(failure).filter_map(|failure| ready(failure.ok().map(Err)));
        Ok(Response::new(Box::pin(heard.chain(failure))))
    }
}

/// What our caller says, up to the first failure; and that.
fn lines(said: Streaming<Line>) -> (impl Stream<Item = chat::Line> + Send + 'static, oneshot::Receiver<Status>) {
    let (fails, failure) = oneshot::channel();
    let lines = said.scan(Some(fails), |fails, line| {
        ready(match line {
            Ok(Line { name, text }) => Some(chat::Line { name, text }),
            Err(status) => {
                drop(fails.take().map(|fails| fails.send(status)));
                None
            }
        })
    });
    (lines, failure)
}

/// The layer: any of tower's would do. It is not asked for health and reflection.
fn knows_the_word(request: Request<()>) -> Result<Request<()>, Status> {
    let word = request.metadata().get("authorization").map(tonic::metadata::MetadataValue::as_bytes);
    if word == Some(b"Bearer sesame") { Ok(request) } else { Err(Status::unauthenticated("say the word")) }
}

/// The way to a greeter and a chat room.
#[derive(clap::Parser)]
struct Args {
    /// Where to listen
    #[arg(long, default_value = "127.0.0.1:8095", value_parser = cli::address)]
    listen: Address,
    /// Where the greeter is
    #[arg(long, default_value = "http://127.0.0.1:8090")]
    greeter: Target,
    /// Where the chat room is
    #[arg(long, default_value = "http://127.0.0.1:8091")]
    chat: Target,
    #[command(flatten)]
    server: cli::ServerFlags,
}

fn main() -> ExitCode {
    let identity = Identity::new("gateway", "gateway.v1");
    cli::run(&identity.clone(), "GATEWAY", |args: Args, shutdown: Shutdown| async move {
        let listener = args.server.bind(args.listen)?;
        // One for the process, and in the factory one for each worker.
        let greeter = Peer::new("greeter").descriptors(hello::DESCRIPTORS);
        let greeter = Upstream::new(greeter, UpstreamConfig::new(vec![args.greeter]))?;
        let chat = Peer::new("chat").descriptors(chat::DESCRIPTORS);
        let chat = Upstream::new(chat, UpstreamConfig::new(vec![args.chat]))?;
        let services = move |worker: &Worker| {
            let gateway = Gateway { greeter: greeter.on(worker), chat: chat.on(worker) };
            Services::new().add(gateway_server::GatewayServer::new(gateway))
        };
        let server = Server::new(identity, gateway::DESCRIPTORS).config(args.server.into());
        server.layer(InterceptorLayer::new(knows_the_word)).serve(listener, services, shutdown).await
    })
}
