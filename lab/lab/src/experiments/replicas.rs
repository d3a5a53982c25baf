//! Two replicas of A, one of them in trouble: how many calls fail, with retries, without, and with a stock tonic B.

use std::time::Duration;

use anyhow::Context as _;
use hostile_peer::Peer;
use tokio::time::sleep;

use super::load::{self, Loop, Report};
use crate::{
    child::Child,
    print::print,
    program::{Program, STOCK_TONIC},
};

/// What is wrong with the first replica.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Trouble {
    None,
    Dead,
    Draining,
    Restarting,
    Unavailable,
    Frozen,
    Slow,
    Flapping,
}

const TROUBLES: [(&str, Trouble); 8] = [
    ("none", Trouble::None),
    ("dead", Trouble::Dead),
    ("draining", Trouble::Draining),
    ("restarting", Trouble::Restarting),
    ("answers UNAVAILABLE", Trouble::Unavailable),
    ("frozen", Trouble::Frozen),
    ("slow (10 times)", Trouble::Slow),
    ("flapping", Trouble::Flapping),
];

/// Whose B.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Whose {
    Ours,
    OursWithoutRetries,
    Stock,
}

const BS: [(&str, Whose); 3] =
    [("ours", Whose::Ours), ("ours, no retries", Whose::OursWithoutRetries), ("tonic balance_list", Whose::Stock)];

/// One caller, and many.
const LOOPS: [(&str, Loop); 2] = [("one at a time", Loop::Closed(1)), ("1000/s", Loop::Open(1000))];

/// How long after the first call the trouble begins.
const BEFORE: Duration = Duration::from_secs(1);
/// How long a load may take.
const LOAD_TIMEOUT: Duration = Duration::from_secs(30);

/// Plays them all. True if nothing was lost or swapped, and no call failed where a replica was only gone.
pub async fn run(program: &Program, calls: usize) -> anyhow::Result<bool> {
    print("| one of two replicas is | callers | B | calls | failed | p99 ms | max ms | how |\n");
    print("|---|---|---|--:|--:|--:|--:|---|\n");
    let mut held = true;
    for (trouble_name, trouble) in TROUBLES {
        for (callers, how) in LOOPS {
            for (b, whose) in BS {
                let report = play(program, trouble, whose, how, calls).await.context(trouble_name)?;
                print(&line(&[trouble_name, callers, b], &report));
                let only_gone =
                    matches!(trouble, Trouble::None | Trouble::Dead | Trouble::Draining | Trouble::Restarting);
                let ours = whose == Whose::Ours;
                held &= !ours || report.swapped_or_lost == 0 && (!only_gone || report.errors == 0);
            }
        }
    }
    Ok(held)
}

fn line(names: &[&str], report: &Report) -> String {
    let Report { calls, errors, p99_ms, max_ms, failures, .. } = report;
    format!("| {} | {calls} | {errors} | {p99_ms:.1} | {max_ms:.0} | {failures} |\n", names.join(" | "))
}

async fn play(program: &Program, trouble: Trouble, whose: Whose, how: Loop, calls: usize) -> anyhow::Result<Report> {
    let behavior: [&[&str]; 2] = match trouble {
        Trouble::Unavailable => [&["--rpc-behavior", "error-code-14"], &[]],
        Trouble::Slow => [&["--rpc-behavior", "sleep-20ms"], &["--rpc-behavior", "sleep-2ms"]],
        _ => [&[], &[]],
    };
    let peer = if trouble == Trouble::Flapping { Some(Peer::start("flap-10")?) } else { None };
    let mut first = start_a(program, 0, behavior[0]).await?;
    let second = start_a(program, 0, behavior[1]).await?;
    let first_url = peer.as_ref().map_or_else(|| first.url(), Peer::url);
    let b = start_b(program, whose, &format!("{first_url},{}", second.url())).await?;
    let url = b.url();
    let load = load::run(program, &url, how, calls, LOAD_TIMEOUT);
    let in_trouble = async {
        sleep(BEFORE).await;
        begin(program, trouble, &mut first).await?;
        std::future::pending::<anyhow::Result<()>>().await
    };
    tokio::select! {
        report = load => report,
        Err(error) = in_trouble => Err(error),
    }
}

async fn begin(program: &Program, trouble: Trouble, first: &mut Child) -> anyhow::Result<()> {
    match trouble {
        Trouble::None | Trouble::Unavailable | Trouble::Slow | Trouble::Flapping => {}
        Trouble::Dead => first.kill().await?,
        Trouble::Draining => first.terminate()?,
        Trouble::Frozen => first.freeze()?,
        Trouble::Restarting => loop {
            let port = first.address().port();
            first.terminate()?;
            first.exited().await?;
            *first = start_a(program, port, &[]).await?;
            sleep(Duration::from_millis(500)).await;
        },
    }
    Ok(())
}

/// Starts A, quiet: its log would be the load.
pub async fn start_a(program: &Program, port: u16, flags: &[&str]) -> anyhow::Result<Child> {
    let flags = [&["--log", "warn"], flags].concat();
    Child::start_at(program, "service-a", ([127, 0, 0, 1], port).into(), &flags).await
}

async fn start_b(program: &Program, whose: Whose, service_a: &str) -> anyhow::Result<Child> {
    let common = ["--service-a", service_a];
    let (name, flags): (_, &[&str]) = match whose {
        Whose::Ours => ("service-b", &["--log", "warn", "--service-a-timeout", "500ms"]),
        Whose::OursWithoutRetries => {
            ("service-b", &["--log", "warn", "--service-a-timeout", "500ms", "--retry-attempts", "1"])
        }
        Whose::Stock => (STOCK_TONIC, &["--service-a-timeout-ms", "500"]),
    };
    Child::start_on_free_port(program, name, &[&common, flags].concat()).await
}
