//! 6: A is there, and does not answer. Whose clock runs out decides the code.

use crate::{
    demo::{expect::expect, stage::Stage},
    http::Ask,
};

pub async fn play(stage: &mut Stage) -> anyhow::Result<()> {
    stage.act("kill -STOP $A", "A is frozen: it is connected, and silent");
    stage.pair.a.freeze()?;
    let cap = expect(["UNAVAILABLE", "from service-b", "SERVICE_A_TIMEOUT"]).between(1950..=2300);
    stage.client(&["call-echo", "hello"], "B's own cap of 2 s runs out: to B, A is unavailable", &cap).await;
    let own = expect(["DEADLINE_EXCEEDED"]).between(250..=500);
    let why = "the caller's deadline runs out: only that is DEADLINE_EXCEEDED";
    stage.client(&["call-echo", "hello", "--timeout", "300ms"], why, &own).await;
    let json = expect(["504", "DEADLINE_EXCEEDED"]).between(250..=500);
    let ask = Ask::get("/call-echo?msg=hello").with("grpc-timeout", "300m");
    stage.curl_b(ask, "300m is 300 ms: a deadline means the same on both faces", &json).await;
    stage.act("kill -CONT $A", "A goes on where it was");
    stage.pair.a.thaw()?;
    stage.client(&["call-echo", "hello"], "over the same connection", &expect(["OK"]).within(500)).await;
    Ok(())
}
