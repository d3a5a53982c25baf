//! The TCP port: open, refusing, or silent to connects.

use std::{io, net::SocketAddr, time::Duration};

use socket2::{Domain, SockRef, Socket, Type};
use tokio::net::{TcpListener, TcpStream};

use crate::server::step::Door;

/// A healthy listener's queue of connections that have not been accepted yet.
const BACKLOG: i32 = 1024;

/// One connect fills a queue of none, for Linux lets in one more than it is told; the others make sure.
const FILLERS: usize = 4;

/// A port that stays reserved whether or not the peer listens on it.
#[derive(Debug)]
pub(crate) struct Doorway {
    /// Bound, and never listens: the system gives it to no process that asks for a free port. (Who names it can have it while it refuses.)
    _reserved: Socket,
    address: SocketAddr,
    listener: Option<TcpListener>,
    /// Our own connects, in the queue of a listener whose connects shall vanish.
    fillers: Vec<Socket>,
    /// Where they come from: such a connection may be in the queue still, and is no client's.
    ours: Vec<SocketAddr>,
}

impl Doorway {
    /// Reserves that port, and opens it, or not.
    pub(crate) fn new(at: SocketAddr, door: Door) -> io::Result<Self> {
        let reserved = bound(at)?;
        let address = reserved.local_addr()?.as_socket().ok_or(io::ErrorKind::AddrNotAvailable)?;
        let mut doorway =
            Doorway { _reserved: reserved, address, listener: None, fillers: Vec::new(), ours: Vec::new() };
        doorway.set(door)?;
        Ok(doorway)
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Opens or closes it. Connections that were accepted are not its concern.
    pub(crate) fn set(&mut self, door: Door) -> io::Result<()> {
        match door {
            Door::Open => self.open(),
            Door::Refused => {
                self.fillers.clear();
                self.listener = None;
                Ok(())
            }
            Door::Vanished => self.vanish(),
        }
    }

    /// The next connection. Never returns while connects vanish, or are refused.
    pub(crate) async fn accept(&mut self) -> TcpStream {
        loop {
            match &self.listener {
                Some(listener) if self.fillers.is_empty() => match listener.accept().await {
                    Ok((_, from)) if self.ours.contains(&from) => self.ours.clear(),
                    Ok((stream, _)) => return stream,
                    // Such as too many open files: others may be closed meanwhile.
                    Err(_) => tokio::time::sleep(Duration::from_millis(10)).await,
                },
                _ => std::future::pending().await,
            }
        }
    }

    fn open(&mut self) -> io::Result<()> {
        match &self.listener {
            // In place: a connect that has vanished is sent again by its own system, and shall be taken then.
            Some(listener) => SockRef::from(listener).listen(BACKLOG)?,
            None => self.listener = Some(listening(self.address, BACKLOG)?),
        }
        self.fillers.clear();
        Ok(())
    }

    fn vanish(&mut self) -> io::Result<()> {
        if !cfg!(target_os = "linux") {
            return Err(io::Error::new(io::ErrorKind::Unsupported, "connects vanish on Linux only"));
        }
        match &self.listener {
            Some(listener) => SockRef::from(listener).listen(0)?,
            None => self.listener = Some(listening(self.address, 0)?),
        }
        self.fillers = (0..FILLERS).map(|_| filler(self.address)).collect::<io::Result<_>>()?;
        self.ours = self.fillers.iter().filter_map(|filler| filler.local_addr().ok()?.as_socket()).collect();
        Ok(())
    }
}

/// A socket on that port. Several of ours can have it; only one can listen.
fn bound(at: SocketAddr) -> io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(at), Type::STREAM, None)?;
    socket.set_nonblocking(true)?;
    socket.set_reuse_address(true)?;
    // BSD asks for more; on Linux it would let others in.
    #[cfg(not(target_os = "linux"))]
    socket.set_reuse_port(true)?;
    socket.bind(&at.into())?;
    Ok(socket)
}

fn listening(at: SocketAddr, backlog: i32) -> io::Result<TcpListener> {
    let socket = bound(at)?;
    socket.listen(backlog)?;
    TcpListener::from_std(socket.into())
}

/// A connect that is not waited for.
fn filler(to: SocketAddr) -> io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(to), Type::STREAM, None)?;
    socket.set_nonblocking(true)?;
    match socket.connect(&to.into()) {
        Err(error) if error.kind() != io::ErrorKind::WouldBlock && error.raw_os_error() != Some(IN_PROGRESS) => {
            Err(error)
        }
        _ => Ok(socket),
    }
}

/// EINPROGRESS, which has no name in the standard library.
const IN_PROGRESS: i32 = 115;
