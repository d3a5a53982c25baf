//! The command `hostile-peer`: a server that misbehaves in one named way, for you to point your own gRPC client or gateway at.

use std::process::ExitCode;

use clap::Parser as _;
use hostile_peer::cli;
use tokio::signal::unix::{SignalKind, signal};

/// A server that misbehaves on purpose, in one of many named ways, and tells what it sees until Ctrl-C
#[derive(clap::Parser)]
#[command(version)]
struct Command {
    #[command(flatten)]
    args: cli::Args,
}

fn main() -> ExitCode {
    let args = match Command::try_parse() {
        Ok(command) => command.args,
        Err(error) if error.use_stderr() => {
            cli::complain(one_sentence(&error).trim_start_matches("error: "));
            return ExitCode::from(2);
        }
        Err(help) => {
            let _ = help.print();
            return ExitCode::SUCCESS;
        }
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let ended = runtime.and_then(|runtime| {
        runtime.block_on(async {
            let (mut interrupt, mut terminate) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
            let asked_to = async {
                tokio::select! { _ = interrupt.recv() => {}, _ = terminate.recv() => {} }
            };
            cli::run(&args, "hostile-peer", asked_to).await
        })
    });
    ended.unwrap_or_else(|error| {
        cli::complain(&error.to_string());
        ExitCode::FAILURE
    })
}

/// clap says in a paragraph what can be said in a sentence: what is wrong, then where it is told what would be right.
fn one_sentence(error: &clap::Error) -> String {
    let text = error.render().to_string();
    let lines = text.lines().map(str::trim).take_while(|line| !line.starts_with("Usage:"));
    let parts: Vec<&str> = lines.filter(|line| !line.is_empty() && !line.starts_with("For more")).collect();
    let sentence = parts.join("; ").replace(":; ", ": ").replace("; tip: ", "; ");
    match sentence.contains(": expected") || sentence.contains("similar") || sentence.contains("such as") {
        true => sentence,
        false => format!("{sentence}; --help tells what there is, --list every behaviour"),
    }
}
