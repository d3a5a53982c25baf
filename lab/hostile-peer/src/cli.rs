//! The command line of a peer: `hostile-peer <behaviour>`, and `lab peer <behaviour>`, which is the same.

use std::{
    io::{self, Write as _},
    net::{SocketAddr, ToSocketAddrs as _},
    process::ExitCode,
    time::{Duration, Instant},
};

use crate::{Behavior, Event, EventKind, Peer, groups, listing};

/// How to misbehave, and where.
#[derive(Debug, clap::Args)]
#[group(id = "peer")]
pub struct Args {
    /// How to misbehave, such as headers-then-stall
    #[arg(value_name = "BEHAVIOUR", required_unless_present = "list")]
    behavior: Option<String>,

    /// Where to listen, on this machine only but with --expose; port 0 takes a free one
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:0", value_parser = address)]
    listen: SocketAddr,

    /// Listen on an address that others reach too, such as 0.0.0.0:9000: a container's, say
    #[arg(long)]
    expose: bool,

    /// Show every behavior there is
    #[arg(long, conflicts_with = "behavior")]
    list: bool,
}

/// An address and a port, also by name; of a name's addresses one that is this machine's own, if there is any. Errors: one sentence.
fn address(text: &str) -> Result<SocketAddr, String> {
    let has_port = text.rsplit_once(':').is_some_and(|(host, port)| !host.is_empty() && port.parse::<u16>().is_ok());
    if !has_port {
        return Err("expected an address and a port such as 127.0.0.1:8080 or localhost:8080".to_owned());
    }
    let addresses: Vec<SocketAddr> = text.to_socket_addrs().map(Iterator::collect).unwrap_or_default();
    let own = addresses.iter().find(|address| address.ip().is_loopback());
    let unknown = || format!("'{text}' has no address; expected one such as 127.0.0.1:8080 or localhost:8080");
    own.or(addresses.first()).copied().ok_or_else(unknown)
}

/// An address on this machine, also by name. Errors: it is another's; one sentence.
pub fn loopback(text: &str) -> Result<SocketAddr, String> {
    let address = address(text)?;
    match address.ip().is_loopback() {
        true => Ok(address),
        false => Err(format!("expected a loopback address such as 127.0.0.1:{}: it is a test tool", address.port())),
    }
}

/// Plays one behavior, and prints what it sees, `until` it is enough: exit code 0. Exit code 2 if there is none of that name, or
/// others would reach it without `--expose`; `command` is what the user has typed, such as `lab peer`.
///
/// Errors: the port is taken, or standard output cannot be written; one sentence.
pub async fn run(args: &Args, command: &str, until: impl Future) -> io::Result<ExitCode> {
    let Some(name) = &args.behavior else {
        print(&listing::text(groups(), listing::width(groups())))?;
        return Ok(ExitCode::SUCCESS);
    };
    let behavior = match name.parse() {
        Ok(behavior) => behavior,
        Err(unknown) => return Ok(refused(&listing::where_to_look(&unknown, &format!("{command} --list")))),
    };
    if !args.listen.ip().is_loopback() && !args.expose {
        let (at, port) = (args.listen, args.listen.port());
        return Ok(refused(&format!(
            "others could reach {at}; expected a loopback address such as 127.0.0.1:{port}, or --expose: it is a test tool"
        )));
    }
    play(behavior, args.listen, until).await
}

fn refused(sentence: &str) -> ExitCode {
    complain(sentence);
    ExitCode::from(2)
}

/// `error: <sentence>` on standard error. Where that cannot be written either, the exit code is all that can be told.
pub fn complain(sentence: &str) {
    let _ = writeln!(io::stderr(), "error: {sentence}");
}

async fn play(behavior: Behavior, at: SocketAddr, until: impl Future) -> io::Result<ExitCode> {
    let what = format!("behaviour={}: {}", behavior.name(), behavior.does());
    let from = Instant::now();
    let listening = Peer::listen(behavior, at);
    let cannot = |error| io::Error::other(format!("cannot listen on {at}; try --listen 127.0.0.1:0: {error}"));
    let peer = listening.map_err(cannot)?;
    print(&format!("listening={} {what}\n", peer.url()))?;
    let mut until = std::pin::pin!(until);
    loop {
        tokio::select! {
            event = peer.event() => print(&line(event, from))?,
            _ = &mut until => break,
        }
    }
    // What happened before is told.
    while let Some(event) = peer.next_event(Duration::ZERO) {
        print(&line(event, from))?;
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

/// A reader that has closed its end of the pipe has seen enough: no error.
fn print(text: &str) -> io::Result<()> {
    match io::stdout().write_all(text.as_bytes()).and_then(|()| io::stdout().flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(io::Error::other(format!("cannot write to standard output: {error}")))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_addresses_and_names_of_this_machine() {
        for own in ["127.0.0.1:80", "127.9.9.9:80", "[::1]:80", "localhost:80"] {
            assert!(loopback(own).is_ok_and(|address| address.ip().is_loopback() && address.port() == 80), "{own}");
        }
        for others in ["0.0.0.0:80", "[::]:80", "10.0.0.1:80"] {
            assert!(loopback(others).unwrap_err().starts_with("expected a loopback address such as 127.0.0.1:80"));
            assert!(address(others).is_ok());
        }
        for none in ["", "localhost", "127.0.0.1", ":80", "localhost:x", "localhost:99999", "::1"] {
            assert!(address(none).unwrap_err().contains("such as 127.0.0.1:8080 or localhost:8080"), "{none}");
        }
        assert!(address("nobody.invalid:80").unwrap_err().starts_with("'nobody.invalid:80' has no address"));
    }
}
