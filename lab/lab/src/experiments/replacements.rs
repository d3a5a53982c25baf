//! A service is replaced under load by a process that starts first, again and again (docs/contract.md, row 33): on a port that both
//! share, and on a socket that is handed from one to the next.

use std::{
    net::{SocketAddr, TcpListener},
    time::Duration,
};

use tokio::{
    sync::watch,
    time::{Instant, sleep, sleep_until},
};

use super::load::{self, Loop, Report};
use crate::{
    child::Child,
    http::{self, Ask},
    print::print,
    program::Program,
};

/// How much of it.
#[derive(Clone, Copy, Debug, clap::Args)]
pub struct Size {
    /// A small one, of a quarter of a minute
    #[arg(long)]
    short: bool,
}

/// Calls a second over connections that are kept; the second for a small one, on a machine that does something else: a caller who does not
/// get the CPU for 225 ms, and so answers no PING, is not waited for.
const RATES: [u32; 2] = [500, 100];
/// Between two replacements.
const PACE: Duration = Duration::from_secs(1);
/// Between two calls of a caller who connects anew for each.
const NEWLY: Duration = Duration::from_millis(2);
/// How long a load may take.
const LOAD_TIMEOUT: Duration = Duration::from_secs(120);
/// The log would be the load.
const QUIET: [&str; 2] = ["--log", "warn"];

/// How the successor comes to listen at the same address.
enum Way {
    SharedPort,
    HandedOver(TcpListener),
}

/// Who is replaced; of two services B is the one that is called.
struct Stage<'a> {
    program: &'a Program,
    service: &'static str,
    /// The A that a B calls.
    flags: Vec<String>,
    way: Way,
    rate: u32,
}

/// What callers saw who connect anew for each call.
#[derive(Default)]
struct Newcomers {
    went_well: usize,
    lost: Vec<String>,
}

/// Replaces both services in both ways. True if no call was lost, and no connect to a socket that was handed over.
pub async fn run(program: &Program, size: Size) -> anyhow::Result<bool> {
    let (replacements, rate) = if size.short { (3, RATES[1]) } else { (10, RATES[0]) };
    print("| replaced | by | times | calls over kept connections | failed | p99 ms | new connections | lost | |\n");
    print("|---|---|--:|--:|--:|--:|--:|--:|---|\n");
    let a = Child::start_on_free_port(program, "service-a", &QUIET).await?;
    let mut held = true;
    for service in ["service-a", "service-b"] {
        for way in [Way::SharedPort, Way::HandedOver(TcpListener::bind("127.0.0.1:0")?)] {
            let flags = if service == "service-b" { vec!["--service-a".to_owned(), a.url()] } else { Vec::new() };
            let stage = Stage { program, service, flags, way, rate };
            held &= stage.play(replacements).await?;
        }
    }
    Ok(held)
}

impl Stage<'_> {
    async fn play(&self, replacements: usize) -> anyhow::Result<bool> {
        let first = self.start(([127, 0, 0, 1], 0).into()).await?;
        let (address, url) = (first.address(), first.url());
        let (over, until) = watch::channel(false);
        let load = async {
            // A second more than the replacements take, for the load begins a little before them.
            let calls = self.rate as usize * (replacements + 2);
            let how = Loop::Open(self.rate);
            match self.service {
                "service-a" => load::echo(self.program, &url, how, calls, LOAD_TIMEOUT).await,
                _ => load::run(self.program, &url, how, calls, LOAD_TIMEOUT).await,
            }
        };
        let replaced = async {
            let last = self.replace(first, replacements).await;
            over.send_replace(true);
            last
        };
        let (report, last, newcomers) = tokio::join!(load, replaced, self.newcomers(address, until));
        drop(last?);
        Ok(self.tell(replacements, &report?, &newcomers))
    }

    async fn start(&self, listen: SocketAddr) -> anyhow::Result<Child> {
        let mut flags: Vec<&str> = QUIET.into_iter().chain(self.flags.iter().map(String::as_str)).collect();
        match &self.way {
            Way::SharedPort => {
                flags.push("--reuse-port");
                Child::start_at(self.program, self.service, listen, &flags).await
            }
            Way::HandedOver(socket) => Child::start_with_socket(self.program, self.service, socket, &flags).await,
        }
    }

    /// One process after the other; returns the last one.
    async fn replace(&self, mut serving: Child, times: usize) -> anyhow::Result<Child> {
        for _ in 0..times {
            let next = Instant::now() + PACE;
            let successor = self.start(serving.address()).await?;
            serving.terminate()?;
            serving.exited().await?;
            serving = successor;
            sleep_until(next).await;
        }
        Ok(serving)
    }

    async fn newcomers(&self, address: SocketAddr, over: watch::Receiver<bool>) -> Newcomers {
        let path = if self.service == "service-a" { "/echo?msg=hello" } else { "/call-echo?msg=hello" };
        let mut seen = Newcomers::default();
        while !*over.borrow() {
            match http::ask(address, &Ask::get(path)).await {
                Ok(reply) if reply.status == 200 => seen.went_well += 1,
                Ok(reply) => seen.lost.push(reply.to_string()),
                Err(error) => seen.lost.push(format!("{error:#}")),
            }
            sleep(NEWLY).await;
        }
        seen
    }

    /// Prints a row. Whether it is as the contract has it.
    fn tell(&self, times: usize, report: &Report, newcomers: &Newcomers) -> bool {
        let (way, may_lose_connects) = match self.way {
            Way::SharedPort => ("--reuse-port", true),
            Way::HandedOver(_) => ("LISTEN_FDS", false),
        };
        let Report { calls, errors, swapped_or_lost, p99_ms, failures, .. } = report;
        let Newcomers { went_well, lost } = newcomers;
        let held = *errors == 0 && *swapped_or_lost == 0 && (lost.is_empty() || may_lose_connects);
        let mark = if held { "✓" } else { "✗" };
        print(&format!(
            "| {} | {way:12} | {times} | {calls} | {} | {p99_ms:.1} | {went_well} | {} | {mark} {failures}{} |\n",
            self.service,
            errors + swapped_or_lost,
            lost.len(),
            lost.first().map_or(String::new(), |first| format!(" first: {first}"))
        ));
        held
    }
}
