//! The socket: bytes out, frames in, both at once.

use std::{io, time::Duration};

use bytes::{Buf, BytesMut};
use socket2::SockRef;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpSocket, TcpStream},
    time::{Instant, sleep_until, timeout},
};

use super::{heard::Heard, reaction::End, target::Target};

/// How long a connect may take: every target is on this machine, or near.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// The receive buffer, in bytes, of a client that reads nothing: its server soon cannot write.
const SMALL_BUFFER: u32 = 4096;

/// A connection to the target.
#[derive(Debug)]
pub(crate) struct Connection {
    stream: TcpStream,
    incoming: BytesMut,
    /// What waits to be written.
    pub out: BytesMut,
    pub heard: Heard,
    pub since: Instant,
    /// Nothing is said but what the script says: no PING is answered.
    pub mute: bool,
    /// Nothing is read.
    pub deaf: bool,
    /// Nothing can be written any more; what was sent before may still be read.
    broken: bool,
}

impl Connection {
    /// Connects. Errors: the target does not take the connection.
    pub(crate) async fn open(target: &Target, small: bool) -> io::Result<Self> {
        let socket = if target.address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
        if small {
            socket.set_recv_buffer_size(SMALL_BUFFER)?;
            #[cfg(unix)]
            SockRef::from(&socket).set_tcp_mss(536)?;
        }
        let stream = timeout(CONNECT_TIMEOUT, socket.connect(target.address)).await??;
        stream.set_nodelay(true)?;
        Ok(Connection {
            stream,
            incoming: BytesMut::new(),
            out: BytesMut::new(),
            heard: Heard::default(),
            since: Instant::now(),
            mute: false,
            deaf: false,
            broken: false,
        })
    }

    /// Writes what waits and reads what comes until `done`. False: the connection's end, or `until`, came first.
    pub(crate) async fn go_on(&mut self, until: Instant, done: impl Fn(&Heard, &BytesMut) -> bool) -> bool {
        while !done(&self.heard, &self.out) {
            if self.heard.end.is_some() || !self.once(until).await {
                return false;
            }
        }
        true
    }

    /// Writes everything that waits.
    pub(crate) async fn flush(&mut self, until: Instant) -> bool {
        self.go_on(until, |_, out| out.is_empty()).await
    }

    async fn once(&mut self, until: Instant) -> bool {
        let (mut reader, mut writer) = self.stream.split();
        tokio::select! {
            read = reader.read_buf(&mut self.incoming), if !self.deaf => self.read(&read),
            written = writer.write(&self.out), if !self.out.is_empty() => self.written(&written),
            () = sleep_until(until) => return false,
        }
        true
    }

    fn read(&mut self, read: &io::Result<usize>) {
        match read {
            Ok(0) => self.heard.ends(End::Closed),
            Err(_) => self.heard.ends(End::Reset),
            Ok(_) => {
                let mut replies = BytesMut::new();
                self.heard.take(&mut self.incoming, &mut replies);
                if !self.mute && !self.broken {
                    self.out.unsplit(replies);
                }
            }
        }
    }

    fn written(&mut self, written: &io::Result<usize>) {
        match written {
            Ok(length) => self.out.advance(*length),
            Err(_) => {
                self.broken = true;
                self.out.clear();
                // A client that reads sees by itself how it ended, after all that the server said before it.
                if self.deaf {
                    self.heard.ends(End::Reset);
                }
            }
        }
    }

    /// Whether writing has failed.
    pub(crate) fn is_broken(&self) -> bool {
        self.broken
    }
}
