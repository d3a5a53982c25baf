//! Service B: calls service A, and says what became of it. The failures of the call are the runtime's work.

pub mod process;

use echo_proto::{
    CallEchoRequest, CallEchoResponse, EchoRequest, Health, HealthResponse,
    call_echo_service_server::{self, CallEchoService, CallEchoServiceServer},
    echo_service_client::EchoServiceClient,
    health_service_server::{self, HealthServiceServer},
};
use prost::Message;
use serde_json::{Value, json};
use service_runtime::{
    Service,
    client::{Peer, Upstream},
    context::Context,
    json, origin,
    server::Worker,
    status::{Broken, Cause},
};
use tonic::{Request, Response, Status, service::Routes};

/// What the runtime needs to know of B.
pub static SERVICE: Service = Service {
    name: "service-b",
    log_name: "B",
    env_prefix: "ECHO_B",
    domain: echo_proto::PACKAGE,
    services: &[call_echo_service_server::SERVICE_NAME, health_service_server::SERVICE_NAME],
    descriptors: echo_proto::DESCRIPTORS,
    behind: Some(SERVICE_A),
    json: &[
        json::Route::health("/echo.v1.HealthService/Check", |reply| {
            Ok(json::health(&HealthResponse::decode(reply)?.status))
        }),
        json::Route {
            path: "/call-echo",
            method: "/echo.v1.CallEchoService/CallEcho",
            probe: false,
            request: |query| CallEchoRequest { msg: query.text("msg") }.encode_to_vec(),
            reply: |reply| Ok(json::ok(call_echo_json(CallEchoResponse::decode(reply)?))),
            failure: service_a_failed,
        },
    ],
};

/// The peer that B calls.
pub const SERVICE_A: Peer = Peer { name: "service-a" };

/// The routes of one worker.
pub fn routes(worker: &Worker, service_a: Upstream) -> Routes {
    // The runtime has checked the size already, and answers with the right code; tonic would say OUT_OF_RANGE.
    let call_echo =
        CallEchoServiceServer::new(CallEcho { service_a }).max_decoding_message_size(worker.max_message_size());
    Routes::new(call_echo).add_service(HealthServiceServer::new(Health(worker.serving())))
}

struct CallEcho {
    service_a: Upstream,
}

#[tonic::async_trait]
impl CallEchoService for CallEcho {
    async fn call_echo(&self, request: Request<CallEchoRequest>) -> Result<Response<CallEchoResponse>, Status> {
        let context = Context::of(&request);
        let msg = request.into_inner().msg;
        if msg.is_empty() {
            return Err(origin::missing(&SERVICE, "msg"));
        }
        let answer = self.service_a.call(&context, EchoRequest { msg }, |channel, request| async {
            let asked = request.get_ref().msg.clone();
            let answer = EchoServiceClient::new(channel).echo(request).await?;
            // Whoever answers a question that was not asked is not to be believed.
            if answer.get_ref().echo == asked { Ok(answer) } else { Err(Cause::Broken(Broken::AnotherText).into()) }
        });
        let service_a = answer.await?.into_inner();
        Ok(Response::new(CallEchoResponse { service_b: "ok".into(), service_a: Some(service_a) }))
    }
}

fn call_echo_json(reply: CallEchoResponse) -> Value {
    let echo = reply.service_a.unwrap_or_default().echo;
    json!({"service_a": {"echo": echo}, "service_b": reply.service_b})
}

/// The lab's answer when the call to A failed; B's own refusals have the common form.
fn service_a_failed(failure: &json::Failure) -> Option<Value> {
    let reason = failure.origin.reason.as_str();
    if !reason.starts_with("SERVICE_A_") && reason != "DEADLINE_EXCEEDED" {
        return None;
    }
    let unavailable = matches!(failure.code, "UNAVAILABLE" | "DEADLINE_EXCEEDED");
    Some(json!({
        "error": failure.message,
        "service_a": if unavailable { "unavailable" } else { "error" },
        "service_b": "ok",
        "details": failure.origin.details.as_deref().or(failure.origin.upstream_code.as_deref()).unwrap_or("no answer"),
        "code": failure.code,
        "reason": reason,
    }))
}
