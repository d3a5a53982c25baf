//! `lab break`: makes one row of the failure contract happen, on the running pair or on one of its own, and asks B.

use std::{
    fmt::Write as _,
    io::{self, Write as _},
    process::ExitCode,
    time::Duration,
};

use crate::{
    control,
    failures::{Face, Failure, Kind, Scene, Stage, Times, table},
    program::Program,
    signals::Signals,
};

/// What to break, and how.
#[derive(Debug, clap::Args)]
#[group(id = "break")]
pub struct Args {
    /// What to break, such as a-frozen
    #[arg(required_unless_present = "list", value_parser = table::find)]
    failure: Option<&'static Failure>,

    /// Leave it broken until Ctrl-C, for you to look at
    #[arg(long, requires = "failure")]
    hold: bool,

    /// The port of the B whose pair it is; where no `lab up` runs it, a pair of its own is started
    #[arg(long, value_name = "PORT", default_value = "8081")]
    port_b: u16,

    /// Show everything that can be broken
    #[arg(long, conflicts_with = "failure")]
    list: bool,
}

/// An answer that takes longer is none.
const PATIENCE: Duration = Duration::from_secs(20);
/// The contract's ε under full load is 100 ms: twice what its bounds say. A debug build is never idle.
const SLACK: Duration = Duration::from_millis(50);

/// Breaks it, asks, heals it, asks again. Exit code 0 if everything came as the contract says, else 1; 130 after Ctrl-C.
///
/// Errors: a service did not start.
pub async fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let Some(failure) = args.failure else {
        print(&list());
        return Ok(ExitCode::SUCCESS);
    };
    let mut signals = Signals::new()?;
    let broken = async {
        match control::ask(args.port_b, failure.slug, args.hold).await? {
            Some(met) => Ok(met),
            None => on_a_pair_of_its_own(failure, args.hold).await,
        }
    };
    // Whatever is dropped is healed: by the running pair, or with the children that are killed.
    tokio::select! {
        met = broken => Ok(if met? { ExitCode::SUCCESS } else { ExitCode::FAILURE }),
        // Whoever held it broken until now is done.
        code = signals.next() => Ok(ExitCode::from(if args.hold { 0 } else { code })),
    }
}

async fn on_a_pair_of_its_own(failure: &'static Failure, hold: bool) -> anyhow::Result<bool> {
    let program = Program::this()?.with_defaults();
    let mut stage = Stage::set(program, Kind::Ours, Times::DEFAULT, Scene::Well, [0, 0]).await?;
    play(&mut stage, failure, hold, print).await
}

/// Prints, for whoever still reads.
pub fn print(text: &str) {
    let _ = io::stdout().write_all(text.as_bytes()).and_then(|()| io::stdout().flush());
}

/// Plays the failure on both faces and tells how it went. True if everything came as the contract says.
///
/// With `hold` it stays broken, and this waits, until it is dropped.
pub async fn play(stage: &mut Stage, failure: &Failure, hold: bool, tell: impl Fn(&str)) -> anyhow::Result<bool> {
    tell(&introduction(stage, failure));
    let mut all_met = true;
    for face in [Face::Grpc, Face::Json] {
        stage.change(failure.scene).await?;
        let (met, line) = match stage.play(failure, face, PATIENCE).await {
            Ok(seen) => match failure.unmet(&seen, stage.times(), SLACK) {
                None => (true, seen.to_string()),
                Some(unmet) => (false, format!("{seen}: {unmet}")),
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
    let (a, b) = (stage.a().url(), stage.b().url());
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

fn what_to_try(stage: &mut Stage) -> String {
    let b = stage.b().url();
    format!(
        "It stays so until Ctrl-C. Try:\n  cargo test-client --service-b {b} call-echo hello\n  curl '{b}/call-echo?msg=hello'\n"
    )
}

fn list() -> String {
    let mut list = String::from("row  name                       what is wrong\n");
    for Failure { row, slug, cause, .. } in table::FAILURES {
        let _ = writeln!(list, "{row:>3}  {slug:26} {cause}");
    }
    list
}
