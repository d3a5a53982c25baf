//! A for `curl`: the JSON paths, and what they stand for.

use echo_proto::{EchoRequest, EchoResponse, HealthResponse};
use serde_json::json;
use service_runtime::json::Route;

pub(crate) fn routes() -> [Route; 2] {
    [
        Route::health("/echo.v1.HealthService/Check", |reply: HealthResponse| reply.status),
        Route::get(
            "/echo",
            "/echo.v1.EchoService/Echo",
            |query| EchoRequest { msg: query.text("msg") },
            |reply: EchoResponse| json!({"echo": reply.echo}),
        ),
    ]
}
