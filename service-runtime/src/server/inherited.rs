//! A listening socket that the process was started with: what systemd's socket activation hands over (sd_listen_fds(3)).
//!
//! Whoever holds the socket keeps it while processes come and go, so that no connect is refused between two of them.

use std::{
    env, io, mem,
    sync::{Mutex, OnceLock, PoisonError},
};

use listenfd::ListenFd;
use socket2::SockRef;

use super::{listen::Listen, socket_file::SocketFile};

/// What there is; the error is a sentence.
type Found = Result<Option<Listen>, String>;

/// The listening socket that this process was started with: descriptor 3, where `LISTEN_PID` is this process and `LISTEN_FDS` is 1.
///
/// It is given once; `None` from then on. [`cli::run`](crate::cli::run) looks for it before anything else, for it unsets the
/// variables, which belong to all threads; a program that starts by itself calls this first thing in its `main`. (`LISTEN_FDNAMES` stays:
/// without the other two it means nothing.) Errors, as one sentence: more than one socket, or none that listens for streams.
pub fn inherited() -> anyhow::Result<Option<Listen>> {
    let mut found = look().lock().unwrap_or_else(PoisonError::into_inner);
    mem::replace(&mut *found, Ok(None)).map_err(anyhow::Error::msg)
}

/// Looks for it, and unsets the variables.
pub(crate) fn look() -> &'static Mutex<Found> {
    static FOUND: OnceLock<Mutex<Found>> = OnceLock::new();
    FOUND.get_or_init(|| Mutex::new(read()))
}

fn read() -> Found {
    let is_for_this_process = env::var("LISTEN_PID").is_ok_and(|pid| pid.parse() == Ok(std::process::id()));
    let count = env::var("LISTEN_FDS").unwrap_or_else(|_| "0".to_owned());
    match count.parse::<u32>() {
        // It also unsets what was meant for a process that is our parent.
        _ if !is_for_this_process => drop(ListenFd::from_env()),
        Ok(0) => drop(ListenFd::from_env()),
        Ok(1) => return handed_over(&mut ListenFd::from_env()).map(Some),
        Ok(many) => {
            return Err(format!(
                "LISTEN_FDS hands over {many} sockets, and this service listens on one, which both faces share; leave one ListenStream= in \
                 its .socket unit"
            ));
        }
        Err(_) => return Err(format!("LISTEN_FDS is {count:?}, and no number of sockets; set it to 1, or unset it")),
    }
    Ok(None)
}

fn handed_over(sockets: &mut ListenFd) -> Result<Listen, String> {
    let tcp = sockets.take_tcp_listener(0).and_then(|tcp| tcp.map(listening).transpose());
    if let Ok(Some(listener)) = tcp {
        return Ok(Listen::handed_over(listener));
    }
    // What was no TCP socket is left where it is.
    let unix = sockets.take_unix_listener(0).and_then(|unix| unix.map(listening).transpose());
    let unix = unix.and_then(|unix| unix.map(SocketFile::handed_over).transpose());
    match unix {
        Ok(Some(file)) => Ok(Listen::handed_over(file)),
        _ => Err("the descriptor 3 that LISTEN_FDS hands over is no listening socket; hand over a stream socket that listens, TCP or Unix \
                  (in a .socket unit ListenStream=, and Accept=no)"
            .to_owned()),
    }
}

/// The same socket, if it listens; a connected one is a stream socket too. Errors: it does not.
#[cfg(target_os = "linux")]
fn listening<S: std::os::fd::AsFd>(socket: S) -> io::Result<S> {
    match SockRef::from(&socket).is_listener()? {
        true => Ok(socket),
        false => Err(io::ErrorKind::InvalidInput.into()),
    }
}

/// Other systems do not tell; there the first accept fails.
#[cfg(not(target_os = "linux"))]
fn listening<S>(socket: S) -> io::Result<S> {
    Ok(socket)
}
