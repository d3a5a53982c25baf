//! What an echo costs a service of CPU time, and what a refusal does: the difference is what overload leaves for the others.

use std::time::Duration;

use super::{
    offer::Pace,
    stage::{Service, Stage, headline},
};
use crate::{print::print, program::Program};

/// Enough at a time to keep it busy, few enough for the limit.
const CALLERS: Pace = Pace::Closed(200);
const TIME: Duration = Duration::from_secs(4);

/// Prints it, with the log and without.
pub async fn run(program: &Program) -> anyhow::Result<()> {
    // `keep-open` holds the only place for as long as a call may last, so that all others are refused.
    let refuses = ["--max-concurrent-calls", "1", "--rpc-behavior", "keep-open"];
    for service in [Service::A, Service::B] {
        headline(&format!("{service:?}: what a call costs"));
        for (log, name) in [("warn", ""), ("info", ", log")] {
            let stage = Stage::start(program, service, &["--log", log]).await?;
            stage.show(&format!("echo{name}"), CALLERS, TIME).await?;
            drop(stage);
            let stage = Stage::start(program, service, &[&refuses[..], &["--log", log]].concat()).await?;
            stage.show(&format!("refused{name}"), CALLERS, TIME).await?;
        }
    }
    print("");
    Ok(())
}
