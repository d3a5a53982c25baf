//! One HTTP/1.1 connection, kept alive from call to call.

use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};

use anyhow::Context as _;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

/// How long an answer is waited for.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(10);

/// How long is waited for the peer to close a connection.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(15);

/// One connection.
pub struct Plain(TcpStream);

/// One answer.
#[derive(Debug)]
pub struct Answer {
    /// The status line and the headers.
    pub head: String,
    /// The body.
    pub body: String,
    /// When it was whole.
    pub at: Instant,
}

impl Answer {
    /// It is the echo of `msg`, whole.
    pub fn is_echo(&self, msg: &str) -> bool {
        self.head.starts_with("HTTP/1.1 200 ") && self.body.contains(&format!("\"echo\":\"{msg}\""))
    }

    /// It says that no other follows on this connection.
    pub fn says_close(&self) -> bool {
        self.head.to_ascii_lowercase().contains("\r\nconnection: close")
    }
}

impl Plain {
    /// Connects. Errors: nothing listens there.
    pub async fn connect(to: SocketAddr) -> anyhow::Result<Self> {
        let stream = TcpStream::connect(to).await?;
        stream.set_nodelay(true)?;
        Ok(Plain(stream))
    }

    /// Has `service` echo `msg`; returns once the whole request lies in the peer's socket. Errors: the connection is gone.
    pub async fn ask(&mut self, service: &str, msg: &str, behavior: &str) -> anyhow::Result<()> {
        let path = if service == "service-a" { "/echo" } else { "/call-echo" };
        let behavior = if behavior.is_empty() { String::new() } else { format!("rpc-behavior: {behavior}\r\n") };
        let request = format!("GET {path}?msg={msg} HTTP/1.1\r\nhost: localhost\r\n{behavior}\r\n");
        self.0.write_all(request.as_bytes()).await?;
        arrived(&self.0).await
    }

    /// Reads one answer. Errors: the connection ends before, or there is none within 10 s.
    pub async fn answer(&mut self) -> anyhow::Result<Answer> {
        let mut bytes = Vec::new();
        loop {
            let text = String::from_utf8_lossy(&bytes);
            if let Some((head, body)) = text.split_once("\r\n\r\n").filter(|(head, body)| is_whole(head, body)) {
                return Ok(Answer { head: head.into(), body: body.into(), at: Instant::now() });
            }
            let read = timeout(ANSWER_TIMEOUT, self.0.read_buf(&mut bytes)).await.context("no answer over HTTP")?;
            anyhow::ensure!(read? > 0, "closed after {} bytes of an answer over HTTP", bytes.len());
        }
    }

    /// Waits until the peer closes it; see [`closed`].
    pub async fn closed(self) -> Option<Instant> {
        closed(self.0).await
    }
}

/// Returns once everything that was written has arrived: on a busy machine even loopback takes its time. Where the system does
/// not tell (Linux does), at once. Errors: the connection is gone.
async fn arrived(stream: &TcpStream) -> anyhow::Result<()> {
    let port = format!(":{:04X}", stream.local_addr()?.port());
    // Fields of a line, all in hexadecimal: number, local and remote address:port, state, bytes not acknowledged:not read.
    let unacknowledged = || {
        let table = std::fs::read_to_string("/proc/net/tcp").ok()?;
        let mut lines = table.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
        let line = lines.find(|fields| fields.get(1).is_some_and(|local| local.ends_with(&port)))?;
        u32::from_str_radix(line.get(4)?.split(':').next()?, 16).ok()
    };
    while unacknowledged().is_some_and(|bytes| bytes > 0) {
        tokio::task::yield_now().await;
    }
    Ok(())
}

fn is_whole(head: &str, body: &str) -> bool {
    let length = head.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse::<usize>().ok())?
    });
    length == Some(body.len())
}

/// When the peer closes or resets the connection; `None` if it does not within 15 s.
pub async fn closed(mut stream: TcpStream) -> Option<Instant> {
    let end = async {
        let mut nothing = [0; 1024];
        while matches!(stream.read(&mut nothing).await, Ok(1..)) {}
        Instant::now()
    };
    timeout(CLOSE_TIMEOUT, end).await.ok()
}
