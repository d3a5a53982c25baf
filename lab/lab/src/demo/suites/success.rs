//! 2: nothing is wrong.

use crate::{
    demo::{expect::expect, stage::Stage},
    http::Ask,
};

pub async fn play(stage: &mut Stage) -> anyhow::Result<()> {
    stage.client(&["echo", "hello"], "A by itself", &expect(["OK", r#"{"echo":"hello"}"#])).await;
    let both = expect(["OK", r#"{"service_b":"ok","service_a":{"echo":"hello"}}"#]);
    stage.client(&["call-echo", "hello"], "B asks A, and passes the answer on", &both).await;
    let decoded = expect(["200", r#"{"echo":"grüße & co"}"#]);
    stage.curl_a(Ask::get("/echo?msg=gr%C3%BC%C3%9Fe+%26+co"), "any text comes back as it went", &decoded).await;
    let both = expect(["200", r#"{"service_a":{"echo":"hello"},"service_b":"ok"}"#]);
    stage.curl_b(Ask::get("/call-echo?msg=hello"), "JSON is a translation at the edge", &both).await;
    Ok(())
}
