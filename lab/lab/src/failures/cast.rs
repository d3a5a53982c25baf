//! Who stands where: A or what is in its place, and B.

use std::{iter, net::SocketAddr, time::Duration};

use anyhow::{Context as _, ensure};
use hostile_peer::Peer;

use super::{
    failure::Times,
    scene::{SHORTEST_KEEPALIVE, Scene},
};
use crate::{
    child::Child,
    program::{Program, STOCK_TONIC},
};

/// Whose B is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Ours.
    Ours,
    /// tonic's guide's (`lab/stock-tonic`).
    Stock,
}

/// What stands in A's place.
pub enum Seat {
    /// A itself.
    Service(Box<Child>),
    /// A hostile peer.
    Peer(Peer),
    /// Nothing; B is told a name that has no address.
    Nobody,
}

/// Where nothing can listen: the name is reserved for that (RFC 6761).
const NOBODY: &str = "http://nobody.invalid:8080";

impl Seat {
    /// An A that behaves so `from_the_start` does so whatever a call asks for. Errors: A does not start.
    pub(super) async fn take(program: &Program, scene: Scene, port: u16, from_the_start: bool) -> anyhow::Result<Seat> {
        let listen = SocketAddr::from(([127, 0, 0, 1], port));
        Ok(match scene {
            Scene::Unresolved => Seat::Nobody,
            Scene::Peer(behavior) => Seat::Peer(Peer::listen(behavior.parse()?, listen)?),
            _ => {
                let behavior = scene.behavior().filter(|_| from_the_start);
                let faults = behavior.map_or(vec!["--fault-injection"], |behavior| vec!["--rpc-behavior", behavior]);
                Seat::Service(Box::new(start_a(program, listen, &faults).await?))
            }
        })
    }

    pub(super) fn address(&self) -> Option<SocketAddr> {
        match self {
            Seat::Service(a) => Some(a.address()),
            Seat::Peer(peer) => Some(peer.address()),
            Seat::Nobody => None,
        }
    }

    pub(super) fn service(&mut self) -> Option<&mut Child> {
        match self {
            Seat::Service(a) => Some(a),
            Seat::Peer(_) | Seat::Nobody => None,
        }
    }

    /// A's process id, while it runs.
    pub fn pid(&self) -> Option<u32> {
        match self {
            Seat::Service(a) => a.pid(),
            Seat::Peer(_) | Seat::Nobody => None,
        }
    }

    /// Where B looks for A.
    pub fn url(&self) -> String {
        self.address().map_or_else(|| NOBODY.to_owned(), |address| format!("http://{address}"))
    }
}

/// Starts more replicas of A, on the ports after `first` but for B's; on free ones where that is 0.
///
/// Errors: there are no such ports; one does not start.
pub(super) async fn start_others(program: &Program, [first, b]: [u16; 2], count: usize) -> anyhow::Result<Vec<Child>> {
    let ports = ports_after(first, b, count);
    ensure!(ports.len() == count, "there are no {} ports from {first} on", count + 1);
    let mut others = Vec::new();
    for port in ports {
        others.push(start_other(program, ([127, 0, 0, 1], port).into()).await?);
    }
    Ok(others)
}

/// The ports of the other replicas of A, where A has the first: those after it, but for B's.
pub fn ports_after(first: u16, b: u16, count: usize) -> Vec<u16> {
    match first {
        0 => iter::repeat_n(0, count).collect(),
        _ => (first..=u16::MAX).skip(1).filter(|port| *port != b).take(count).collect(),
    }
}

/// Starts one more replica of A, there. Errors: it does not start.
pub(super) async fn start_other(program: &Program, listen: SocketAddr) -> anyhow::Result<Child> {
    start_a(program, listen, &["--fault-injection"]).await
}

async fn start_a(program: &Program, listen: SocketAddr, faults: &[&str]) -> anyhow::Result<Child> {
    Child::start_at(program, "service-a", listen, faults).await.context("A")
}

/// Starts B, which looks for A at `a`, one address or more. Errors: it does not start.
pub(super) async fn start_b(
    program: &Program,
    kind: Kind,
    times: &Times,
    a: &str,
    scene: Scene,
    port: u16,
) -> anyhow::Result<Child> {
    // A peer that answers no PING is given up by the keepalive, the shortest here; a cap below it would come first, and a retry has
    // the same before it again, where there is no other replica.
    let alone = !a.contains(',');
    let half_open = scene == Scene::Peer("no-ping");
    let cap = if half_open { Duration::from_secs(60) } else { times.cap };
    let cap = cap.as_millis().to_string();
    let connect = times.connect.as_millis().to_string();
    let cap_ms = format!("{cap}ms");
    let connect_ms = format!("{connect}ms");
    let listen = SocketAddr::from(([127, 0, 0, 1], port));
    let common = ["--service-a", a];
    let ours = ["--fault-injection", "--service-a-timeout", &cap_ms];
    let connect_flag = ["--service-a-connect-timeout", &connect_ms];
    let stock = ["--service-a-timeout-ms", &cap, "--service-a-connect-timeout-ms", &connect];
    let more: &[&str] = match scene {
        Scene::Full => &["--max-concurrent-calls", "1"],
        _ if half_open && alone => &["--service-a-keepalive", SHORTEST_KEEPALIVE, "--retry-attempts", "1"],
        _ if half_open => &["--service-a-keepalive", SHORTEST_KEEPALIVE],
        _ => &[],
    };
    match kind {
        Kind::Ours => {
            let flags = [&common[..], &ours, &connect_flag, more].concat();
            Child::start_at(program, "service-b", listen, &flags).await
        }
        Kind::Stock => Child::start_at(program, STOCK_TONIC, listen, &[&common[..], &stock].concat()).await,
    }
    .context("B")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn leaves_bs_port_to_b() {
        assert_eq!(ports_after(8080, 8081, 2), [8082, 8083]);
        assert_eq!(ports_after(9000, 8081, 2), [9001, 9002]);
        assert_eq!(ports_after(0, 8081, 2), [0, 0]);
        assert_eq!(ports_after(65_534, 8081, 2), [65_535], "there are no more");
    }
}
