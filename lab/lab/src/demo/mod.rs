//! `lab demo`: breaks the pair in eight ways, and shows what comes back and why.

mod expect;
mod report;
mod stage;
mod suites;

use std::process::ExitCode;

use crate::{pair::Pair, program::Program, signals::Signals};
use report::Report;
use stage::Stage;

/// What to show.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Only these suites, such as 6 or 1,3
    #[arg(long, value_name = "N", value_delimiter = ',', value_parser = suite)]
    only: Vec<usize>,
}

fn suite(text: &str) -> Result<usize, String> {
    let number = text.parse().ok().filter(|number| (1..=suites::TITLES.len()).contains(number));
    number.ok_or_else(|| format!("expected a suite from 1 to {}", suites::TITLES.len()))
}

/// Plays the suites. Exit code 0 if everything came as expected, else 1; 130 after Ctrl-C.
pub async fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let mut signals = Signals::new()?;
    // Whatever is dropped with `play` is killed: no child is left behind.
    tokio::select! {
        played = play(args) => played,
        code = signals.next() => Ok(ExitCode::from(code)),
    }
}

async fn play(args: &Args) -> anyhow::Result<ExitCode> {
    let pair = Pair::start(Program::this()?.with_defaults(), 0, 0).await?;
    let mut stage = Stage { pair, report: Report::new() };
    stage.header();
    // A B that is still connecting would tell another story: what it has never had, it cannot lose.
    stage.pair.recovered().await?;
    let chosen = |number: &usize| args.only.is_empty() || args.only.contains(number);
    for number in (1..=suites::TITLES.len()).filter(chosen) {
        stage.report.suite(number, suites::TITLES[number - 1]);
        if let Err(error) = suites::play(number, &mut stage).await {
            stage.report.broke_off(&error);
            stage.pair.restart_a().await?;
            stage.pair.restart_b().await?;
            stage.pair.recovered().await?;
        }
    }
    Ok(if stage.report.summary() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
