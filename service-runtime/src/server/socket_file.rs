//! The file of a Unix socket: taken, left behind by a dead process, removed in the end.

use std::{
    fs, io,
    os::unix::{
        fs::{FileTypeExt as _, MetadataExt as _},
        net::{SocketAddr, UnixListener},
    },
    path::{Path, PathBuf},
};

use anyhow::anyhow;
use socket2::{Domain, SockAddr, Socket, Type};

use crate::address::Address;

/// Connections that wait to be accepted; one more waits in its connect, or has it repeated by its own system.
pub(super) const BACKLOG: i32 = 1024;

/// A socket that listens, and its file. Dropped, the file is removed.
#[derive(Debug)]
pub(super) struct SocketFile {
    pub listener: UnixListener,
    path: PathBuf,
    /// Device and number of the file; another one at the same path is somebody else's.
    file: Option<(u64, u64)>,
}

impl SocketFile {
    /// A socket that somebody else has opened: its file, if it has one, is theirs to remove. Errors: the system does not tell its address.
    pub fn handed_over(listener: UnixListener) -> io::Result<Self> {
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        let path = address.as_pathname().map(Path::to_owned).or_else(|| abstract_name(&address)).unwrap_or_default();
        Ok(SocketFile { listener, path, file: None })
    }

    pub fn address(&self) -> Address {
        Address::Unix(self.path.clone())
    }
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        if self.file.is_some() && self.file == identity(&self.path) {
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// A name in no folder, as people write it: `@name`.
#[cfg(target_os = "linux")]
fn abstract_name(address: &SocketAddr) -> Option<PathBuf> {
    use std::os::linux::net::SocketAddrExt as _;
    Some(format!("@{}", String::from_utf8_lossy(address.as_abstract_name()?)).into())
}

#[cfg(not(target_os = "linux"))]
fn abstract_name(_: &SocketAddr) -> Option<PathBuf> {
    None
}

/// Listens at `path`, also where a dead process has left its file. Errors: one sentence that says what to do, with `flag` before what
/// it advises.
pub(super) fn bind(path: PathBuf, flag: &str) -> anyhow::Result<SocketFile> {
    match listen_at(&path) {
        Ok(listener) => Ok(SocketFile { listener, file: identity(&path), path }),
        Err(error) => Err(refused(&path, &error, flag)),
    }
}

fn listen_at(path: &Path) -> io::Result<UnixListener> {
    match listen(path) {
        Err(error) if error.kind() == io::ErrorKind::AddrInUse && is_left_behind(path) => {
            fs::remove_file(path)?;
            listen(path)
        }
        listens => listens,
    }
}

fn listen(path: &Path) -> io::Result<UnixListener> {
    let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
    socket.set_nonblocking(true)?;
    socket.bind(&SockAddr::unix(path)?)?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}

/// Whether the file is a socket that nobody listens on.
fn is_left_behind(path: &Path) -> bool {
    // Without blocking: where the queue of a living process is full, the connect would wait for it.
    let connect = || {
        let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
        socket.set_nonblocking(true)?;
        socket.connect(&SockAddr::unix(path)?)
    };
    is_socket(path) && connect().is_err_and(|error| error.kind() == io::ErrorKind::ConnectionRefused)
}

fn is_socket(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok_and(|file| file.file_type().is_socket())
}

fn identity(path: &Path) -> Option<(u64, u64)> {
    fs::symlink_metadata(path).ok().map(|file| (file.dev(), file.ino()))
}

fn refused(path: &Path, error: &io::Error, flag: &str) -> anyhow::Error {
    let shown = path.display();
    match error.kind() {
        io::ErrorKind::AddrInUse if is_socket(path) => anyhow!("unix:{shown} is taken; try {flag}with another path"),
        io::ErrorKind::AddrInUse => {
            anyhow!("{shown} is there and no socket; remove it, or try {flag}with another path")
        }
        io::ErrorKind::NotFound => {
            anyhow!("the folder of unix:{shown} does not exist; create it, or try {flag}with another path")
        }
        io::ErrorKind::PermissionDenied => {
            anyhow!("this process may not create {shown}; try {flag}with a path in a folder that it may write to")
        }
        _ => anyhow!("cannot listen on unix:{shown}: {error}; try {flag}127.0.0.1:0"),
    }
}
