//! The floor: an Echo and a CallEcho that know nothing but HTTP/2, on one thread, with the crate h2 and nothing around it.
//!
//! No deadline, no limit, no check, no log: whatever speaks gRPC by h2 costs at least this.

use std::net::SocketAddr;

use anyhow::Context as _;
use bytes::{BufMut as _, Bytes, BytesMut};
use h2::{RecvStream, client, server};
use http::{HeaderMap, HeaderValue, Request, Response, header::CONTENT_TYPE};
use service_runtime::output::to_stderr;
use tokio::{
    net::{TcpListener, TcpStream},
    sync::watch,
};

use crate::message;

/// A connection's window in bytes. It is also h2's measure of how many small messages may wait to be read: with its default of 64 KiB the
/// connection is closed (`too_many_data_frames`) where two hundred come at once.
const WINDOW: u32 = 1 << 24;

/// What a bare server does with a call.
#[derive(Clone)]
pub enum Role {
    /// Gives the message back.
    Echo,
    /// Sends the message on, as service B does.
    Relay(client::SendRequest<Bytes>),
    /// Never answers, and counts: calls that wait for it stay in flight.
    Hold(watch::Sender<usize>),
}

/// A relay to the server at `address`, over one connection.
pub async fn relay(address: SocketAddr) -> anyhow::Result<Role> {
    let mut builder = client::Builder::new();
    builder.initial_connection_window_size(WINDOW);
    let (requests, connection) = builder.handshake(TcpStream::connect(address).await?).await?;
    tokio::task::spawn_local(connection);
    Ok(Role::Relay(requests))
}

/// Listens on a free port of the loopback.
pub async fn bind() -> anyhow::Result<(TcpListener, SocketAddr)> {
    let listener = TcpListener::bind("127.0.0.1:0").await.context("no free port")?;
    let address = listener.local_addr()?;
    Ok((listener, address))
}

/// Serves until it is dropped; within a `LocalSet`.
pub async fn serve(listener: TcpListener, role: Role) -> anyhow::Result<()> {
    loop {
        let (socket, _) = listener.accept().await?;
        socket.set_nodelay(true)?;
        let role = role.clone();
        tokio::task::spawn_local(async move {
            let mut builder = server::Builder::new();
            builder.max_concurrent_streams(1000).initial_connection_window_size(WINDOW);
            let mut connection = builder.handshake(socket).await?;
            while let Some(call) = connection.accept().await {
                let (request, answer) = call?;
                let role = role.clone();
                tokio::task::spawn_local(async move {
                    // The caller sees a reset, and not why.
                    if let Err(error) = answered(request, answer, role).await {
                        let _ = to_stderr(&format!("a call failed: {error:#}"));
                    }
                });
            }
            Ok::<_, h2::Error>(())
        });
    }
}

async fn answered(
    request: Request<RecvStream>,
    mut answer: server::SendResponse<Bytes>,
    role: Role,
) -> anyhow::Result<()> {
    let message = message::read(request.into_body()).await?.0;
    let message = match role {
        Role::Echo => message,
        Role::Relay(requests) => wrapped(&message::call(requests, message::ECHO, message, None).await?)?,
        Role::Hold(held) => {
            held.send_modify(|held| *held += 1);
            std::future::pending().await
        }
    };
    let head = Response::builder().header(CONTENT_TYPE, HeaderValue::from_static("application/grpc")).body(())?;
    let mut body = answer.send_response(head, false)?;
    body.send_data(message, false)?;
    let mut trailers = HeaderMap::with_capacity(1);
    trailers.insert("grpc-status", HeaderValue::from_static("0"));
    Ok(body.send_trailers(trailers)?)
}

/// The frame of a CallEchoResponse around the frame of an EchoResponse.
fn wrapped(echo: &Bytes) -> anyhow::Result<Bytes> {
    let echo = echo.get(5..).context("no message")?;
    let mut body = BytesMut::with_capacity(echo.len() + 10);
    body.put_slice(b"\x0a\x02ok\x12");
    message::put_varint(&mut body, echo.len());
    body.put_slice(echo);
    Ok(message::framed(&body))
}

#[cfg(test)]
mod tests {
    use tokio::task::{LocalSet, spawn_local};

    use super::*;
    use crate::load::{self, Shape};

    const SHAPE: Shape = Shape { connections: 2, streams: 3, size: 100_000, deadline: true };

    async fn served(role: Role) -> SocketAddr {
        let (listener, address) = bind().await.unwrap();
        spawn_local(serve(listener, role));
        address
    }

    #[tokio::test]
    async fn every_call_of_a_load_is_made_and_answered_also_through_the_relay() {
        let test = async {
            let echo = served(Role::Echo).await;
            assert_eq!(load::run(echo, message::ECHO, SHAPE, 20).await.unwrap().len(), 20);
            let relay = served(relay(echo).await.unwrap()).await;
            assert_eq!(load::run(relay, message::CALL_ECHO, SHAPE, 20).await.unwrap().len(), 20);
        };
        LocalSet::new().run_until(test).await;
    }

    #[tokio::test]
    async fn a_load_with_a_call_that_fails_is_an_error_and_not_a_figure() {
        let test = async {
            let (listener, address) = bind().await.unwrap();
            let relay = served(relay(address).await.unwrap()).await;
            drop(listener);
            assert!(load::run(relay, message::CALL_ECHO, SHAPE, 20).await.is_err());
        };
        LocalSet::new().run_until(test).await;
    }

    #[tokio::test]
    async fn nine_hundred_calls_at_once_go_through_the_relay_over_its_one_connection() {
        let test = async {
            let echo = served(Role::Echo).await;
            let relay = served(relay(echo).await.unwrap()).await;
            let many = Shape { connections: 10, streams: 90, size: 8, deadline: false };
            assert_eq!(load::run(relay, message::CALL_ECHO, many, 2_700).await.unwrap().len(), 2_700);
        };
        LocalSet::new().run_until(test).await;
    }

    #[test]
    fn what_the_relay_answers_is_a_call_echo_response() {
        let answer = wrapped(&message::of_size(2)).unwrap();
        assert_eq!(&*answer, b"\0\0\0\0\x0a\x0a\x02ok\x12\x04\x0a\x02xx");
    }
}
