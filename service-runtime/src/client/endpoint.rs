//! One address of a peer, and who is meant by it.

use std::{fmt, net::SocketAddr};

use tokio::net::TcpStream;

use super::{Dial, Target};
use crate::status::Cause;

/// One address that a target's name has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    /// What calls name.
    pub target: Target,
    /// Where they go.
    pub address: SocketAddr,
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "http://{}", self.address)
    }
}

impl Dial for Endpoint {
    type IO = TcpStream;

    async fn dial(&self) -> Result<TcpStream, Cause> {
        let stream = TcpStream::connect(self.address).await.map_err(|error| Cause::of_connect(&error))?;
        let _ = stream.set_nodelay(true);
        Ok(stream)
    }
}
