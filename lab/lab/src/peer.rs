//! `lab peer`: a peer that misbehaves on purpose until Ctrl-C, for you to point your own gRPC client at.

use std::{
    net::SocketAddr,
    process::ExitCode,
    time::{Duration, Instant},
};

use anyhow::Context as _;
use hostile_peer::{Behavior, Event, EventKind, Peer, groups};
use service_runtime::output::complain;

use crate::{
    listing::{self, where_to_look},
    print::print,
    signals::Signals,
};

/// How to misbehave, and where.
#[derive(Debug, clap::Args)]
#[group(id = "peer")]
pub struct Args {
    /// How to misbehave, such as headers-then-stall
    #[arg(value_name = "BEHAVIOUR", required_unless_present = "list")]
    behavior: Option<String>,

    /// Where to listen, on this machine only; port 0 takes a free one
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:0", value_parser = loopback)]
    listen: SocketAddr,

    /// Show every behavior there is
    #[arg(long, conflicts_with = "behavior")]
    list: bool,
}

/// An address on this machine. Errors: it is another's; one sentence.
pub(crate) fn loopback(text: &str) -> Result<SocketAddr, String> {
    let wrong = |_| "expected an address and a port such as 127.0.0.1:8080".to_owned();
    let address: SocketAddr = text.parse().map_err(wrong)?;
    let local = || format!("expected a loopback address such as 127.0.0.1:{}: it is a test tool", address.port());
    if address.ip().is_loopback() { Ok(address) } else { Err(local()) }
}

/// Plays one behavior, and prints what it sees, until Ctrl-C or SIGTERM: exit code 0. Exit code 2 if there is none of that
/// name.
///
/// Errors: the port is taken.
pub async fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let Some(name) = &args.behavior else {
        print(&listing::text(groups(), listing::width(groups())));
        return Ok(ExitCode::SUCCESS);
    };
    match name.parse() {
        Ok(behavior) => play(behavior, args.listen).await,
        Err(unknown) => {
            complain(&where_to_look(&unknown, "lab peer --list"));
            Ok(ExitCode::from(2))
        }
    }
}

async fn play(behavior: Behavior, at: SocketAddr) -> anyhow::Result<ExitCode> {
    let mut signals = Signals::new()?;
    let what = format!("behaviour={}: {}", behavior.name(), behavior.does());
    let from = Instant::now();
    let listening = Peer::listen(behavior, at);
    let peer = listening.with_context(|| format!("cannot listen on {at}; try --listen 127.0.0.1:0"))?;
    print(&format!("listening={} {what}\n", peer.url()));
    loop {
        tokio::select! {
            event = peer.event() => print(&line(event, from)),
            _ = signals.next() => break,
        }
    }
    // What happened before Ctrl-C is told.
    while let Some(event) = peer.next_event(Duration::ZERO) {
        print(&line(event, from));
    }
    Ok(ExitCode::SUCCESS)
}

/// `   1204 ms  called (call 3)`
fn line(event: Event, from: Instant) -> String {
    let at: Duration = event.at.saturating_duration_since(from);
    let what = match event.kind {
        EventKind::Connected => "connected".to_owned(),
        EventKind::Called { attempt } => format!("called (call {attempt})"),
        EventKind::Cancelled => "cancelled by the client".to_owned(),
        EventKind::LimitKnown => "knows the new limit of calls".to_owned(),
        EventKind::Pinged => "PING".to_owned(),
        EventKind::Closed => "connection over".to_owned(),
    };
    format!("{:>7} ms  {what}\n", at.as_millis())
}
