//! Service A: echoes. What it promises stands in `proto/echo.proto`; how it fails is the runtime's work.

pub mod process;

mod json;

use echo_proto::{
    EchoRequest, EchoResponse, Health,
    echo_service_server::{EchoService, EchoServiceServer},
    health_service_server::HealthServiceServer,
};
use service_runtime::{Identity, Server, Services, server::Worker};
use tonic::{Request, Response, Status};

/// Who A is.
pub fn identity() -> Identity {
    Identity::new("service-a", echo_proto::PACKAGE).with_log_name("A")
}

/// A, as it is before it serves.
pub fn server() -> Server {
    Server::new(identity(), echo_proto::DESCRIPTORS).json(json::routes())
}

/// What one worker serves.
pub fn services(worker: &Worker) -> Services {
    // The runtime holds the limit of sizes, and answers with the right code; tonic would say OUT_OF_RANGE.
    let echo = EchoServiceServer::new(Echo).max_decoding_message_size(usize::MAX);
    Services::new().add(echo).add(HealthServiceServer::new(Health(worker.serving())))
}

struct Echo;

#[tonic::async_trait]
impl EchoService for Echo {
    async fn echo(&self, request: Request<EchoRequest>) -> Result<Response<EchoResponse>, Status> {
        Ok(Response::new(EchoResponse { echo: request.into_inner().msg }))
    }
}
