//! Where a connection's byte stream comes from: TCP, a Unix socket, or whatever else a [`Dial`] makes of an address.

use std::{io, pin::Pin, time::Duration};

use socket2::{SockRef, TcpKeepalive};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpStream, UnixStream},
};

use super::Endpoint;
use crate::{address::Address, status::Cause};

/// A dead link is the kernel's to find (docs/contract.md, row 9): after 10 s of silence a probe a second, three of them.
const SILENT: Duration = Duration::from_secs(10);
const PROBES_EVERY: Duration = Duration::from_secs(1);
const PROBES: u32 = 3;
/// While bytes are under way there are no probes, but repeats of them: as long as the probes would take.
#[cfg(any(target_os = "linux", target_os = "android"))]
const UNACKNOWLEDGED: Duration = Duration::from_secs(13);

/// A future on the heap: what a trait can return whose users do not know its kind.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// What a connection is made of.
pub trait ByteStream: AsyncRead + AsyncWrite + Send + Unpin + 'static {}

impl<IO: AsyncRead + AsyncWrite + Send + Unpin + 'static> ByteStream for IO {}

/// Makes the byte stream of a new connection, again for each.
pub trait Dial: Send + Sync + 'static {
    /// One try. It may take for ever: whoever calls it keeps the clock. Errors: refused, no route and so on, by their kind.
    fn dial<'a>(&'a self, endpoint: &'a Endpoint) -> BoxFuture<'a, io::Result<Box<dyn ByteStream>>>;
}

/// TCP and Unix sockets.
#[derive(Clone, Copy, Debug, Default)]
pub struct Sockets;

impl Dial for Sockets {
    fn dial<'a>(&'a self, endpoint: &'a Endpoint) -> BoxFuture<'a, io::Result<Box<dyn ByteStream>>> {
        Box::pin(async { to(&endpoint.address).await })
    }
}

async fn to(address: &Address) -> io::Result<Box<dyn ByteStream>> {
    match address {
        Address::Tcp(address) => {
            let stream = TcpStream::connect(address).await?;
            set_up(&stream);
            Ok(Box::new(stream))
        }
        Address::Unix(path) => match UnixStream::connect(path).await {
            Ok(stream) => Ok(Box::new(stream)),
            // Nobody listens there: over TCP the system would say so by itself.
            Err(error) if error.kind() == io::ErrorKind::NotFound => Err(io::ErrorKind::ConnectionRefused.into()),
            Err(error) => Err(error),
        },
    }
}

/// Without these a connection still works; a socket that refuses them has lost its peer already.
fn set_up(stream: &TcpStream) {
    // A request is small and complete: waiting for more to send (Nagle) would cost 40 ms.
    let _ = stream.set_nodelay(true);
    let keepalive = TcpKeepalive::new().with_time(SILENT).with_interval(PROBES_EVERY).with_retries(PROBES);
    let socket = SockRef::from(stream);
    let _ = socket.set_tcp_keepalive(&keepalive);
    #[cfg(any(target_os = "linux", target_os = "android"))]
    let _ = socket.set_tcp_user_timeout(Some(UNACKNOWLEDGED));
}

/// One try, in the words of the contract.
pub(crate) async fn dial(dialer: &dyn Dial, endpoint: &Endpoint) -> Result<Box<dyn ByteStream>, Cause> {
    dialer.dial(endpoint).await.map_err(|error| Cause::of_connect(&error))
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;

    use super::*;

    #[tokio::test]
    async fn has_the_kernel_find_a_dead_link_within_thirteen_seconds() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let stream = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        set_up(&stream);
        let socket = SockRef::from(&stream);
        assert!(socket.keepalive().unwrap() && socket.tcp_nodelay().unwrap());
        let (silent, every) = (socket.tcp_keepalive_time().unwrap(), socket.tcp_keepalive_interval().unwrap());
        let found = silent + every * socket.tcp_keepalive_retries().unwrap();
        assert_eq!(found, Duration::from_secs(13));
        #[cfg(target_os = "linux")]
        assert_eq!(socket.tcp_user_timeout().unwrap(), Some(found));
    }
}
