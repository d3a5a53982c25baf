//! What must be known of a server to attack it.

use std::net::SocketAddr;

/// A server, and what it answers when it is asked well.
#[derive(Clone, Debug)]
pub struct Target {
    /// Where it listens.
    pub address: SocketAddr,
    /// A unary gRPC method whose request has a string as field 1, such as `/echo.v1.EchoService/Echo`.
    pub method: String,
    /// A path that answers a plain GET with `?msg=hello`, such as `/echo`.
    pub path: String,
}

impl Target {
    /// A server there, with that gRPC method and that plain path.
    pub fn new(address: SocketAddr, method: &str, path: &str) -> Self {
        Target { address, method: method.to_owned(), path: path.to_owned() }
    }
}
