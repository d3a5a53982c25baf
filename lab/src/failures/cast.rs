//! Who stands where: A or what is in its place, and B.

use std::{net::SocketAddr, time::Duration};

use anyhow::Context as _;
use hostile_peer::Peer;

use super::{Kind, Scene, Times};
use crate::{
    child::Child,
    program::{Program, STOCK_TONIC},
};

/// What stands in A's place.
pub enum Seat {
    /// A itself.
    Service(Box<Child>),
    /// A hostile peer.
    Peer(Peer),
    /// Nothing; B is told a name that has no address.
    Nobody,
}

/// Where nobody can be: the name is reserved for that (RFC 6761).
const NOBODY: &str = "http://nobody.invalid:8080";
impl Seat {
    pub(super) async fn take(program: &Program, kind: Kind, scene: Scene, port: u16) -> anyhow::Result<Seat> {
        let listen = SocketAddr::from(([127, 0, 0, 1], port));
        Ok(match scene {
            Scene::Unresolved => Seat::Nobody,
            Scene::Peer(behaviour) => Seat::Peer(Peer::listen(behaviour.parse()?, listen)?),
            _ => {
                let listen = listen.to_string();
                // Stock tonic passes nothing on, so A is told from the start.
                let behavior = scene.behavior().filter(|_| kind == Kind::Stock);
                let faults = behavior.map_or(vec!["--fault-injection"], |behavior| vec!["--rpc-behavior", behavior]);
                let flags = [&["--listen", &listen][..], &faults].concat();
                Seat::Service(Box::new(Child::start(program, "service-a", &flags).await.context("A")?))
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

/// Starts B. Errors: it does not start.
pub(super) async fn start_b(
    program: &Program,
    kind: Kind,
    times: &Times,
    a: &str,
    scene: Scene,
    port: u16,
) -> anyhow::Result<Child> {
    // A peer that answers no PING is given up by the keepalive; a cap below it would come first, and a retry has the same
    // before it again.
    let half_open = scene == Scene::Peer("no-ping");
    let cap = if half_open { Duration::from_secs(60) } else { times.cap };
    let (cap, connect) = (cap.as_millis().to_string(), times.connect.as_millis().to_string());
    let (cap_ms, connect_ms, listen) = (format!("{cap}ms"), format!("{connect}ms"), format!("127.0.0.1:{port}"));
    let common = ["--listen", &listen, "--service-a", a];
    let ours = ["--fault-injection", "--service-a-timeout", &cap_ms];
    let connect_flag = ["--service-a-connect-timeout", &connect_ms];
    let stock = ["--service-a-timeout-ms", &cap, "--service-a-connect-timeout-ms", &connect];
    let more: &[&str] = match scene {
        Scene::Full => &["--max-concurrent-calls", "1"],
        _ if half_open => &["--retry-attempts", "1"],
        _ => &[],
    };
    match kind {
        Kind::Ours => Child::start(program, "service-b", &[&common[..], &ours, &connect_flag, more].concat()).await,
        Kind::Stock => Child::start(program, STOCK_TONIC, &[&common[..], &stock].concat()).await,
    }
    .context("B")
}
