//! Where a connection's byte stream comes from: TCP, or whatever else stands in for it.

use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
};

use super::Target;
use crate::status::Cause;

/// Makes the byte stream of a new connection, again for each.
pub trait Dial: Send + Sync + 'static {
    /// The byte stream.
    type IO: AsyncRead + AsyncWrite + Send + Unpin + 'static;

    /// One try. It may take for ever: whoever calls it keeps the clock.
    fn dial(&self) -> impl Future<Output = Result<Self::IO, Cause>> + Send;
}

/// TCP. Tries the target's addresses one after the other; the last failure counts.
impl Dial for Target {
    type IO = TcpStream;

    async fn dial(&self) -> Result<TcpStream, Cause> {
        let addresses = tokio::net::lookup_host(self.address()).await.map_err(|_| Cause::Unresolved)?;
        let mut failure = Cause::Unresolved;
        for address in addresses {
            match TcpStream::connect(address).await {
                Ok(stream) => {
                    let _ = stream.set_nodelay(true);
                    return Ok(stream);
                }
                Err(error) => failure = Cause::of_connect(&error),
            }
        }
        Err(failure)
    }
}
