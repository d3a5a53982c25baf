//! 8: what an error looks like as JSON: which keys, in which order, under which HTTP status.

use crate::{
    demo::{expect::expect, stage::Stage},
    http::{self, Ask},
};

/// A failed call to A has the lab's four keys, then ours.
const SIX: &str = "keys error, service_a, service_b, details, code, reason";
const THREE: &str = "keys error, code, reason";
const JSON: &str = "content-type: application/json";

pub async fn play(stage: &mut Stage) -> anyhow::Result<()> {
    let three = |status| expect([status, THREE, JSON]);
    stage.curl_b(Ask::get("/call-echo"), "B's own refusal: three texts", &three("400")).await;
    stage.curl_b(Ask::get("/nope"), "the same three", &three("404")).await;
    let method = expect(["405", THREE, JSON]);
    stage.curl_b(Ask::post("/call-echo"), "the same three", &method).await;
    stage.act("kill -STOP $A", "A is frozen");
    stage.pair.a.freeze()?;
    let ask = Ask::get("/call-echo?msg=hello").with("grpc-timeout", "100m");
    stage.curl_b(ask, "a failed call to A: six texts", &expect(["504", SIX, JSON])).await;
    stage.kill_a("A is gone").await?;
    let ask = Ask::get("/call-echo?msg=hello");
    let gone = expect(["503", SIX, JSON, "retry-after: 1"]);
    stage.curl_b(ask.clone(), "and when it is worth a retry", &gone).await;
    let body = http::ask(stage.pair.b.address(), &ask).await?.body;
    stage.report.say(format_args!("    {body}"));
    stage.bring_a_back().await
}
