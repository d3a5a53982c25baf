//! Experiments: many calls, one question, and figures for an answer.

mod cancels;
mod deadlines;
mod figures;

use std::process::ExitCode;

use crate::{print::print, program::Program, signals::Signals};
use figures::Figures;

/// Which experiment.
#[derive(Debug, clap::Subcommand)]
pub enum Experiment {
    /// Does every call end by its deadline, wherever A stalls, and how late?
    Deadlines(Size),
    /// Does A see that a caller has gone, how soon, and is nothing left in flight?
    Cancels(Size),
}

/// How much of it.
#[derive(Debug, clap::Args)]
pub struct Size {
    /// How many calls in all
    #[arg(long, value_name = "N", default_value = "10000", value_parser = service_runtime::cli::count)]
    calls: usize,
}

/// Runs it. Exit code 0 if every call ended as it must, else 1; 130 after Ctrl-C. The figures decide nothing.
///
/// Errors: a service did not start.
pub async fn run(experiment: &Experiment) -> anyhow::Result<ExitCode> {
    let mut signals = Signals::new()?;
    let program = Program::this()?.with_defaults();
    let held = async {
        match experiment {
            Experiment::Deadlines(size) => deadlines::run(&program, size.calls).await,
            Experiment::Cancels(size) => cancels::run(&program, size.calls).await,
        }
    };
    tokio::select! {
        held = held => Ok(if held? { ExitCode::SUCCESS } else { ExitCode::FAILURE }),
        code = signals.next() => Ok(ExitCode::from(code)),
    }
}

/// A row of what was found, under a headline of its own.
fn tell(name: &str, calls: usize, as_they_must: usize, figures: &mut Figures) {
    print(&format!("{name:24} {calls:>6} {as_they_must:>6}  {figures}\n"));
}

fn headline(of: &str) {
    let figures = ["median", "p99", "p99.9", "max"].map(|figure| format!("{figure:>9}")).concat();
    print(&format!("{of:24}  calls     ok  {figures}  ms\n"));
}
