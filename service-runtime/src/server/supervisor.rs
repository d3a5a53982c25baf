//! Tells whoever supervises the process that it serves, and that it stops (sd_notify(3)); nothing where `NOTIFY_SOCKET` is not set.
//!
//! The crate sd-notify takes the name of an abstract socket for a path; the rest of it would be these lines.

use std::{
    env,
    ffi::OsStr,
    io,
    os::unix::{
        ffi::OsStrExt as _,
        net::{SocketAddr, UnixDatagram},
    },
};

use tracing::debug;

/// The process listens and serves.
pub(super) fn ready() {
    tell("READY=1\n");
}

/// The drain begins.
pub(super) fn stopping() {
    tell("STOPPING=1\n");
}

/// That it cannot be told is no failure of the service.
fn tell(state: &str) {
    let Some(supervisor) = env::var_os("NOTIFY_SOCKET").filter(|address| !address.is_empty()) else { return };
    if let Err(error) = send(&supervisor, state) {
        debug!(notify_socket = %supervisor.display(), cause = %error, "the supervisor was not told");
    }
}

fn send(supervisor: &OsStr, state: &str) -> io::Result<()> {
    let address = match supervisor.as_bytes() {
        [b'@', name @ ..] => abstract_address(name)?,
        _ => SocketAddr::from_pathname(supervisor)?,
    };
    let socket = UnixDatagram::unbound()?;
    // One that does not read must not hold the service up.
    socket.set_nonblocking(true)?;
    socket.send_to_addr(state.as_bytes(), &address).map(drop)
}

#[cfg(target_os = "linux")]
fn abstract_address(name: &[u8]) -> io::Result<SocketAddr> {
    use std::os::linux::net::SocketAddrExt as _;
    SocketAddr::from_abstract_name(name)
}

#[cfg(not(target_os = "linux"))]
fn abstract_address(_: &[u8]) -> io::Result<SocketAddr> {
    Err(io::ErrorKind::Unsupported.into())
}
