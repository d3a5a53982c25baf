//! 3: A is gone, and comes back.

use crate::{
    demo::{
        expect::{Facts, expect},
        stage::Stage,
    },
    http::Ask,
};

pub async fn play(stage: &mut Stage) -> anyhow::Result<()> {
    stage.kill_a("A is gone, without a goodbye").await?;
    let at_once = expect(["UNAVAILABLE", "from service-b", "SERVICE_A_UNREACHABLE"]).within(200);
    stage.client(&["call-echo", "hello"], "B knows, and answers at once instead of waiting", &at_once).await;
    let as_json = expect(["503", "SERVICE_A_UNREACHABLE", "retry-after: 1"]).within(200);
    stage.curl_b(Ask::get("/call-echo?msg=hello"), "UNAVAILABLE is 503: try again later", &as_json).await;
    stage.client(&["health-b"], "B is healthy: to restart B would not help", &expect(["OK"])).await;
    let directly = expect(["UNAVAILABLE", "from test-client"]);
    stage
        .client(&["echo", "hello"], "asked directly, no process listens there; the client itself says so", &directly)
        .await;
    comes_back(stage).await
}

async fn comes_back(stage: &mut Stage) -> anyhow::Result<()> {
    stage.act("cargo service-a", "A is back on its port");
    stage.pair.restart_a().await?;
    let until_ok = "until cargo test-client call-echo hello; do :; done";
    stage.report.command(until_ok, "B finds A by itself: it tries at least once a second");
    // docs/contract.md, row 12: the longest pause is a second and 20 %, then comes the connect.
    let soon = expect(["OK from every worker of B"]).within(1500);
    let came = stage.pair.recovered().await;
    let facts = |took| Facts { always: vec!["OK from every worker of B".into()], more: Vec::new(), took };
    stage.report.result(&soon, came.map(facts));
    Ok(())
}
