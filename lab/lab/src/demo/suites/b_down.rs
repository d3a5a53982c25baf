//! 5: B is gone; what a caller says then comes from the caller's own side.

use crate::demo::{expect::expect, stage::Stage};

pub async fn play(stage: &mut Stage) -> anyhow::Result<()> {
    stage.act("kill -9 $B", "B is gone");
    stage.pair.b.kill().await?;
    let nobody = expect(["UNAVAILABLE", "from test-client"]).within(200);
    stage.client(&["call-echo", "hello"], "the same code; the hop tells who is down", &nobody).await;
    stage.client(&["echo", "hello"], "A does not need B", &expect(["OK", r#"{"echo":"hello"}"#])).await;
    stage.act("cargo service-b", "B is back; it keeps no state that could be lost");
    stage.pair.restart_b().await?;
    stage.client(&["call-echo", "hello"], "and serves from its first moment", &expect(["OK"])).await;
    stage.pair.recovered().await.map(drop)
}
