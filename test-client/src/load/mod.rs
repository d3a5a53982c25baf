//! `load`: many calls, by the clock or one after the other, and a report of what came of them.
//!
//! schedule → loops → caller (over links) → tally, each thread for itself; then report → text, JSON, CSV, HTML → exit code.

pub mod args;

mod busy;
mod caller;
mod fail_if;
mod html;
mod latency;
mod links;
mod live;
mod loops;
mod machine;
mod outcome;
mod report;
mod schedule;
mod seconds;
mod svg;
mod tally;
mod text;
mod thread;
mod worker;

use std::{
    fs::File,
    io::{self, Write},
    sync::{Arc, Barrier, OnceLock},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use service_runtime::{
    output::{self, to_stderr, to_stdout},
    printable::printable_lines,
    shutdown::Hangup,
};
use tokio::{
    runtime::Runtime,
    signal::unix::{SignalKind, signal},
    sync::{oneshot, watch},
    time::interval,
};

use self::report::Report;
use crate::{
    args::{Output, WRONG_COMMAND_LINE},
    options::{CallOptions, Called},
    report::{json_to_stdout, told_or, warn_of_ignored_behavior, written_or},
};
use args::LoadArgs;
use live::Live;
use tally::Tally;
use worker::Shared;

/// How often the line on the terminal is written anew.
const PROGRESS: Duration = Duration::from_millis(500);

/// Makes the calls, prints the report, and says with which exit code to end.
pub fn run(load: &LoadArgs, options: CallOptions, output: Output) -> u8 {
    // Before the calls are made: it would be late to find out after them.
    let page = match load.html.as_ref().map(File::create).transpose() {
        Ok(page) => page,
        Err(error) => return complain(&format!("cannot write --html: {error}"), WRONG_COMMAND_LINE),
    };
    match make(load, options) {
        Ok(report) => conclude(&report, output, page),
        Err(error) => complain(&error.to_string(), 1),
    }
}

fn complain(sentence: &str, code: u8) -> u8 {
    output::complain(sentence);
    code
}

/// Prints the report; 1 where a condition of `--fail-if` holds or something cannot be written, 64 and the gRPC code where no call
/// could be made.
fn conclude(report: &Report, output: Output, page: Option<File>) -> u8 {
    let failed: Vec<_> = report.load.fail_if.iter().filter_map(|condition| condition.held(report)).collect();
    let printed = match output {
        Output::Text => to_stdout(&format!("{}\n", printable_lines(&text::text(report)))),
        Output::Json => json_to_stdout(&machine::json(report, &failed)),
        Output::Csv => to_stdout(&format!("{}\n", machine::csv(report))),
    };
    let page = page.map_or(Ok(()), |mut page| page.write_all(html::page(report, &failed).as_bytes()));
    let page = page.map_err(|error| io::Error::new(error.kind(), format!("cannot write --html: {error}")));
    let warned = warn_of_ignored_behavior(report.tally.ignores_behavior, report.options.called.name);
    let told = failed.iter().try_for_each(|condition| to_stderr(&format!("failed: {condition}")));
    let code = told_or(&warned.and(told), own_exit_code(report, &failed));
    [printed, page].into_iter().fold(code, |code, written| written_or(written, code))
}

fn own_exit_code(report: &Report, failed: &[String]) -> u8 {
    match report.never_sent() {
        _ if !failed.is_empty() => 1,
        Some(outcome) => {
            let Called { name, target } = &report.options.called;
            let why = format!("no call was made: cannot reach {name} at {target} ({})", outcome.reason);
            complain(&why, 64 + outcome.code as u8)
        }
        None => 0,
    }
}

fn make(load: &LoadArgs, options: CallOptions) -> io::Result<Report> {
    let runtime = new_runtime()?;
    let (stop, stopping) = watch::channel(false);
    let shared = Arc::new(Shared {
        load: load.clone(),
        options: options.clone(),
        run: run_id(),
        connected: Barrier::new(load.threads),
        epoch: OnceLock::new(),
        stop: stopping,
        glimpses: (0..load.threads).map(|_| Default::default()).collect(),
    });
    let tallies = start(&shared)?;
    let tally = runtime.block_on(watch_over(&shared, tallies, &stop))?;
    Ok(Report::new(load, options, *stop.borrow(), tally))
}

fn new_runtime() -> io::Result<Runtime> {
    tokio::runtime::Builder::new_current_thread().enable_all().build()
}

/// Tells the texts of this run from those of one before it, or beside it.
fn run_id() -> u32 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    now.subsec_nanos() ^ std::process::id().rotate_left(16)
}

/// Starts the threads. All runtimes come first, for a thread that is missing would be waited for.
fn start(shared: &Arc<Shared>) -> io::Result<Vec<oneshot::Receiver<Tally>>> {
    let runtimes = (0..shared.load.threads).map(|_| new_runtime()).collect::<io::Result<Vec<_>>>()?;
    let start = |(index, runtime)| {
        let shared = shared.clone();
        let (sender, tally) = oneshot::channel();
        std::thread::spawn(move || drop(sender.send(thread::work(runtime, shared, index))));
        tally
    };
    Ok(runtimes.into_iter().enumerate().map(start).collect())
}

/// Waits for the threads, passes Ctrl-C and the other signals that end it on to them, and shows how it is going.
async fn watch_over(
    shared: &Shared,
    tallies: Vec<oneshot::Receiver<Tally>>,
    stop: &watch::Sender<bool>,
) -> io::Result<Tally> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let mut hangup = Hangup::new()?;
    let mut live = Live::new();
    let mut progress = interval(PROGRESS);
    let mut sum = std::pin::pin!(add_up(tallies));
    let sum = loop {
        tokio::select! {
            sum = &mut sum => break sum,
            _ = interrupt.recv() => { stop.send_replace(true); }
            _ = terminate.recv() => { stop.send_replace(true); }
            () = hangup.recv() => { stop.send_replace(true); }
            _ = progress.tick() => live.show(&shared.glimpses),
        }
    };
    live.clear();
    sum.ok_or_else(|| io::Error::other("a thread that makes calls has died"))
}

async fn add_up(tallies: Vec<oneshot::Receiver<Tally>>) -> Option<Tally> {
    let mut sum: Option<Tally> = None;
    for tally in tallies {
        let tally = tally.await.ok()?;
        match &mut sum {
            Some(sum) => sum.add(tally),
            None => sum = Some(tally),
        }
    }
    sum
}
