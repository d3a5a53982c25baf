//! `lab up`: the pair until Ctrl-C, for you to call and to break.

use std::{
    cell::RefCell,
    io::ErrorKind,
    net::{Ipv4Addr, TcpListener},
    process::{ExitCode, ExitStatus},
    rc::Rc,
    time::Duration,
};

use anyhow::{Context as _, ensure};
use futures_util::future::join_all;
use service_runtime::output::complain;
use tokio::{
    sync::broadcast::{Receiver, error::RecvError},
    task::JoinHandle,
    time::timeout,
};

use crate::{
    child::Child,
    control::{BreakRequest, ControlSocket, next_request},
    failures::{Kind, Scene, Stage, Times, ports_after, table},
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

    /// How many As there are; the others take the ports after A's, but for B's
    #[arg(long, value_name = "N", default_value = "1", value_parser = count)]
    replicas: usize,

    /// The port of B; 0 takes a free one
    #[arg(long, value_name = "PORT", default_value = "8081", value_parser = port)]
    port_b: u16,

    /// A call's line of the services' logs: the lab's five fields (lab), all there are (text), or those as an object (json)
    #[arg(long, value_name = "FORMAT", default_value = "lab", value_parser = ["lab", "text", "json"])]
    log_format: String,
}

/// A port's number, for clap.
pub(crate) fn port(text: &str) -> Result<u16, String> {
    text.parse().map_err(|_| "expected a port from 0 to 65535".into())
}

/// How many replicas of A there are.
pub(crate) fn count(text: &str) -> Result<usize, String> {
    text.parse().ok().filter(|count| (1..=100).contains(count)).ok_or_else(|| "expected a number from 1 to 100".into())
}

/// Runs the pair until Ctrl-C or SIGTERM, then drains it; meanwhile `lab break` may break it. Exit code 0.
///
/// Errors: a service did not start; it has said why.
pub async fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let mut signals = Signals::new()?;
    let ports = [args.port_a, args.port_b];
    let others = args.replicas - 1;
    if let Some(sentence) = collision(ports) {
        complain(&sentence);
        return Ok(ExitCode::from(2));
    }
    // Before a service finds out, which would advise a flag of its own.
    are_free(ports, others)?;
    let program = Program::this()?.with_log_format(log_format(&args.log_format));
    let starting = Stage::set_beside(others, program, Kind::Ours, Times::DEFAULT, Scene::Well, ports);
    let mut stage = tokio::select! {
        started = starting => started.context("lab up takes --port-a and --port-b, and 0 for a free port")?,
        code = signals.next() => return Ok(ExitCode::from(code)),
    };
    // A convenience: the pair runs without it too.
    let socket = ControlSocket::open(stage.b().address().port());
    say(&what_to_try(&mut stage, socket.as_ref().err()));
    let logs = Logs::default();
    stage.on_start({
        let logs = logs.clone();
        move |name, child| logs.relay(name, child)
    });
    watch(&mut stage, socket.ok().as_ref(), &mut signals).await;
    // B first: its calls may still need A.
    for (_, child) in stage.processes().into_iter().rev() {
        end(child, &mut signals).await?;
    }
    drop(stage);
    logs.end().await;
    Ok(ExitCode::SUCCESS)
}

fn log_format(name: &str) -> &'static str {
    match name {
        "text" => "text",
        "json" => "json",
        _ => "lab",
    }
}

fn collision([a, b]: [u16; 2]) -> Option<String> {
    (a == b && a != 0)
        .then(|| format!("A and B cannot both have port {a}; expected another one for --port-a or --port-b"))
}

/// Errors: one is taken; one sentence that names the flag which helps.
fn are_free([a, b]: [u16; 2], others: usize) -> anyhow::Result<()> {
    let of_a = [a].into_iter().chain(ports_after(a, b, others)).map(|port| ("--port-a", port));
    for (flag, port) in of_a.chain([("--port-b", b)]) {
        let taken =
            TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_err_and(|error| error.kind() == ErrorKind::AddrInUse);
        ensure!(!taken, "port {port} is taken; try {flag} 0, which takes a free one");
    }
    Ok(())
}

/// Until a signal comes. A child that ends by itself, or by your hand, is part of the play.
async fn watch(stage: &mut Stage, socket: Option<&ControlSocket>, signals: &mut Signals) {
    let mut ended = Vec::new();
    loop {
        let stream = tokio::select! {
            (name, status) = stage.ended(&ended) => {
                say(&gone(stage, &name, status));
                ended.push(name);
                continue;
            }
            stream = next_request(socket) => stream,
            _ = signals.next() => return,
        };
        let Some(request) = BreakRequest::read(stream).await else { continue };
        let played = tokio::select! {
            played = request.play(stage) => played,
            _ = signals.next() => return,
        };
        if let Err(error) = played {
            say(&format!("the pair could not be healed: {error:#}"));
        }
        ended.clear();
    }
}

/// SIGTERM, once; and once more for each further Ctrl-C, at which a service cuts the calls that it still has.
async fn end(child: &mut Child, signals: &mut Signals) -> anyhow::Result<()> {
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
    fn relay(&self, name: &str, child: &mut Child) {
        self.0.borrow_mut().push(tokio::spawn(relay(name.to_owned(), child.log())));
    }

    /// Waits a moment for the last words.
    async fn end(&self) {
        let _ = timeout(LAST_WORDS, join_all(self.0.take())).await;
    }
}

async fn relay(name: String, mut log: Receiver<String>) {
    loop {
        match log.recv().await {
            Ok(line) => say(&format!("{name} | {line}")),
            Err(RecvError::Lagged(lines)) => say(&format!("{name} | … {lines} lines left out")),
            Err(RecvError::Closed) => return,
        }
    }
}

fn gone(stage: &mut Stage, name: &str, status: Option<ExitStatus>) -> String {
    let how = status.map_or_else(|| "its exit status is unknown".to_owned(), |status| status.to_string());
    let urls = stage.urls();
    let address = stage.processes().into_iter().find(|(other, _)| other == name).map(|(_, process)| process.address());
    let listen = address.map_or_else(String::new, |address| address.to_string());
    let again = match name {
        "B" => format!("cargo service-b --listen {listen} --service-a {urls} --fault-injection"),
        _ => format!("cargo service-a --listen {listen} --fault-injection"),
    };
    format!("{name} is gone ({how}). To start it again, in another terminal: {again}")
}

fn what_to_try(stage: &mut Stage, unreachable: Option<&anyhow::Error>) -> String {
    let a = stage.a().url();
    let b = stage.b().url();
    let pid = stage.a().pid().unwrap_or_default();
    let port_b = stage.b().address().port();
    let default = a.ends_with(":8080") && port_b == 8081;
    let port = if port_b == 8081 { String::new() } else { format!(" --port-b {port_b}") };
    let (all, frozen, gone) = match stage.has_others() {
        false => (
            "both",
            "A freezes: B answers UNAVAILABLE after 2 s",
            "A is gone: UNAVAILABLE in milliseconds, and B stays healthy",
        ),
        true => (
            "all",
            "A1 freezes: some five calls run into B's cap, then it gets none for 10 s",
            "A1 is gone, and no caller notices",
        ),
    };
    let processes = stage.processes();
    let row = |(name, child): &(String, &mut Child)| {
        format!("{name:2} {}   pid {}\n", child.url(), child.pid().unwrap_or_default())
    };
    let rows: String = processes.iter().map(row).collect();
    let by_name = match unreachable {
        Some(why) => format!("cargo lab break cannot reach this pair: {why}"),
        None => format!(
            "  cargo lab break{port} a-frozen   # the same and {} more, one command each: see cargo lab break --list",
            table::FAILURES.len() - 1
        ),
    };
    let where_they_are = if default { String::new() } else { format!(" --service-a {a} --service-b {b}") };
    format!(
        "\
{rows}Faults on: {all} obey the metadata rpc-behavior.

In another terminal, try:
  cargo test-client{where_they_are} call-echo hello
  curl '{b}/call-echo?msg=hello'
  cargo test-client{where_they_are} call-echo hello -H 'rpc-behavior: sleep-3'   # A takes 3 s: UNAVAILABLE after 2 s
  kill -STOP {pid}     # {frozen}
  kill -CONT {pid}     # it goes on, and so does B
  kill -9 {pid}        # {gone}
{by_name}
Ctrl-C ends {all}.
"
    )
}

fn say(line: &str) {
    print(&format!("{line}\n"));
}
