//! One connection over `tokio::io::duplex`, with the clock paused.

mod overloaded;

use futures_util::{FutureExt as _, StreamExt as _};
use http::Response;
use http_body_util::{BodyExt, Empty};
use hyper::client::conn::http2;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex},
    sync::watch,
    time::{Instant, sleep, timeout},
};

use super::*;
use crate::{
    client::{
        connection::{Connection, Opening},
        exchange::{Outbound, PeerBody},
    },
    server::{
        calls::{FIRST_CALL, QUIET},
        wire::{UNFINISHED, UNREAD},
    },
    status::Cause,
};

const LIFETIME: Lifetime = Lifetime {
    idle: Duration::from_secs(300),
    http1_keep_alive: Duration::from_secs(10),
    age: Duration::from_secs(1800),
    grace: Duration::from_secs(10),
};

const WINDOW: u32 = 65_535;

/// Answers after a while.
struct After(Duration);

impl Handle for After {
    async fn handle(&self, mut request: Request<Body>) -> Response<Body> {
        let _in_flight = request.extensions_mut().remove::<Arc<dyn InFlight>>();
        sleep(self.0).await;
        Response::new(Body::new(http_body_util::Full::from("an answer")))
    }
}

/// One connection on its own, with a hand on its phases.
fn start(handler: After) -> (DuplexStream, watch::Sender<Phase>, tokio::task::JoinHandle<usize>) {
    start_over(64 * 1024, handler)
}

/// The same with `room` bytes of buffer in each direction.
fn start_over(room: usize, handler: After) -> (DuplexStream, watch::Sender<Phase>, tokio::task::JoinHandle<usize>) {
    let (client, server) = duplex(room);
    let (phase, phases) = Phases::new();
    let served = tokio::spawn(serve(server, None, Arc::new(handler), WINDOW, LIFETIME, phases));
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
    // Long enough for the request to arrive: the clock is paused, and moves only when every task waits.
    sleep(Duration::from_millis(1)).await;
    answer
}

/// A caller of our own.
async fn connected(client: DuplexStream) -> Connection {
    Connection::over(client, Opening::for_tests()).await.unwrap()
}

async fn grpc_call(peer: &Connection) -> Result<http::Response<PeerBody>, Cause> {
    let request = http::Request::post("/x/y").body(()).unwrap();
    peer.send(request, Outbound::Message(bytes::Bytes::new())).await
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
    assert!(began.elapsed() <= QUIET + Duration::from_millis(5), "{:?}", began.elapsed());
}

#[tokio::test(start_paused = true)]
async fn is_not_held_back_by_a_peer_that_never_answers_the_drains_ping() {
    let (mut client, phase, served) = start(After(Duration::ZERO));
    client.write_all(PREFACE).await.unwrap();
    sleep(Duration::from_secs(1)).await;
    let began = Instant::now();
    phase.send_replace(Phase::Draining);
    assert_eq!(served.await.unwrap(), 0);
    assert!(began.elapsed() <= QUIET + Duration::from_millis(5), "{:?}", began.elapsed());
}

#[tokio::test(start_paused = true)]
async fn is_not_held_back_by_a_peer_that_has_just_come_and_makes_no_call() {
    let (mut client, phase, served) = start(After(Duration::ZERO));
    client.write_all(PREFACE).await.unwrap();
    let began = Instant::now();
    phase.send_replace(Phase::Draining);
    assert_eq!(served.await.unwrap(), 0);
    assert!(began.elapsed() <= QUIET + Duration::from_millis(5), "{:?}", began.elapsed());
}

#[tokio::test(start_paused = true)]
async fn is_held_back_over_http_1_until_the_answer_is_taken() {
    let (mut client, phase, served) = start_over(32, After(Duration::ZERO));
    client.write_all(b"GET / HTTP/1.1\r\nhost: a\r\n\r\n").await.unwrap();
    sleep(Duration::from_millis(1)).await;
    phase.send_replace(Phase::Draining);
    sleep(QUIET * 2).await;
    assert!(!served.is_finished());
    let mut answer = String::new();
    client.read_to_string(&mut answer).await.unwrap();
    assert!(answer.ends_with("an answer"), "{answer}");
    assert_eq!(served.await.unwrap(), 0);
}

#[tokio::test(start_paused = true)]
async fn tells_its_peer_at_once_to_make_its_next_call_elsewhere() {
    let (client, phase, _served) = start(After(Duration::from_secs(3)));
    let peer = connected(client).await;
    let calling = peer.clone();
    let call = tokio::spawn(async move { grpc_call(&calling).await });
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

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";

/// How long a connection lasts whose peer sends `said` and nothing after it.
async fn lasts(said: &[u8]) -> Duration {
    let (mut client, _phase, served) = start(After(Duration::ZERO));
    let began = Instant::now();
    client.write_all(said).await.unwrap();
    // All that comes is read, so that nothing is held up by the test.
    let mut all = Vec::new();
    client.read_to_end(&mut all).await.unwrap();
    assert_eq!(served.await.unwrap(), 0);
    began.elapsed()
}

/// `POST http://a/` without a body, on stream 1.
const REQUEST: &[u8] = &[0, 0, 6, 1, 5, 0, 0, 0, 1, 0x83, 0x86, 0x84, 0x41, 1, b'a'];

const A_MOMENT: Duration = Duration::from_millis(10);

#[tokio::test(start_paused = true)]
async fn closes_a_peer_that_begins_something_and_never_finishes_it() {
    let half_headers = [PREFACE, &[0, 0, 9, 1, 4, 0, 0, 0, 1, 0x82]].concat();
    let open_block = [PREFACE, &[0, 0, 1, 1, 0, 0, 0, 0, 1, 0x82]].concat();
    for said in [&b""[..], b"P", &PREFACE[..20], &PREFACE[..24], &PREFACE[..30], &half_headers, &open_block] {
        let lasted = lasts(said).await;
        assert!((UNFINISHED..UNFINISHED + A_MOMENT).contains(&lasted), "{lasted:?} after {said:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn sends_a_peer_away_that_makes_no_call() {
    let lasted = lasts(PREFACE).await;
    // It answers no PING either: keepalive is earlier than that.
    assert!((KEEPALIVE + KEEPALIVE_ANSWER..Duration::from_secs(30)).contains(&lasted), "{lasted:?}");
    let (client, _phase, served) = start(After(Duration::ZERO));
    let began = Instant::now();
    let peer = connected(client).await;
    peer.gone().await;
    assert!((LIFETIME.idle..LIFETIME.idle + A_MOMENT).contains(&began.elapsed()), "{:?}", began.elapsed());
    served.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn counts_the_time_without_a_call_from_the_end_of_the_last() {
    let (client, _phase, _served) = start(After(Duration::from_secs(20)));
    let peer = connected(client).await;
    sleep(LIFETIME.idle / 2).await;
    grpc_call(&peer).await.unwrap();
    let ended = Instant::now();
    peer.gone().await;
    assert!((LIFETIME.idle..LIFETIME.idle + A_MOMENT).contains(&ended.elapsed()), "{:?}", ended.elapsed());
}

#[tokio::test(start_paused = true)]
async fn closes_a_peer_that_does_not_take_its_answer() {
    let (mut client, _phase, served) = start(After(Duration::from_secs(1)));
    // A window of no bytes, and a request.
    let settings = [0, 0, 6, 4, 0, 0, 0, 0, 0, 0, 4, 0, 0, 0, 0];
    client.write_all(&[&PREFACE[..24], &settings, REQUEST].concat()).await.unwrap();
    let began = Instant::now();
    let mut all = Vec::new();
    client.read_to_end(&mut all).await.unwrap();
    assert_eq!(served.await.unwrap(), 0);
    let expected = Duration::from_secs(1) + UNREAD;
    assert!((expected..expected + A_MOMENT).contains(&began.elapsed()), "{:?}", began.elapsed());
}

/// Answers with a stream of two messages, the second of them its last, after a while.
struct StreamFor(Duration);

impl Handle for StreamFor {
    async fn handle(&self, mut request: Request<Body>) -> Response<Body> {
        let in_flight = request.extensions_mut().remove::<Arc<dyn InFlight>>().unwrap();
        in_flight.is_a_stream(true);
        let (first, last) = (async { "first" }, sleep(self.0).map(|()| "last"));
        let messages = first.into_stream().chain(last.into_stream());
        let body = messages.map(move |message| {
            let _in_flight = &in_flight;
            Ok::<_, tonic::Status>(http_body::Frame::data(bytes::Bytes::from(message)))
        });
        Response::new(Body::new(http_body_util::StreamBody::new(body)))
    }
}

#[tokio::test(start_paused = true)]
async fn waits_for_a_peer_that_does_not_take_the_end_of_a_stream_from_the_end_on() {
    let has_the_rest = |all: &[u8]| all.windows(3).any(|part| part == b"ast");
    for takes_it in [true, false] {
        let (mut client, server) = duplex(64 * 1024);
        let (_phase, phases) = Phases::new();
        // Longer than an answer of the other kind may take, and over before the PING that this peer does not answer is missed.
        let lasts = UNREAD + Duration::from_secs(2);
        let handler = StreamFor(lasts);
        let served = tokio::spawn(serve(server, None, Arc::new(handler), WINDOW, LIFETIME, phases));
        // A window of six bytes: the first message, and the begin of the last.
        let settings = [0, 0, 6, 4, 0, 0, 0, 0, 0, 0, 4, 0, 0, 0, 6];
        client.write_all(&[&PREFACE[..24], &settings, REQUEST].concat()).await.unwrap();
        let began = Instant::now();
        let reads = tokio::spawn(async move {
            let mut all = Vec::new();
            sleep(lasts + UNREAD - A_MOMENT).await;
            if takes_it {
                client.write_all(&[0, 0, 4, 8, 0, 0, 0, 0, 1, 0, 0, 0, 99]).await.unwrap();
                // It ends its connection when it has the whole stream.
                while !has_the_rest(&all) && client.read_buf(&mut all).await.unwrap() > 0 {}
            } else {
                client.read_to_end(&mut all).await.unwrap();
            }
            has_the_rest(&all)
        });
        assert_eq!(reads.await.unwrap(), takes_it);
        served.await.unwrap();
        let expected = lasts + UNREAD;
        assert!((expected - A_MOMENT..expected + A_MOMENT).contains(&began.elapsed()), "{:?}", began.elapsed());
    }
}

#[tokio::test(start_paused = true)]
async fn holds_a_drain_back_for_an_answer_until_the_peer_has_taken_it() {
    // The answer has begun before the drain, or begins in it.
    let soon = Duration::from_secs(1);
    for (handler, takes_it) in [(Duration::ZERO, true), (Duration::ZERO, false), (soon, true), (soon, false)] {
        let (mut client, phase, served) = start(After(handler));
        // A window of one byte: h2 has the whole answer, and the peer has not.
        let settings = [0, 0, 6, 4, 0, 0, 0, 0, 0, 0, 4, 0, 0, 0, 1];
        client.write_all(&[&PREFACE[..24], &settings, REQUEST].concat()).await.unwrap();
        sleep(Duration::from_millis(1)).await;
        phase.send_replace(Phase::Draining);
        sleep(UNREAD - Duration::from_secs(1)).await;
        assert!(!served.is_finished());
        if takes_it {
            client.write_all(&[0, 0, 4, 8, 0, 0, 0, 0, 1, 0, 0, 0, 99]).await.unwrap();
            sleep(QUIET + A_MOMENT).await;
            assert!(served.is_finished());
        } else {
            phase.send_replace(Phase::Cut);
        }
        assert_eq!(served.await.unwrap(), usize::from(!takes_it));
    }
}

#[tokio::test(start_paused = true)]
async fn sends_a_peer_away_when_the_connection_is_old_and_finishes_its_calls() {
    let (client, _phase, served) = start(After(LIFETIME.age + LIFETIME.grace / 2));
    let answer = call(client).await;
    assert_eq!(answer.await.unwrap().unwrap().status(), 200);
    timeout(QUIET + A_MOMENT, served).await.expect("it ends after its last call").unwrap();

    let (client, _phase, served) = start(After(LIFETIME.age * 2));
    let began = Instant::now();
    let answer = call(client).await;
    assert!(answer.await.unwrap().is_err());
    served.await.unwrap();
    let expected = LIFETIME.age + LIFETIME.grace;
    assert!((expected..expected + A_MOMENT).contains(&began.elapsed()), "{:?}", began.elapsed());
}

#[test]
fn does_not_let_connections_of_one_moment_grow_old_in_another() {
    let ages: Vec<Duration> = (0..1000).map(|_| LIFETIME.with_jitter().age).collect();
    let (least, most) = (ages.iter().min().unwrap(), ages.iter().max().unwrap());
    assert!(*least >= LIFETIME.age * 9 / 10 && *most <= LIFETIME.age * 11 / 10, "{least:?} {most:?}");
    assert!(*most - *least > LIFETIME.age / 10, "{least:?} {most:?}");
}

#[tokio::test(start_paused = true)]
async fn closes_a_peer_that_floods_and_tells_it_why() {
    let (mut client, _phase, served) = start(After(Duration::ZERO));
    client.write_all(PREFACE).await.unwrap();
    let ping = [0, 0, 8, 6, 0, 0, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8];
    let (mut reads, mut writes) = tokio::io::split(client);
    let flood = tokio::spawn(async move {
        let mut sent = 0;
        while sent < 100_000 && writes.write_all(&ping).await.is_ok() {
            sent += 1;
        }
        sent
    });
    let mut all = Vec::new();
    reads.read_to_end(&mut all).await.unwrap();
    assert_eq!(served.await.unwrap(), 0);
    let words = b"too_many_pings";
    let goaway = [&[0, 0, 22, 7, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 11], &words[..]].concat();
    assert!(all.ends_with(&goaway), "{}", all.escape_ascii());
    assert!(flood.await.unwrap() < 10_000);
}

#[tokio::test(start_paused = true)]
async fn closes_a_peer_that_never_finishes_its_headers() {
    let (mut client, _phase, _served) = start(After(Duration::ZERO));
    client.write_all(b"GET / HTTP/1.1\r\nhost:").await.unwrap();
    let began = Instant::now();
    let mut rest = Vec::new();
    client.read_to_end(&mut rest).await.unwrap();
    assert!(began.elapsed() <= UNFINISHED + Duration::from_millis(1), "{:?}", began.elapsed());
}

/// How long a connection over HTTP/1.1 lasts that is kept for `keep_alive`, and whose peer sends `said`, and `then` a second later.
async fn lasts_over_http_1(keep_alive: Duration, said: &str, then: &str) -> Duration {
    let (mut client, server) = duplex(64 * 1024);
    let (_phase, phases) = Phases::new();
    let lifetime = Lifetime { http1_keep_alive: keep_alive, ..LIFETIME };
    let served = tokio::spawn(serve(server, None, Arc::new(After(Duration::ZERO)), WINDOW, lifetime, phases));
    let began = Instant::now();
    client.write_all(said.as_bytes()).await.unwrap();
    sleep(Duration::from_secs(1)).await;
    // It may have ended by then.
    let _ = client.write_all(then.as_bytes()).await;
    let mut all = Vec::new();
    client.read_to_end(&mut all).await.unwrap();
    assert_eq!(served.await.unwrap(), 0);
    began.elapsed()
}

const KEEP_ALIVES: [Duration; 4] =
    [Duration::from_millis(1500), Duration::from_secs(5), Duration::from_secs(10), Duration::from_secs(75)];

#[tokio::test(start_paused = true)]
async fn keeps_a_connection_over_http_1_for_as_long_as_it_was_told() {
    let get = "GET / HTTP/1.1\r\nhost: a\r\n\r\n";
    let second = Duration::from_secs(1);
    for keep_alive in KEEP_ALIVES {
        // From the end of the last call on.
        for (said, then, from) in [(get, "", Duration::ZERO), (get, get, second), (get, &get.repeat(3), second)] {
            let lasted = lasts_over_http_1(keep_alive, said, then).await;
            let expected = from + keep_alive;
            assert!(
                (expected..expected + 2 * A_MOMENT).contains(&lasted),
                "{lasted:?} of {keep_alive:?} after {then:?}"
            );
        }
    }
}

#[tokio::test(start_paused = true)]
async fn gives_a_head_over_http_1_the_same_time_however_long_a_connection_is_kept() {
    let get = "GET / HTTP/1.1\r\nhost: a\r\n\r\n";
    let half = &get[..20];
    let second = Duration::from_secs(1);
    for keep_alive in KEEP_ALIVES {
        let cases = [(half, "", Duration::ZERO), (half, "x: y\r\n", Duration::ZERO), (get, half, second)];
        // The begin of a request in the same bytes as the end of the one before it.
        let pipelined = format!("{get}{half}");
        for (said, then, from) in cases.into_iter().chain([(&*pipelined, "", Duration::ZERO)]) {
            let lasted = lasts_over_http_1(keep_alive, said, then).await;
            let expected = from + UNFINISHED;
            assert!((expected..expected + 2 * A_MOMENT).contains(&lasted), "{lasted:?} after {said:?} and {then:?}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn waits_for_the_rest_of_a_body_as_for_the_rest_of_a_head() {
    for keep_alive in KEEP_ALIVES {
        let said = "POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 9\r\n\r\nhalf";
        let lasted = lasts_over_http_1(keep_alive, said, "").await;
        assert!((UNFINISHED..UNFINISHED + 2 * A_MOMENT).contains(&lasted), "{lasted:?} of {keep_alive:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn answers_a_peer_that_sends_no_more_also_when_the_drain_begins() {
    let (mut client, phase, served) = start(After(Duration::from_secs(3)));
    client.write_all(b"GET / HTTP/1.1\r\nhost: a\r\n\r\n").await.unwrap();
    client.shutdown().await.unwrap();
    sleep(Duration::from_millis(1)).await;
    phase.send_replace(Phase::Draining);
    let mut answer = String::new();
    client.read_to_string(&mut answer).await.unwrap();
    assert!(answer.ends_with("an answer"), "{answer}");
    assert_eq!(served.await.unwrap(), 0);
}
