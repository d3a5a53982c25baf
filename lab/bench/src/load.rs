//! A closed loop of calls over HTTP/2 that costs little itself: a fixed number of them, each answered OK, or it is an error.

use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};

use anyhow::Context as _;
use bytes::Bytes;
use h2::{SendStream, client};
use tokio::{net::TcpStream, task::JoinSet, time::timeout};

use crate::message;

/// A load takes seconds, under callgrind a minute: after this time a service hangs.
const LOAD_TIMEOUT: Duration = Duration::from_secs(600);

/// How the calls are made.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Shape {
    /// How many connections.
    pub connections: usize,
    /// How many calls at a time on each.
    pub streams: usize,
    /// The bytes of the text in a message.
    pub size: usize,
    /// Whether calls have a `grpc-timeout`. It is far longer than any call takes.
    pub deadline: bool,
}

/// A connection that is ready for calls.
pub struct Client {
    requests: client::SendRequest<Bytes>,
    ping: h2::PingPong,
}

/// Connects; the answer to a PING says that the server has the connection. Within a `LocalSet`.
pub async fn connect(address: SocketAddr) -> anyhow::Result<Client> {
    let socket = TcpStream::connect(address).await.context("cannot connect")?;
    socket.set_nodelay(true)?;
    let mut builder = client::Builder::new();
    builder.initial_window_size(1 << 20).initial_connection_window_size(1 << 24);
    let (requests, mut connection) = builder.handshake(socket).await?;
    let ping = connection.ping_pong().context("the PINGs are taken")?;
    tokio::task::spawn_local(connection);
    let mut client = Client { requests, ping };
    client.settle().await?;
    Ok(client)
}

impl Client {
    /// Waits until the server has read all that was sent.
    pub async fn settle(&mut self) -> anyhow::Result<()> {
        self.ping.ping(h2::Ping::opaque()).await?;
        Ok(())
    }

    /// Begins a call, with all of its message or with half of it. It stays in flight until the server answers, or until the stream that is
    /// returned is dropped.
    pub async fn begin(&self, path: &str, frame: &Bytes, whole: bool) -> anyhow::Result<SendStream<Bytes>> {
        let (answer, mut body) =
            self.requests.clone().ready().await?.send_request(message::head(path, None)?, false)?;
        body.send_data(frame.slice(..if whole { frame.len() } else { frame.len() / 2 }), whole)?;
        tokio::task::spawn_local(answer);
        Ok(body)
    }
}

/// Makes `calls` calls in this shape, and returns how long each took.
pub async fn run(address: SocketAddr, path: &'static str, shape: Shape, calls: usize) -> anyhow::Result<Vec<Duration>> {
    let frame = message::of_size(shape.size);
    let grpc_timeout = shape.deadline.then_some("3600S");
    let mut loops = JoinSet::new();
    let places = shape.connections * shape.streams;
    for connection in 0..shape.connections {
        let client = connect(address).await?;
        for stream in 0..shape.streams {
            let (requests, frame) = (client.requests.clone(), frame.clone());
            // The first places make the calls that cannot be shared out evenly.
            let own = calls / places + usize::from(connection * shape.streams + stream < calls % places);
            loops.spawn_local(async move {
                let mut took = Vec::with_capacity(own);
                for _ in 0..own {
                    let began = Instant::now();
                    message::call(requests.clone(), path, frame.clone(), grpc_timeout).await?;
                    took.push(began.elapsed());
                }
                anyhow::Ok(took)
            });
        }
    }
    let all = async {
        let mut took = Vec::with_capacity(calls);
        while let Some(part) = loops.join_next().await {
            took.extend(part??);
        }
        Ok(took)
    };
    timeout(LOAD_TIMEOUT, all).await.context("a service did not answer all calls of a load within ten minutes")?
}
