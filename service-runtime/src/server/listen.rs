//! Where a server listens: an address, or a listener that somebody else has opened.

use std::{io, net::SocketAddr};

use anyhow::Context as _;
use socket2::{Domain, Socket, Type};

/// Connections that wait to be accepted; one more has its connect repeated by its own system.
const BACKLOG: i32 = 1024;

/// An address to listen on, or a listener.
#[derive(Debug)]
pub struct Listen(Source);

#[derive(Debug)]
enum Source {
    Address(SocketAddr),
    Std(std::net::TcpListener),
    Tokio(tokio::net::TcpListener),
}

impl From<SocketAddr> for Listen {
    fn from(address: SocketAddr) -> Self {
        Listen(Source::Address(address))
    }
}

impl From<std::net::TcpListener> for Listen {
    fn from(listener: std::net::TcpListener) -> Self {
        Listen(Source::Std(listener))
    }
}

impl From<tokio::net::TcpListener> for Listen {
    fn from(listener: tokio::net::TcpListener) -> Self {
        Listen(Source::Tokio(listener))
    }
}

impl Listen {
    /// The listener, for the runtime that this is called in.
    pub(super) fn open(self) -> anyhow::Result<tokio::net::TcpListener> {
        let listener = match self.0 {
            Source::Tokio(listener) => return Ok(listener),
            Source::Address(address) => bind(address, false)?,
            Source::Std(listener) => listener,
        };
        listener.set_nonblocking(true).context("the listener cannot be used")?;
        tokio::net::TcpListener::from_std(listener).context("the listener cannot be used")
    }
}

/// Takes the port. With `reuse_port` another process may listen on it too, to replace this one without a gap.
///
/// Errors: one sentence that says what to do, such as `port 8080 is taken; try --listen 127.0.0.1:0`.
pub fn bind(address: SocketAddr, reuse_port: bool) -> anyhow::Result<std::net::TcpListener> {
    listen_on(address, reuse_port).map_err(|error| match error.kind() {
        io::ErrorKind::AddrInUse => {
            anyhow::anyhow!("port {} is taken; try --listen {}", address.port(), SocketAddr::new(address.ip(), 0))
        }
        io::ErrorKind::PermissionDenied => {
            anyhow::anyhow!("port {} needs more rights than this process has; try one above 1023", address.port())
        }
        _ => anyhow::anyhow!("cannot listen on {address}: {error}; try --listen 127.0.0.1:0"),
    })
}

fn listen_on(address: SocketAddr, reuse_port: bool) -> io::Result<std::net::TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, None)?;
    // A restarted service must not wait until the last connections of its predecessor are forgotten.
    socket.set_reuse_address(true)?;
    socket.set_reuse_port(reuse_port)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}
