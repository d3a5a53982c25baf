//! Where a server listens: an address, or a listener that somebody else has opened.

use std::{
    io,
    net::{SocketAddr, TcpListener},
};

use anyhow::{Context as _, anyhow, bail};
use socket2::{Domain, Socket, Type};

use super::{
    listener::Listener,
    socket_file::{self, BACKLOG, SocketFile},
};
use crate::address::Address;

/// An address to listen on, or a listener.
#[derive(Debug)]
pub struct Listen {
    source: Source,
    is_handed_over: bool,
}

#[derive(Debug)]
pub(super) enum Source {
    Address(Address),
    Std(TcpListener),
    Tokio(tokio::net::TcpListener),
    Unix(SocketFile),
}

impl From<Source> for Listen {
    fn from(source: Source) -> Self {
        Listen { source, is_handed_over: false }
    }
}

impl From<Address> for Listen {
    fn from(address: Address) -> Self {
        Source::Address(address).into()
    }
}

impl From<SocketAddr> for Listen {
    fn from(address: SocketAddr) -> Self {
        Address::from(address).into()
    }
}

impl From<TcpListener> for Listen {
    fn from(listener: TcpListener) -> Self {
        Source::Std(listener).into()
    }
}

impl From<tokio::net::TcpListener> for Listen {
    fn from(listener: tokio::net::TcpListener) -> Self {
        Source::Tokio(listener).into()
    }
}

impl From<SocketFile> for Source {
    fn from(file: SocketFile) -> Self {
        Source::Unix(file)
    }
}

impl From<TcpListener> for Source {
    fn from(listener: TcpListener) -> Self {
        Source::Std(listener)
    }
}

impl Listen {
    /// A socket that the process was started with.
    pub(super) fn handed_over(socket: impl Into<Source>) -> Self {
        Listen { source: socket.into(), is_handed_over: true }
    }

    /// Whether it is the socket that the process was started with.
    pub fn is_handed_over(&self) -> bool {
        self.is_handed_over
    }

    /// Where it listens, or is to listen. Errors: the system does not tell.
    pub fn address(&self) -> io::Result<Address> {
        Ok(match &self.source {
            Source::Address(address) => address.clone(),
            Source::Std(listener) => listener.local_addr()?.into(),
            Source::Tokio(listener) => listener.local_addr()?.into(),
            Source::Unix(file) => file.address(),
        })
    }

    /// The listener, for the runtime that this is called in.
    pub(super) fn open(self) -> anyhow::Result<Listener> {
        const UNUSABLE: &str = "the listener cannot be used";
        match self.source {
            // Where it was given as an address, there may be no flag to advise.
            Source::Address(address) => bind_as_advised(address, false, "")?.open(),
            Source::Tokio(listener) => Ok(Listener::Tcp(listener)),
            Source::Std(listener) => {
                listener.set_nonblocking(true).context(UNUSABLE)?;
                Ok(Listener::Tcp(tokio::net::TcpListener::from_std(listener).context(UNUSABLE)?))
            }
            Source::Unix(file) => Listener::unix(file).context(UNUSABLE),
        }
    }
}

/// Takes the port, or the file of a Unix socket. With `reuse_port` another process may listen on the port too, to replace this one
/// without a gap.
///
/// A file that a dead process has left is replaced; it is removed when the server stops listening; who may connect is for the umask
/// and its folder to say. Errors: one sentence that says what to do, such as `port 8080 is taken; try 127.0.0.1:0`.
pub fn bind(address: Address, reuse_port: bool) -> anyhow::Result<Listen> {
    bind_as_advised(address, reuse_port, "")
}

/// The same; `flag` stands before what the sentence advises, and is `--listen ` where a command line has it.
pub(crate) fn bind_as_advised(address: Address, reuse_port: bool, flag: &str) -> anyhow::Result<Listen> {
    let address = match address {
        Address::Tcp(address) => address,
        Address::Unix(_) if reuse_port => {
            let reuse_port = if flag.is_empty() { "reuse_port" } else { "--reuse-port" };
            bail!("a port can be shared, the file of {address} cannot: leave {reuse_port} out")
        }
        Address::Unix(path) => return Ok(Source::Unix(socket_file::bind(path, flag)?).into()),
    };
    let listener = listen_on(address, reuse_port).map_err(|error| match error.kind() {
        io::ErrorKind::AddrInUse => {
            anyhow!("port {} is taken; try {flag}{}", address.port(), SocketAddr::new(address.ip(), 0))
        }
        io::ErrorKind::PermissionDenied => {
            anyhow!("port {} needs more rights than this process has; try one above 1023", address.port())
        }
        _ => anyhow!("cannot listen on {address}: {error}; try {flag}127.0.0.1:0"),
    });
    Ok(listener?.into())
}

fn listen_on(address: SocketAddr, reuse_port: bool) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, None)?;
    // A restarted service must not wait until the last connections of its predecessor are forgotten.
    socket.set_reuse_address(true)?;
    socket.set_reuse_port(reuse_port)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}
