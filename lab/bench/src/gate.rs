//! The gate: a call's instructions and allocations as multiples of a bare Echo's in the same run, beside what is committed.

use std::{fs, process::ExitCode};

use anyhow::{Context as _, ensure};
use serde_json::{Map, Value, json};
use service_runtime::output::to_stdout;

use crate::{
    native::{MANY, ONE},
    programs,
    subject::{PLAIN, Service, Setting, Subject, root},
    tools,
};

/// The flags of the gate.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Write what is measured to the file, instead of comparing
    #[arg(long)]
    renew: bool,
}

const FILE: &str = "lab/bench/gate.json";
/// How much more than committed is let through, as a share. Three runs on a busy machine were within 0.4 %; the rest is for the optimizer,
/// which may compile unchanged code in another way when code beside it changes.
const TOLERANCE: f64 = 0.03;

/// Measures, then compares or writes. Exit code 1 where a call costs more than is committed.
pub async fn run(args: &Args) -> anyhow::Result<ExitCode> {
    programs::need("valgrind", "the gate counts with it")?;
    let measured = measured().await?;
    let file = root().join(FILE);
    if args.renew {
        let figures: Map<String, Value> =
            measured.iter().map(|figure| (figure.name.clone(), json!(rounded(figure.ratio)))).collect();
        fs::write(&file, format!("{:#}\n", Value::Object(figures)))?;
        to_stdout(&format!("{FILE} has the figures of now\n"))?;
        return Ok(ExitCode::SUCCESS);
    }
    let text = fs::read_to_string(&file).with_context(|| format!("no {FILE}; `.ci/bench-gate renew` writes it"))?;
    let committed: Map<String, Value> = serde_json::from_str(&text).with_context(|| format!("{FILE} is not JSON"))?;
    ensure!(
        committed.len() == measured.len(),
        "{FILE} has other figures than are measured; `.ci/bench-gate renew` writes it"
    );
    let mut failed = false;
    for Figure { name, ratio, count } in measured {
        let before = committed.get(&name).and_then(Value::as_f64);
        let before =
            before.with_context(|| format!("{FILE} does not have {name:?}; `.ci/bench-gate renew` writes it"))?;
        let (line, is_over) = verdict(&name, before, ratio);
        to_stdout(&format!("{line}; {count:.1} a call\n"))?;
        failed |= is_over;
    }
    Ok(if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

/// What is compared.
struct Figure {
    name: String,
    /// How many times a bare Echo's it is.
    ratio: f64,
    /// How many of them a call has.
    count: f64,
}

async fn measured() -> anyhow::Result<Vec<Figure>> {
    let mut figures = Vec::new();
    let with_log = Setting { log: true, ..PLAIN };
    let echo = ("Echo", Service::A, PLAIN);
    let call_echo = ("CallEcho", Service::B, PLAIN);
    let logged = ("CallEcho with a line of the log", Service::B, with_log);
    for (load, shape, services) in
        [("one call at a time", ONE, &[echo, call_echo, logged][..]), ("10 × 50 calls", MANY, &[echo, call_echo][..])]
    {
        let bare = tools::instructions(Subject::Bare, Service::A, PLAIN, shape).await?;
        for (what, service, setting) in services {
            let ours = tools::instructions(Subject::Ours, *service, *setting, shape).await?;
            let mut figure = |kind, count: f64, bare: f64| {
                figures.push(Figure { name: format!("{what}, {load}: {kind}"), ratio: count / bare, count });
            };
            figure("instructions", ours.instructions(), bare.instructions());
            figure("allocations", ours.allocations, bare.allocations);
        }
    }
    Ok(figures)
}

fn rounded(ratio: f64) -> f64 {
    (ratio * 1000.0).round() / 1000.0
}

/// What is said of a figure, and whether it fails.
fn verdict(name: &str, committed: f64, measured: f64) -> (String, bool) {
    let change = measured / committed - 1.0;
    let (word, is_over) = match change {
        _ if change > TOLERANCE => ("FAILED ", true),
        _ if change < -TOLERANCE => ("cheaper", false),
        _ => ("ok     ", false),
    };
    let hint = match word {
        "FAILED " => "; say in the commit what it buys, and `.ci/bench-gate renew`",
        "cheaper" => "; keep it: `.ci/bench-gate renew`",
        _ => "",
    };
    (format!("{word} {name}: {measured:.3} × bare, {committed:.3} committed ({:+.1} %){hint}", change * 100.0), is_over)
}

#[cfg(test)]
mod tests {
    use super::verdict;

    #[test]
    fn a_call_that_costs_a_twentieth_more_fails_and_a_fiftieth_does_not() {
        assert!(verdict("Echo", 2.0, 2.1).1);
        assert!(!verdict("Echo", 2.0, 2.04).1);
    }

    #[test]
    fn a_call_that_became_cheaper_passes_and_asks_to_be_kept() {
        let (line, is_over) = verdict("Echo", 2.0, 1.8);
        assert!(!is_over && line.contains("renew"), "{line}");
    }
}
