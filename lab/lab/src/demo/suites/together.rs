//! 7: fifty calls at once; and a SIGTERM among them, which loses none.

use std::process::ExitStatus;

use crate::{
    child::{line_with, value},
    crowd::{Crowd, Outcome},
    demo::{
        expect::{Facts, expect},
        stage::Stage,
    },
};

const FIFTY: &str = "seq 50 | xargs -P50 -I% curl -s 'localhost:8081/call-echo?msg=hello-%'";

pub async fn play(stage: &mut Stage) -> anyhow::Result<()> {
    stage.report.command(FIFTY, "here on one connection: each call gets its own text");
    let crowd = Crowd::send(&stage.pair.b.url()).await?.answers().await;
    stage.report.result(&expect(["50 of 50 got their own text"]), crowd.map(facts));
    b_ends_among_them(stage).await?;
    a_ends_among_them(stage).await
}

async fn b_ends_among_them(stage: &mut Stage) -> anyhow::Result<()> {
    stage.report.command(&format!("kill -STOP $A; {FIFTY} &"), "fifty calls wait in B for a frozen A");
    stage.report.command("sleep 1; kill $B; kill -CONT $A; wait", "SIGTERM: B ends what it has taken on, then itself");
    let log = &mut stage.pair.b.log_from_now();
    stage.pair.a.freeze()?;
    let crowd = Crowd::send(&stage.pair.b.url()).await?;
    stage.pair.b.terminate()?;
    // Not before B has seen the signal: else the calls might be over by then.
    let draining = line_with(log, "state=draining").await?;
    stage.pair.a.thaw()?;
    let outcome = crowd.answers().await?;
    let status = stage.pair.b.exited().await?;
    let expected = expect(["50 of 50 got their own text", "in_flight=50", "exit 0"]);
    let in_flight = format!("in_flight={}", value(&draining, "in_flight=").unwrap_or("?"));
    stage.report.result(&expected, Ok(drained(outcome, Some(in_flight), status)));
    stage.act("cargo service-b", "B is back");
    stage.pair.restart_b().await?;
    stage.pair.recovered().await.map(drop)
}

async fn a_ends_among_them(stage: &mut Stage) -> anyhow::Result<()> {
    stage.report.command(&format!("kill -STOP $A; {FIFTY} &"), "fifty calls wait in a frozen A");
    stage.report.command("sleep 1; kill $A; kill -CONT $A; wait", "SIGTERM: the same for A");
    stage.pair.a.freeze()?;
    let crowd = Crowd::send(&stage.pair.b.url()).await?;
    stage.pair.a.terminate()?;
    stage.pair.a.thaw()?;
    let outcome = crowd.answers().await?;
    let status = stage.pair.a.exited().await?;
    let expected = expect(["50 of 50 got their own text", "exit 0"]);
    stage.report.result(&expected, Ok(drained(outcome, None, status)));
    stage.bring_a_back().await
}

fn facts(outcome: Outcome) -> Facts {
    let own = format!("{} of {} got their own text", outcome.own_text, crate::crowd::CROWD);
    Facts { always: [Some(own), outcome.failure].into_iter().flatten().collect(), more: Vec::new(), took: outcome.took }
}

fn drained(outcome: Outcome, in_flight: Option<String>, status: ExitStatus) -> Facts {
    let exit = status.code().map_or_else(|| status.to_string(), |code| format!("exit {code}"));
    let mut facts = facts(outcome);
    facts.always.extend(in_flight.into_iter().chain([exit]));
    facts
}
