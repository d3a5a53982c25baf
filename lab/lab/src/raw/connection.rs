//! One connection, and the calls on it.

use std::{net::SocketAddr, time::Duration};

use bytes::BytesMut;
use hostile_peer::frame;
use tokio::{io::AsyncWriteExt, net::TcpStream};

use super::call::{Call, exchange, framed};

/// The window that a stream has unless SETTINGS say otherwise (RFC 9113, 6.5.2).
const WINDOW: u32 = 65_535;

/// How one side of a connection reads, and whether it answers.
#[derive(Clone, Copy, Debug)]
pub struct ConnectionConfig {
    /// Whether a PING is answered.
    pub answers_pings: bool,
    /// How many bytes of an answer may come at a time.
    pub window: u32,
    /// How long nothing is read after each DATA frame; `None` reads no more than the first window.
    pub pause: Option<Duration>,
}

impl ConnectionConfig {
    /// As HTTP/2 wants it.
    pub const DEFAULT: ConnectionConfig =
        ConnectionConfig { answers_pings: true, window: WINDOW, pause: Some(Duration::ZERO) };
    /// Never answers a PING.
    pub const WITHOUT_PING_ACKS: ConnectionConfig =
        ConnectionConfig { answers_pings: false, ..ConnectionConfig::DEFAULT };
}

/// The preface, and SETTINGS with this window for each stream.
pub fn opening(window: u32) -> Vec<u8> {
    let mut out = frame::PREFACE.to_vec();
    frame::put_settings(&mut out, &[(frame::INITIAL_WINDOW_SIZE, window)]);
    out
}

/// HEADERS of a gRPC call to `path`, with as many more as are given.
fn put_headers(out: &mut Vec<u8>, stream: u32, path: &str, more: &[(&str, &str)]) {
    let always = [
        (":method", "POST"),
        (":scheme", "http"),
        (":path", path),
        (":authority", "localhost"),
        ("content-type", "application/grpc"),
        ("te", "trailers"),
    ];
    frame::put_headers(out, stream, &[&always, more].concat(), false);
}

/// One connection.
pub struct RawConnection {
    pub(super) stream: TcpStream,
    pub(super) incoming: BytesMut,
    pub(super) config: ConnectionConfig,
    next_stream: u32,
    pub(super) calls: Vec<Call>,
    pub(super) goaways: Vec<u32>,
    pub(super) heard: bool,
    pub(super) pongs: usize,
    pub(super) resets: usize,
}

impl RawConnection {
    /// Connects, and sends the preface; does not wait for the peer's. Errors: nothing listens there.
    pub async fn connect(to: SocketAddr, config: ConnectionConfig) -> anyhow::Result<Self> {
        let mut stream = TcpStream::connect(to).await?;
        stream.set_nodelay(true)?;
        stream.write_all(&opening(config.window)).await?;
        Ok(RawConnection {
            stream,
            incoming: BytesMut::new(),
            config,
            next_stream: 1,
            calls: Vec::new(),
            goaways: Vec::new(),
            heard: false,
            pongs: 0,
            resets: 0,
        })
    }

    /// Calls the method of `service` with this text; returns once the system has all of it. Errors: the connection is gone.
    pub async fn call(&mut self, service: &str, msg: &str, headers: &[(&str, &str)]) -> anyhow::Result<()> {
        let (path, request, answer) = exchange(service, msg);
        let stream = self.take_stream();
        let mut out = Vec::new();
        put_headers(&mut out, stream, path, headers);
        frame::put_body(&mut out, stream, &framed(&request), true);
        self.stream.write_all(&out).await?;
        self.calls.push(Call::new(stream, &answer));
        Ok(())
    }

    /// Begins that many calls at once, whatever the peer allows, and never sends their messages. Errors: the connection is gone.
    pub async fn only_begin(&mut self, service: &str, calls: usize) -> anyhow::Result<()> {
        let (path, ..) = exchange(service, "");
        let mut out = Vec::new();
        for _ in 0..calls {
            put_headers(&mut out, self.take_stream(), path, &[]);
        }
        Ok(self.stream.write_all(&out).await?)
    }

    /// Cancels the last call. Errors: the connection is gone.
    pub async fn cancel(&mut self) -> anyhow::Result<()> {
        let Some(call) = self.calls.pop() else { return Ok(()) };
        let mut out = Vec::new();
        frame::put(&mut out, frame::RST_STREAM, 0, call.stream, &frame::CANCEL.to_be_bytes());
        Ok(self.stream.write_all(&out).await?)
    }

    fn take_stream(&mut self) -> u32 {
        self.next_stream += 2;
        self.next_stream - 2
    }

    /// How many streams the peer has reset.
    pub fn resets(&self) -> usize {
        self.resets
    }

    /// The peer has said that it takes no more streams.
    pub fn is_told_to_go(&self) -> bool {
        !self.goaways.is_empty()
    }
}
