//! One failure shown: what is done, what must come, what came, and that all is well afterwards.

use std::time::Duration;

use super::{failure::Failure, outcome::Face, stage::Stage};

/// How long an answer is waited for.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(20);
/// The contract's ε under full load is 100 ms: twice what its bounds say. A debug build is never idle.
const SLACK: Duration = Duration::from_millis(50);

/// Plays the failure on both faces and tells how it went. True if everything came as the contract says.
///
/// With `hold` it stays broken, and this waits, until it is dropped.
pub async fn play(stage: &mut Stage, failure: &Failure, hold: bool, tell: impl Fn(&str)) -> anyhow::Result<bool> {
    let failure = &if stage.has_others() { failure.beside_others(stage.times()) } else { *failure };
    tell(&introduction(stage, failure));
    let mut all_met = true;
    for face in [Face::Grpc, Face::Json] {
        stage.change(failure.scene).await?;
        let (met, line) = match stage.play_on(failure, face, ANSWER_TIMEOUT).await {
            Ok((calls, seen)) => match failure.unmet(&seen, stage.times(), SLACK) {
                None => (true, format!("{seen}{}", after(calls))),
                Some(unmet) => (false, format!("{seen}{}: {unmet}", after(calls))),
            },
            Err(error) => (false, format!("{error:#}")),
        };
        all_met &= met;
        tell(&format!("  {} {face}  {line}\n", if met { '✓' } else { '✗' }));
        if hold && face == Face::Json {
            tell(&what_to_try(stage));
            std::future::pending::<()>().await;
        }
        let after = stage.heal().await?;
        tell(&format!("           healed: OK after {} ms\n", after.as_millis()));
    }
    Ok(all_met)
}

fn introduction(stage: &mut Stage, failure: &Failure) -> String {
    let Failure { row, slug, cause, scene, expected, bound, question } = failure;
    let a = stage.urls().replace(',', "  ");
    let b = stage.b().url();
    let deadline = question.timeout.map_or(String::new(), |timeout| format!("; grpc-timeout: {timeout}"));
    let from =
        if expected.hop.is_empty() { String::new() } else { format!(" from {}, {},", expected.hop, expected.reason) };
    format!(
        "{slug}: {cause} (row {row}{deadline})\n  A  {a}\n  B  {b}\n  by hand: {}\n  expected: {} ({} over HTTP){from} within {bound}\n",
        scene.to_string().replace('`', ""),
        expected.code,
        expected.http,
    )
}

fn after(calls: usize) -> String {
    if calls > 1 { format!(" · call {calls}, those before it OK") } else { String::new() }
}

fn what_to_try(stage: &mut Stage) -> String {
    let b = stage.b().url();
    format!(
        "It stays so until Ctrl-C. Try:\n  cargo test-client --service-b {b} call-echo hello\n  curl '{b}/call-echo?msg=hello'\n"
    )
}
