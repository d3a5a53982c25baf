//! How a connection ends.

/// How a connection ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// Closed by this side, in order: the client has seen the end of the stream.
    Close,
    /// To be reset: a stream of bytes cannot do it; the owner of the socket can, by closing it with a linger time of zero.
    Reset,
    /// Ended by the client, or broken.
    Gone,
}
