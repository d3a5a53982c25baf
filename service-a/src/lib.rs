//! Service A: echoes. What it promises stands in `proto/echo.proto`; how it fails is the runtime's work.

pub mod process;

use echo_proto::{
    EchoRequest, EchoResponse, Health, HealthResponse,
    echo_service_server::{self, EchoService, EchoServiceServer},
    health_service_server::{self, HealthServiceServer},
};
use prost::Message;
use serde_json::json;
use service_runtime::{Service, json, server::Worker};
use tonic::{Request, Response, Status, service::Routes};

/// What the runtime needs to know of A.
pub static SERVICE: Service = Service {
    name: "service-a",
    log_name: "A",
    env_prefix: "ECHO_A",
    domain: echo_proto::PACKAGE,
    services: &[echo_service_server::SERVICE_NAME, health_service_server::SERVICE_NAME],
    descriptors: echo_proto::DESCRIPTORS,
    behind: None,
    json: &[
        json::Route::health("/echo.v1.HealthService/Check", |reply| {
            Ok(json::health(&HealthResponse::decode(reply)?.status))
        }),
        json::Route {
            path: "/echo",
            method: "/echo.v1.EchoService/Echo",
            probe: false,
            request: |query| EchoRequest { msg: query.text("msg") }.encode_to_vec(),
            reply: |reply| Ok(json::ok(json!({"echo": EchoResponse::decode(reply)?.echo}))),
            failure: |_| None,
        },
    ],
};

/// The routes of one worker.
pub fn routes(worker: &Worker) -> Routes {
    // The runtime has checked the size already, and answers with the right code; tonic would say OUT_OF_RANGE.
    let echo = EchoServiceServer::new(Echo).max_decoding_message_size(worker.max_message_size());
    Routes::new(echo).add_service(HealthServiceServer::new(Health(worker.serving())))
}

struct Echo;

#[tonic::async_trait]
impl EchoService for Echo {
    async fn echo(&self, request: Request<EchoRequest>) -> Result<Response<EchoResponse>, Status> {
        Ok(Response::new(EchoResponse { echo: request.into_inner().msg }))
    }
}
