//! `lab break`: makes one row of the failure contract happen, on the running pair or on one of its own, and asks B.

use std::{fmt::Write as _, process::ExitCode};

use crate::{
    control,
    failures::{Failure, Kind, Scene, Stage, Times, show, table},
    print::print,
    program::Program,
    signals::Signals,
    up,
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
    #[arg(long, value_name = "PORT", default_value = "8081", value_parser = up::port)]
    port_b: u16,

    /// How many As a pair of its own has; the first is broken
    #[arg(long, value_name = "N", default_value = "1", value_parser = up::count)]
    replicas: usize,

    /// Show everything that can be broken
    #[arg(long, conflicts_with = "failure")]
    list: bool,
}

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
            None => on_a_pair_of_its_own(failure, args).await,
        }
    };
    // Whatever is dropped is healed: by the running pair, or with the children that are killed.
    tokio::select! {
        met = broken => Ok(if met? { ExitCode::SUCCESS } else { ExitCode::FAILURE }),
        // The `lab break --hold` that kept it broken until now is done.
        code = signals.next() => Ok(ExitCode::from(if args.hold { 0 } else { code })),
    }
}

async fn on_a_pair_of_its_own(failure: &'static Failure, args: &Args) -> anyhow::Result<bool> {
    let program = Program::this()?.with_defaults();
    let mut stage =
        Stage::set_beside(args.replicas - 1, program, Kind::Ours, Times::DEFAULT, Scene::Well, [0, 0]).await?;
    show::play(&mut stage, failure, args.hold, print).await
}

fn list() -> String {
    let mut list = String::from("row  name                       what is wrong\n");
    for Failure { row, slug, cause, .. } in table::FAILURES {
        let _ = writeln!(list, "{row:>3}  {slug:26} {cause}");
    }
    list
}
