//! A listening peer, in a thread of its own.

use std::{
    io,
    net::{Ipv4Addr, SocketAddr},
    sync::mpsc as blocking,
    thread::{self, JoinHandle},
    time::Duration,
};

use tokio::{
    net::TcpStream,
    runtime::{self, Runtime},
    sync::mpsc,
    task::JoinSet,
};

use crate::server::{
    behavior::Behavior, connection::serve, door::Doorway, end::End, event::Event, role::Role, step::Door,
};

/// A peer on a TCP port. It lives in a thread of its own, so that a test that blocks cannot stall it, and ends on drop.
#[derive(Debug)]
pub struct Peer {
    address: SocketAddr,
    role: Role,
    /// None while it is dropped: the end of the thread.
    orders: Option<mpsc::UnboundedSender<Order>>,
    thread: Option<JoinHandle<()>>,
}

/// Behave so, and say when it is done.
struct Order(Behavior, blocking::Sender<io::Result<()>>);

impl Peer {
    /// Listens on a free port of 127.0.0.1. Errors: there is no such behavior, or the system has no port.
    pub fn start(behavior: &str) -> io::Result<Self> {
        Peer::listen(behavior.parse()?, (Ipv4Addr::LOCALHOST, 0).into())
    }

    /// Listens there. Errors: the port is taken; or connects shall vanish, and this is not Linux.
    pub fn listen(behavior: Behavior, at: SocketAddr) -> io::Result<Self> {
        let door = behavior.script.door;
        let role = Role::new(behavior);
        let (orders, incoming) = mpsc::unbounded_channel();
        let (started, start) = blocking::channel();
        let acted = role.clone();
        let live = move || {
            // `listen` waits for the address, or for the error.
            match open(at, door) {
                Ok((runtime, doorway)) => {
                    let _ = started.send(Ok(doorway.address()));
                    run(&runtime, doorway, &acted, incoming);
                }
                Err(error) => drop(started.send(Err(error))),
            }
        };
        let thread = thread::Builder::new().name("hostile-peer".into()).spawn(live)?;
        let address = start.recv().unwrap_or_else(|_| Err(gone()))?;
        Ok(Peer { address, role, orders: Some(orders), thread: Some(thread) })
    }

    /// Where it listens, or would.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The same as a URL: `http://127.0.0.1:38829`.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Behaves so from the next call and the next connection on; `peer.behave("echo")` heals it.
    ///
    /// When this returns it is so. Connections that the old behavior has spoilt are closed; to refuse closes all.
    /// Errors: there is no such behavior; or the port cannot be opened or closed.
    pub fn behave(&self, behavior: &str) -> io::Result<()> {
        let (done, answer) = blocking::channel();
        let order = Order(behavior.parse()?, done);
        let sent = self.orders.as_ref().is_some_and(|orders| orders.send(order).is_ok());
        if !sent {
            return Err(gone());
        }
        answer.recv().unwrap_or_else(|_| Err(gone()))
    }

    /// How many connections it has accepted.
    pub fn connections(&self) -> usize {
        self.role.connections()
    }

    /// How many calls it got: requests whose HEADERS have arrived.
    pub fn calls(&self) -> usize {
        self.role.calls()
    }

    /// The next event; blocks until there is one, at most for `within`.
    pub fn next_event(&self, within: Duration) -> Option<Event> {
        self.role.next_event(within)
    }

    /// The next event; waits until there is one, without blocking the thread.
    pub async fn event(&self) -> Event {
        self.role.event().await
    }
}

impl Drop for Peer {
    /// Closes the port and every connection.
    fn drop(&mut self) {
        self.orders = None;
        if let Some(thread) = self.thread.take() {
            // It has panicked, and said so: nothing to add.
            let _ = thread.join();
        }
    }
}

/// A port, and the runtime it belongs to. Both are the thread's own: a runtime must not end within another.
fn open(at: SocketAddr, door: Door) -> io::Result<(Runtime, Doorway)> {
    let runtime = runtime::Builder::new_current_thread().enable_all().build()?;
    let doorway = runtime.block_on(async { Doorway::new(at, door) })?;
    Ok((runtime, doorway))
}

fn gone() -> io::Error {
    io::Error::new(io::ErrorKind::BrokenPipe, "the peer's thread has ended")
}

fn run(runtime: &Runtime, mut doorway: Doorway, role: &Role, mut orders: mpsc::UnboundedReceiver<Order>) {
    runtime.block_on(async {
        let mut connections = JoinSet::new();
        loop {
            tokio::select! {
                // Orders first: what is connected after `behave` has returned finds the new behavior.
                biased;
                order = orders.recv() => match order {
                    Some(Order(behavior, done)) => {
                        let moved = doorway.set(behavior.script.door).inspect(|()| role.behave(behavior));
                        // `behave` waits for it, unless its thread has ended.
                        let _ = done.send(moved);
                    }
                    None => return,
                },
                stream = doorway.accept() => {
                    connections.spawn(converse(stream, role.clone()));
                }
                Some(_) = connections.join_next() => {}
            }
        }
    });
}

async fn converse(mut stream: TcpStream, role: Role) {
    // Without it, what a client shall see first could wait for what it shall see next.
    let _ = stream.set_nodelay(true);
    if serve(&mut stream, &role).await == End::Reset {
        // Lingering for no time at all makes of the close a reset.
        let _ = socket2::SockRef::from(&stream).set_linger(Some(Duration::ZERO));
    }
}
