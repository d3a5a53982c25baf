//! 1: both are well, and say so on both faces.

use crate::{
    demo::{expect::expect, stage::Stage},
    http::Ask,
};

pub async fn play(stage: &mut Stage) -> anyhow::Result<()> {
    let grpc = expect(["OK", r#"{"status":"ok"}"#]);
    stage.client(&["health-a"], "over gRPC: is A ready to serve?", &grpc).await;
    stage.client(&["health-b"], "and B? Its health is its own, whatever A does", &grpc).await;
    let json = expect(["200", r#"{"status":"ok"}"#]);
    stage.curl_a(Ask::get("/health"), "the same port speaks JSON over HTTP", &json).await;
    stage.curl_b(Ask::get("/health"), "for probes that do not speak gRPC", &json).await;
    Ok(())
}
