//! The server that is asked: a worker with the service of the runtime's `examples/hello.rs`.

use hello::{HelloReply, HelloRequest, greeter_server};
use serde_json::json;
use service_runtime::{Identity, InProcess, Server, ServerConfig, Services, json::Route};
use tonic::{Request, Response, Status};

use super::targets::LIMIT;

#[path = "../../../service-runtime/examples/generated/hello.rs"]
pub mod hello;

struct Greeter;

#[tonic::async_trait]
impl greeter_server::Greeter for Greeter {
    /// Gives the name back, as it is.
    async fn hello(&self, request: Request<HelloRequest>) -> Result<Response<HelloReply>, Status> {
        Ok(Response::new(HelloReply { greeting: request.into_inner().name }))
    }
}

/// A worker without a listener.
pub fn greeter() -> InProcess {
    let mut config = ServerConfig::default();
    // As small as it takes for messages to be too large.
    config.max_message_size = LIMIT;
    config.instance = Some("me".into());
    config.reflection = false;
    let route = Route::get(
        "/hello",
        "/hello.v1.Greeter/Hello",
        |query| HelloRequest { name: query.text("name") },
        |reply: HelloReply| json!({"greeting": reply.greeting}),
    );
    let server = Server::new(Identity::new("hello", "hello.v1"), hello::DESCRIPTORS).config(config).json([route]);
    let services = Services::new().add(greeter_server::GreeterServer::new(Greeter));
    server.in_process(|_| services).expect("the descriptors are those of the service")
}
