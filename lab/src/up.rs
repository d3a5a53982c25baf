//! `lab up`: the pair until Ctrl-C, for you to call and to break.

use std::{
    cell::RefCell,
    process::{ExitCode, ExitStatus},
    rc::Rc,
    time::Duration,
};

use anyhow::Context as _;
use futures_util::future::join_all;
use tokio::{
    sync::broadcast::{Receiver, error::RecvError},
    task::JoinHandle,
    time::timeout,
};

use crate::{
    child::Child,
    control::{Ear, Wish},
    failures::{Kind, Scene, Stage, Times, table},
    print::print,
    program::Program,
    signals::Signals,
};

/// A log ends with its process, so this is far more than it takes.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// Where the pair listens.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The port of A; 0 takes a free one
    #[arg(long, value_name = "PORT", default_value = "8080", value_parser = port)]
    port_a: u16,

    /// The port of B; 0 takes a free one
    #[arg(long, value_name = "PORT", default_value = "8081", value_parser = port)]
    port_b: u16,
}

fn port(text: &str) -> Result<u16, String> {
    text.parse().map_err(|_| "expected a port from 0 to 65535".into())
}

/// Runs the pair until Ctrl-C or SIGTERM, then drains it; meanwhile `lab break` may break it. Exit code 0.
///
/// Errors: a service did not start; it has said why.
pub async fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let mut signals = Signals::new()?;
    let ports = [args.port_a, args.port_b];
    let starting = Stage::set(Program::this()?, Kind::Ours, Times::DEFAULT, Scene::Well, ports);
    let mut stage = tokio::select! {
        started = starting => started.context("lab up takes --port-a and --port-b, and 0 for a free port")?,
        code = signals.next() => return Ok(ExitCode::from(code)),
    };
    let ear = Ear::open(stage.b().address().port())?;
    say(&what_to_try(&mut stage));
    let logs = Logs::default();
    stage.on_start({
        let logs = logs.clone();
        move |child| logs.relay(child)
    });
    watch(&mut stage, &ear, &mut signals).await;
    // B first: its calls may still need A.
    for child in stage.into_children().into_iter().rev() {
        end(child, &mut signals).await?;
    }
    logs.end().await;
    Ok(ExitCode::SUCCESS)
}

/// Until a signal comes. A child that ends by itself, or by your hand, is part of the play.
async fn watch(stage: &mut Stage, ear: &Ear, signals: &mut Signals) {
    let mut told = [false; 2];
    loop {
        let stream = tokio::select! {
            (name, status) = stage.ended(told) => {
                told[usize::from(name == "B")] = true;
                say(&gone(stage, name, status));
                continue;
            }
            stream = ear.next() => stream,
            _ = signals.next() => return,
        };
        let Some(wish) = Wish::read(stream).await else { continue };
        let granted = tokio::select! {
            granted = wish.grant(stage) => granted,
            _ = signals.next() => return,
        };
        if let Err(error) = granted {
            say(&format!("the pair could not be healed: {error:#}"));
        }
        told = [false; 2];
    }
}

/// SIGTERM, once; and once more for each further Ctrl-C, which a service takes for impatience.
async fn end(mut child: Child, signals: &mut Signals) -> anyhow::Result<()> {
    child.terminate()?;
    // Perhaps it was frozen by hand.
    child.thaw()?;
    loop {
        tokio::select! {
            ended = child.exited() => return ended.map(drop),
            _ = signals.next() => child.terminate()?,
        }
    }
}

/// The children's logs, interleaved.
#[derive(Clone, Default)]
struct Logs(Rc<RefCell<Vec<JoinHandle<()>>>>);

impl Logs {
    /// Prints what `child` logs, from its first line to its last.
    fn relay(&self, child: &mut Child) {
        let name = if child.name() == "service-a" { 'A' } else { 'B' };
        self.0.borrow_mut().push(tokio::spawn(relay(name, child.log())));
    }

    /// Waits a moment for the last words.
    async fn end(&self) {
        let _ = timeout(LAST_WORDS, join_all(self.0.take())).await;
    }
}

async fn relay(name: char, mut log: Receiver<String>) {
    loop {
        match log.recv().await {
            Ok(line) => say(&format!("{name} | {line}")),
            Err(RecvError::Lagged(lines)) => say(&format!("{name} | … {lines} lines left out")),
            Err(RecvError::Closed) => return,
        }
    }
}

fn gone(stage: &mut Stage, name: &str, status: Option<ExitStatus>) -> String {
    let how = status.map_or_else(|| "nobody knows how".to_owned(), |status| status.to_string());
    let (a, b) = (stage.a().url(), stage.b().address());
    let again = match name {
        "A" => format!("cargo service-a --listen {} --fault-injection", a.trim_start_matches("http://")),
        _ => format!("cargo service-b --listen {b} --service-a {a} --fault-injection"),
    };
    format!("{name} is gone ({how}). To start it again, in another terminal: {again}")
}

fn what_to_try(stage: &mut Stage) -> String {
    let (a, b) = (stage.a().url(), stage.b().url());
    let pid = stage.a().pid().unwrap_or_default();
    let port_b = stage.b().address().port();
    let default = a.ends_with(":8080") && port_b == 8081;
    let port = if port_b == 8081 { String::new() } else { format!(" --port-b {port_b}") };
    let where_they_are = if default { String::new() } else { format!(" --service-a {a} --service-b {b}") };
    format!(
        "\
A  {a}   pid {pid}
B  {b}   pid {pid_b}
Faults on: both obey the metadata rpc-behavior.

In another terminal, try:
  cargo test-client{where_they_are} call-echo hello
  curl '{b}/call-echo?msg=hello'
  cargo test-client{where_they_are} call-echo hello -H 'rpc-behavior: sleep-3'   # A takes 3 s: UNAVAILABLE after 2 s
  kill -STOP {pid}     # A freezes: B answers UNAVAILABLE after 2 s
  kill -CONT {pid}     # A goes on, and so does B
  kill -9 {pid}        # A is gone: UNAVAILABLE in milliseconds, and B stays healthy
  cargo lab break{port} a-frozen   # the same and {failures} more, one command each: see cargo lab break --list
Ctrl-C ends both.
",
        pid_b = stage.b().pid().unwrap_or_default(),
        failures = table::FAILURES.len() - 1,
    )
}

fn say(line: &str) {
    print(&format!("{line}\n"));
}
