//! The command `lab`.

// These panic, or say nothing, where the output cannot be written: `service_runtime::output` says it.
#![warn(clippy::print_stdout, clippy::print_stderr)]

use std::{ffi::OsString, process::ExitCode};

use hostile_peer::cli as peer;
use lab::{
    attacks::command as attack, breaking, demo, experiments, print, program, side_by_side, signals::Signals, up,
};
use service_runtime::output::complain;

/// The services allocate with it in their own processes, and so they do here.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Both services in one binary: shows them, or runs them for you to break
#[derive(clap::Parser)]
#[command(name = "lab", version, arg_required_else_help = true)]
struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(clap::Subcommand)]
enum Command {
    /// Start A and B, break them in eight ways, and show what comes back and why
    Demo(demo::Args),
    /// Run A and B until Ctrl-C, for you to call and to break
    Up(up::Args),
    /// Make one row of the failure contract happen, on the running pair or on one of its own, and ask B
    Break(breaking::Args),
    /// Ask our B and a stock tonic B the same, in every row of the failure contract
    SideBySide(side_by_side::Args),
    /// Do to A, to B and to a stock tonic B what no client should, and compare
    Attack(attack::Args),
    /// Measure with many calls
    #[command(subcommand)]
    Experiment(experiments::Experiment),
    /// Run one hostile peer until Ctrl-C, for you to point your own gRPC client at
    Peer(peer::Args),
}

fn main() -> ExitCode {
    let argv: Vec<OsString> = std::env::args_os().collect();
    // Before clap: what follows the name of a service is the service's own command line.
    if let Some(code) = program::run_as(argv.get(1..).unwrap_or_default()) {
        return code;
    }
    match service_runtime::cli::parse::<Args>("ECHO_LAB", argv) {
        Ok(args) => block_on(async {
            match args.command {
                Command::Demo(args) => demo::run(&args).await,
                Command::Up(args) => up::run(&args).await,
                Command::Break(args) => breaking::run(&args).await,
                Command::SideBySide(args) => side_by_side::run(&args).await,
                Command::Attack(args) => attack::run(&args).await,
                Command::Experiment(experiment) => experiments::run(&experiment).await,
                Command::Peer(args) => Ok(peer::run(&args, "lab peer", Signals::new()?.next()).await?),
            }
        }),
        Err(code) => code,
    }
}

/// Exit code 1 also where what there is to show cannot be written: then it ends at once.
///
/// One thread: children die with the thread that started them (see `tie`), and the main thread is the last to end.
fn block_on(command: impl Future<Output = anyhow::Result<ExitCode>>) -> ExitCode {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let shown = async {
        // Whatever is dropped with the command is ended.
        let ended = tokio::select! {
            ended = command => ended,
            () = print::failed() => Ok(ExitCode::FAILURE),
        };
        print::failure().map_or(ended, |unwritten| Err(anyhow::anyhow!("{unwritten}")))
    };
    let ended = runtime.map_err(anyhow::Error::from).and_then(|runtime| runtime.block_on(shown));
    ended.unwrap_or_else(|error| {
        complain(&format!("{error:#}"));
        ExitCode::FAILURE
    })
}
