//! Service B: calls service A, and says what became of it. The failures of the call are the runtime's work.

pub mod process;

mod json;

use echo_proto::{
    CallEchoRequest, CallEchoResponse, EchoRequest, Health,
    call_echo_service_server::{CallEchoService, CallEchoServiceServer},
    echo_service_client::EchoServiceClient,
    health_service_server::HealthServiceServer,
};
use service_runtime::{
    Identity, Peer, Server, Services,
    client::WorkerUpstream,
    context::Context,
    origin,
    server::Worker,
    status::{Broken, Cause},
};
use tonic::{Request, Response, Status};

/// The peer that B calls.
pub fn service_a() -> Peer {
    Peer::new("service-a").descriptors(echo_proto::DESCRIPTORS)
}

/// Who B is.
pub fn identity() -> Identity {
    Identity::new("service-b", echo_proto::PACKAGE).with_log_name("B").calls(service_a())
}

/// B, as it is before it serves.
pub fn server() -> Server {
    Server::new(identity(), echo_proto::DESCRIPTORS).json(json::routes())
}

/// What one worker serves.
pub fn services(worker: &Worker, service_a: WorkerUpstream) -> Services {
    // The runtime holds the limit of sizes, and answers with the right code; tonic would say OUT_OF_RANGE.
    let call_echo = CallEchoServiceServer::new(CallEcho { identity: identity(), service_a });
    let health = HealthServiceServer::new(Health(worker.serving()));
    Services::new().add(call_echo.max_decoding_message_size(usize::MAX)).add(health)
}

/// B starts, and answers UNAVAILABLE, while A is down.
struct CallEcho {
    identity: Identity,
    service_a: WorkerUpstream,
}

#[tonic::async_trait]
impl CallEchoService for CallEcho {
    async fn call_echo(&self, request: Request<CallEchoRequest>) -> Result<Response<CallEchoResponse>, Status> {
        let context = Context::of(&request);
        let msg = request.into_inner().msg;
        if msg.is_empty() {
            return Err(origin::missing(&self.identity, "msg"));
        }
        let mut client = EchoServiceClient::new(self.service_a.channel(&context)).max_decoding_message_size(usize::MAX);
        let answer = client.echo(EchoRequest { msg: msg.clone() }).await;
        let service_a = self.service_a.checked(&context, answer)?.into_inner();
        // Whoever answers a question that was not asked is not to be believed.
        if service_a.echo != msg {
            return Err(self.service_a.failed(&context, Cause::Broken(Broken::AnotherText)));
        }
        Ok(Response::new(CallEchoResponse { service_b: "ok".into(), service_a: Some(service_a) }))
    }
}
