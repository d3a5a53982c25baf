//! One peer: serves its calls until it goes away or the drain ends it. Generic over the byte stream, so that tests run it
//! over `tokio::io::duplex` and TLS fits in below.

use std::{convert::Infallible, future::poll_fn, pin::Pin, sync::Arc, task::Poll, time::Duration};

use http::{Request, Version};
use http_body::Body as _;
use hyper::{body::Incoming, service::service_fn};
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::conn::auto,
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    task::yield_now,
    time::sleep,
};
use tonic::{body::Body, transport::server::TcpConnectInfo};

use super::{
    calls::Calls, config::Lifetime, io::ServerIo, socket::Resets, unread::Unread, wire::MAX_CONCURRENT_STREAMS,
};
use crate::{
    layers::{Handle, record::InFlight},
    shutdown::{Phase, Phases},
};

/// A PING goes out after this time without a frame, and is answered in the time below; together they find a caller that
/// vanished within the contract's 30 s.
const KEEPALIVE: Duration = Duration::from_secs(20);
const KEEPALIVE_ANSWER: Duration = Duration::from_secs(8);
/// Calls that were cancelled before this process had looked at them; one more, and the connection is closed as a flood.
/// h2's own limit of 20 is passed by any busy caller of a process that was frozen for a moment.
const CANCELLED_UNSEEN: usize = 1_000;
/// What the streams of a connection may have sent unread together, in bytes. A stream's own window is 64 KiB where messages are not
/// larger, so that a hundred streams whose handlers do not read fill 6.25 MiB, and stop no other call.
///
/// It is also hyper's only knob for the number of small messages that h2 lets a peer have unread before it closes the connection
/// with all its calls (GOAWAY, ENHANCE_YOUR_CALM, `too_many_data_frames`): a DATA frame below 256 bytes costs what it lacks, out of
/// half of this window. Measured with frames of 5 bytes, gRPC's smallest message: 16,700, where hyper's own 1 MiB allows 2,090. One
/// stream that fills its window with them has sent 13,107. A hundred that do would need 256 MiB; but a peer that sends single bytes
/// would then have 526,000 frames unread, and each takes 270 bytes of memory: 140 MB a connection, instead of 4.5 MB.
const CONNECTION_WINDOW: u32 = 8 * 1024 * 1024;
/// Twice what the guard lets pass, so that the guard can answer with a status.
const HEADER_LIST: u32 = 32 * 1024;

/// Serves `io` until its peer closes it, its time has come or the drain is over; returns the number of calls that the end
/// of the drain cut.
///
/// A peer's errors end its connection. They touch no other, and are not logged.
pub async fn serve<IO>(
    io: IO,
    addresses: Option<TcpConnectInfo>,
    stack: Arc<impl Handle>,
    stream_window: u32,
    lifetime: Lifetime,
    phases: Phases,
) -> usize
where
    IO: AsyncRead + AsyncWrite + Resets + Send + Unpin + 'static,
{
    let calls = Arc::new(Calls::new());
    let unread = Arc::new(Unread::default());
    let service = service_fn(|request: Request<Incoming>| {
        let (stack, unread) = (stack.clone(), unread.clone());
        let has_http1_body = request.version() < Version::HTTP_2 && !request.body().is_end_stream();
        let (in_flight, in_hand) = calls.begin(has_http1_body);
        let request = if has_http1_body { unread.keeps_body_of(request) } else { request.map(Body::new) };
        let request = with_extensions(request, in_flight, addresses.clone());
        async move {
            let _in_hand = in_hand;
            // On the heap, and only once it runs: hyper starts a hundred calls of a peer before the first of them has its turn,
            // and those that are refused are over then before the next one takes any room.
            let mut response = Box::pin(stack.handle(request)).await;
            if has_http1_body {
                unread.answered(response.headers_mut());
            }
            Ok::<_, Infallible>(response)
        }
    });
    let mut reset = std::pin::pin!(io.reset());
    let builder = builder(stream_window);
    let io = TokioIo::new(ServerIo::new(io, calls.clone()));
    let mut connection = std::pin::pin!(builder.serve_connection(io, service));
    let leaves = async {
        tokio::select! {
            () = calls.worn(&lifetime) => lifetime.grace,
            () = phases.reached(Phase::Draining) => {
                calls.begun().await;
                // What lies in the socket came before the drain: the runtime looks there, and then the connection does.
                yield_now().await;
                // The drain has a clock of its own.
                Duration::MAX
            }
        }
    };
    let grace = tokio::select! {
        // First, so that a call that has come is taken before its connection is told to leave.
        biased;
        _ = in_turns(&calls, &unread, connection.as_mut()) => return 0,
        () = &mut reset => return 0,
        () = calls.given_up() => return 0,
        grace = leaves => grace,
    };
    // GOAWAY, or `connection: close` over HTTP/1.1: what is in flight is finished.
    connection.as_mut().graceful_shutdown();
    tokio::select! {
        _ = in_turns(&calls, &unread, connection) => 0,
        () = &mut reset => 0,
        () = calls.given_up() => 0,
        () = calls.quiet() => 0,
        // A connection's age does not end streams: a stream lives by its caller's deadline.
        () = async { sleep(grace).await; calls.streams_ended().await } => 0,
        () = phases.reached(Phase::Cut) => calls.unfinished(),
    }
}

/// With what layers look for beside the request itself.
fn with_extensions(
    mut request: Request<Body>,
    in_flight: Arc<dyn InFlight>,
    addresses: Option<TcpConnectInfo>,
) -> Request<Body> {
    request.extensions_mut().insert(in_flight);
    if let Some(addresses) = addresses {
        request.extensions_mut().insert(addresses);
    }
    request
}

/// Runs the connection, and notes when its task gets the thread, which it has to let go of in time. `None` is a peer that has gone
/// in the middle of a request.
async fn in_turns<C: Future>(calls: &Calls, unread: &Unread, mut connection: Pin<&mut C>) -> Option<C::Output> {
    poll_fn(|cx| {
        calls.turn_begins();
        match connection.as_mut().poll(cx) {
            Poll::Ready(ended) => Poll::Ready(Some(ended)),
            Poll::Pending => unread.poll(cx).map(|()| None),
        }
    })
    .await
}

fn builder(stream_window: u32) -> auto::Builder<TokioExecutor> {
    let mut builder = auto::Builder::new(TokioExecutor::new());
    let http1_headers = usize::try_from(HEADER_LIST).unwrap_or(usize::MAX);
    builder
        .http1()
        .timer(TokioTimer::new())
        // It would run between two requests too: how long a connection waits, and how long a head may take, is in `calls`.
        .header_read_timeout(None)
        // A FIN after a whole request is no cancel. hyper reads nothing then while a handler works: a reset is seen by `socket`.
        .half_close(true)
        .max_buf_size(http1_headers);
    builder
        .http2()
        .timer(TokioTimer::new())
        // gRPC has no use for `date`.
        .auto_date_header(false)
        .keep_alive_interval(KEEPALIVE)
        .keep_alive_timeout(KEEPALIVE_ANSWER)
        .max_concurrent_streams(MAX_CONCURRENT_STREAMS)
        .initial_stream_window_size(stream_window)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .max_pending_accept_reset_streams(CANCELLED_UNSEEN)
        // Over the whole life of a connection, where the budget of frames goes by time; and h2 takes for a mistake what comes
        // late on a stream that was refused.
        .max_local_error_reset_streams(None)
        .max_header_list_size(HEADER_LIST);
    builder
}

#[cfg(test)]
mod tests;
