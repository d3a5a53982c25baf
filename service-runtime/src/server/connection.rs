//! One peer: serves its calls until it goes away or the drain ends it. Generic over the byte stream, so that tests run it
//! over `tokio::io::duplex` and TLS fits in below.

use std::{
    convert::Infallible,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use http::Request;
use hyper::{body::Incoming, service::service_fn};
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::conn::auto,
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    sync::Notify,
    time::{Instant, sleep_until, timeout},
};
use tonic::body::Body;

use super::drain::{Phase, Phases};
use crate::layers::Handle;

/// A peer gets so long for the headers of a request over HTTP/1.1, also for the next one on a kept connection.
const HEADERS: Duration = Duration::from_secs(10);
/// A PING goes out after so long without a frame, and is answered in the time below; together they find a caller that
/// vanished within the contract's 30 s.
const KEEPALIVE: Duration = Duration::from_secs(20);
const KEEPALIVE_ANSWER: Duration = Duration::from_secs(8);
/// Streams at once on one connection.
const STREAMS: u32 = 100;
/// Calls that were cancelled before this process had looked at them; one more, and the connection is closed as a flood.
/// h2's own limit of 20 is passed by any busy caller of a process that was frozen for a moment.
const CANCELLED_UNSEEN: usize = 1_000;
/// Twice what the guard lets pass, so that the guard can answer with a status.
const HEADER_LIST: u32 = 32 * 1024;
/// A connection gets so long for its first call also when the drain has begun: it may have been accepted a moment ago.
const FIRST_CALL: Duration = Duration::from_millis(100);
/// An idle connection holds the drain back so long after its last call, whether or not its peer answers.
const IDLE: Duration = Duration::from_millis(250);

/// A call whose answer is not complete yet; the last clone that is dropped ends it.
#[derive(Clone)]
pub struct InFlight(#[expect(dead_code, reason = "it counts by being dropped")] Arc<OneCall>);

struct OneCall(Arc<Calls>);

/// The calls of one connection.
#[derive(Default)]
struct Calls {
    now: AtomicUsize,
    ever: AtomicUsize,
    changed: Notify,
}

impl Calls {
    fn begin(self: &Arc<Self>) -> InFlight {
        self.ever.fetch_add(1, Ordering::Relaxed);
        self.now.fetch_add(1, Ordering::Relaxed);
        self.changed.notify_waiters();
        InFlight(Arc::new(OneCall(self.clone())))
    }

    /// Returns once a call has begun, now or before.
    async fn begun(&self) {
        let changed = self.changed.notified();
        if self.ever.load(Ordering::Relaxed) == 0 {
            changed.await;
        }
    }

    /// Returns once there has been no call for [`IDLE`], the wait for a first one included.
    async fn idle(&self) {
        let idle = if self.ever.load(Ordering::Relaxed) == 0 { IDLE - FIRST_CALL } else { IDLE };
        loop {
            let changed = self.changed.notified();
            if self.now.load(Ordering::Relaxed) > 0 {
                changed.await;
            } else if timeout(idle, changed).await.is_err() {
                return;
            }
        }
    }
}

impl Drop for OneCall {
    fn drop(&mut self) {
        self.0.now.fetch_sub(1, Ordering::Relaxed);
        self.0.changed.notify_waiters();
    }
}

/// Serves `io` until its peer closes it or the drain is over; returns the number of calls that were cut.
///
/// A peer's errors end its connection and are nobody else's business.
pub async fn serve<IO>(io: IO, peer: Option<SocketAddr>, stack: Arc<impl Handle>, phases: Phases) -> usize
where
    IO: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let calls = Arc::new(Calls::default());
    let accepted = Instant::now();
    let service = service_fn(|mut request: Request<Incoming>| {
        let (stack, in_flight) = (stack.clone(), calls.begin());
        request.extensions_mut().insert(in_flight);
        if let Some(peer) = peer {
            request.extensions_mut().insert(peer);
        }
        async move { Ok::<_, Infallible>(stack.handle(request.map(Body::new)).await) }
    });
    let builder = builder();
    let mut connection = std::pin::pin!(builder.serve_connection(TokioIo::new(io), service));
    tokio::select! {
        _ = connection.as_mut() => return 0,
        () = phases.reached(Phase::Draining) => {}
    }
    tokio::select! {
        _ = connection.as_mut() => return 0,
        () = calls.begun() => {}
        () = sleep_until(accepted + FIRST_CALL) => {}
    }
    // GOAWAY, or `connection: close` over HTTP/1.1: what is in flight is finished.
    connection.as_mut().graceful_shutdown();
    tokio::select! {
        _ = connection => 0,
        () = calls.idle() => 0,
        () = phases.reached(Phase::Cut) => calls.now.load(Ordering::Relaxed),
    }
}

fn builder() -> auto::Builder<TokioExecutor> {
    let mut builder = auto::Builder::new(TokioExecutor::new());
    builder.http1().timer(TokioTimer::new()).header_read_timeout(HEADERS);
    builder
        .http2()
        .timer(TokioTimer::new())
        .keep_alive_interval(KEEPALIVE)
        .keep_alive_timeout(KEEPALIVE_ANSWER)
        .max_concurrent_streams(STREAMS)
        .max_pending_accept_reset_streams(CANCELLED_UNSEEN)
        .max_header_list_size(HEADER_LIST);
    builder
}

#[cfg(test)]
mod tests {
    use http::Response;
    use http_body_util::{BodyExt, Empty};
    use hyper::client::conn::http2;
    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex},
        sync::watch,
        time::sleep,
    };

    use super::*;

    /// Answers after a while.
    struct After(Duration);

    impl Handle for After {
        async fn handle(&self, mut request: Request<Body>) -> Response<Body> {
            let _in_flight = request.extensions_mut().remove::<InFlight>();
            sleep(self.0).await;
            Response::new(Body::empty())
        }
    }

    /// One connection on its own, with a hand on its phases.
    fn start(handler: After) -> (DuplexStream, watch::Sender<Phase>, tokio::task::JoinHandle<usize>) {
        let (client, server) = duplex(64 * 1024);
        let (phase, phases) = watch::channel(Phase::Serving);
        let served = tokio::spawn(serve(server, None, Arc::new(handler), Phases(phases)));
        (client, phase, served)
    }

    /// A call on `client` that has begun.
    async fn call(client: DuplexStream) -> tokio::task::JoinHandle<hyper::Result<Response<()>>> {
        let (mut sender, connection) =
            http2::handshake::<_, _, Empty<bytes::Bytes>>(TokioExecutor::new(), TokioIo::new(client)).await.unwrap();
        tokio::spawn(connection);
        let request = Request::post("http://a/").body(Empty::new()).unwrap();
        let answer = tokio::spawn(async move {
            let response = sender.send_request(request).await?;
            let (head, body) = response.into_parts();
            body.collect().await?;
            Ok(Response::from_parts(head, ()))
        });
        // Long enough for the request to arrive: the clock is paused, and moves only when nobody has anything to do.
        sleep(Duration::from_millis(1)).await;
        answer
    }

    #[tokio::test(start_paused = true)]
    async fn finishes_a_call_in_flight_when_the_drain_begins() {
        let (client, phase, served) = start(After(Duration::from_secs(3)));
        let answer = call(client).await;
        phase.send_replace(Phase::Draining);
        assert_eq!(answer.await.unwrap().unwrap().status(), 200);
        assert_eq!(served.await.unwrap(), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn counts_a_call_that_the_end_of_the_drain_cuts() {
        let (client, phase, served) = start(After(Duration::from_secs(3600)));
        let answer = call(client).await;
        phase.send_replace(Phase::Draining);
        sleep(Duration::from_secs(10)).await;
        assert!(!served.is_finished());
        phase.send_replace(Phase::Cut);
        assert_eq!(served.await.unwrap(), 1);
        assert!(answer.await.unwrap().is_err());
    }

    #[tokio::test(start_paused = true)]
    async fn is_not_held_back_by_a_peer_that_says_nothing() {
        let (_silent, phase, served) = start(After(Duration::ZERO));
        let began = Instant::now();
        phase.send_replace(Phase::Draining);
        assert_eq!(served.await.unwrap(), 0);
        assert!(began.elapsed() <= IDLE + Duration::from_millis(5), "{:?}", began.elapsed());
    }

    #[tokio::test(start_paused = true)]
    async fn is_not_held_back_by_a_peer_that_never_answers_the_drains_ping() {
        let (mut client, phase, served) = start(After(Duration::ZERO));
        let preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";
        client.write_all(preface).await.unwrap();
        sleep(Duration::from_secs(1)).await;
        let began = Instant::now();
        phase.send_replace(Phase::Draining);
        assert_eq!(served.await.unwrap(), 0);
        assert!(began.elapsed() <= IDLE + Duration::from_millis(5), "{:?}", began.elapsed());
    }

    #[tokio::test(start_paused = true)]
    async fn tells_its_peer_at_once_to_make_its_next_call_elsewhere() {
        let (client, phase, _served) = start(After(Duration::from_secs(3)));
        let peer = crate::client::connection::Connection::over(client, &"a:1".parse().unwrap()).await.unwrap();
        let mut grpc = tonic::client::Grpc::new(peer.channel(64));
        let call = tokio::spawn(async move {
            grpc.ready().await.unwrap();
            let path = http::uri::PathAndQuery::from_static("/x/y");
            let codec = tonic_prost::ProstCodec::<(), ()>::default();
            grpc.unary(tonic::Request::new(()), path, codec).await
        });
        sleep(Duration::from_millis(1)).await;
        phase.send_replace(Phase::Draining);
        timeout(Duration::from_millis(10), peer.gone()).await.expect("GOAWAY comes while the call is in flight");
        assert!(!call.is_finished());
    }

    #[tokio::test(start_paused = true)]
    async fn tells_a_peer_over_http_1_that_it_closes() {
        let (mut client, phase, served) = start(After(Duration::from_secs(3)));
        client.write_all(b"GET / HTTP/1.1\r\nhost: a\r\n\r\n").await.unwrap();
        sleep(Duration::from_millis(1)).await;
        phase.send_replace(Phase::Draining);
        let mut answer = String::new();
        client.read_to_string(&mut answer).await.unwrap();
        assert!(answer.starts_with("HTTP/1.1 200 ") && answer.contains("connection: close\r\n"), "{answer}");
        assert_eq!(served.await.unwrap(), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn waits_a_moment_for_the_first_call_of_a_connection_that_was_just_accepted() {
        let (client, phase, served) = start(After(Duration::from_secs(1)));
        phase.send_replace(Phase::Draining);
        sleep(FIRST_CALL / 2).await;
        assert_eq!(call(client).await.await.unwrap().unwrap().status(), 200);
        assert_eq!(served.await.unwrap(), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn ends_when_its_peer_goes_away() {
        let (client, _phase, served) = start(After(Duration::ZERO));
        drop(client);
        assert_eq!(served.await.unwrap(), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn closes_a_peer_that_never_finishes_its_headers() {
        let (mut client, _phase, _served) = start(After(Duration::ZERO));
        client.write_all(b"GET / HTTP/1.1\r\nhost:").await.unwrap();
        let began = Instant::now();
        let mut rest = Vec::new();
        client.read_to_end(&mut rest).await.unwrap();
        assert!(began.elapsed() <= HEADERS + Duration::from_secs(1), "{:?}", began.elapsed());
    }
}
