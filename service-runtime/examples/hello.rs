//! A whole service on the runtime: gRPC, JSON, health, reflection, deadlines, limits, log, flags and drain.
//!
//!     cargo run -p service-runtime --features cli --example hello -- --listen 127.0.0.1:8090
//!     curl 'http://127.0.0.1:8090/hello?name=you'

#[path = "generated/hello.rs"]
mod hello;

use std::process::ExitCode;

use hello::{DESCRIPTORS, HelloReply, HelloRequest, greeter_server};
use service_runtime::{Address, Identity, Server, Services, Shutdown, cli, json::Route};
use tonic::{Request, Response, Status};

struct Greeter;

#[tonic::async_trait]
impl greeter_server::Greeter for Greeter {
    async fn hello(&self, request: Request<HelloRequest>) -> Result<Response<HelloReply>, Status> {
        let name = request.into_inner().name;
        let name = if name.is_empty() { "world" } else { &name };
        assert!(name != "panic", "a handler that panics costs its own call only");
        Ok(Response::new(HelloReply { greeting: format!("hello, {name}") }))
    }
}

/// Greets, over gRPC and as JSON over HTTP.
#[derive(clap::Parser)]
struct Args {
    /// Where to listen
    #[arg(long, default_value = "127.0.0.1:8090", value_parser = cli::address)]
    listen: Address,
    #[command(flatten)]
    server: cli::ServerFlags,
}

fn main() -> ExitCode {
    let identity = Identity::new("hello", "hello.v1");
    cli::run(&identity.clone(), "HELLO", |args: Args, shutdown: Shutdown| async move {
        let curl = Route::get(
            "/hello",
            "/hello.v1.Greeter/Hello",
            |query| HelloRequest { name: query.text("name") },
            |reply: HelloReply| serde_json::json!({"greeting": reply.greeting}),
        );
        let server = Server::new(identity, DESCRIPTORS).json([curl]);
        let listener = args.server.bind(args.listen)?;
        // The runtime holds the limit of `--max-message-size`; that of the generated code is 4 MiB.
        let greeter = || greeter_server::GreeterServer::new(Greeter).max_decoding_message_size(usize::MAX);
        let services = move |_: &_| Services::new().add(greeter());
        server.config(args.server.into()).serve(listener, services, shutdown).await
    })
}
