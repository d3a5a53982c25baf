//! A connection does not live for ever: it is sent away when it has no calls, and when it is old.

use std::time::{Duration, Instant};

use lab::{
    child::Child,
    http::{self, Ask},
    program::Program,
    raw::{ConnectionConfig, Fate, RawConnection},
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    time::timeout,
};

/// What a bound adds to what it is about: these tests run side by side on cores that also compile.
const SLACK: Duration = Duration::from_millis(500);
const CONNECTION_ENDS_WITHIN: Duration = Duration::from_secs(10);
const SECOND: Duration = Duration::from_secs(1);

async fn start(service: &'static str, flags: &[&str]) -> Child {
    let program = Program::at(env!("CARGO_BIN_EXE_lab")).with_defaults();
    Child::start(&program, service, &[&["--listen", "127.0.0.1:0"], flags].concat()).await.unwrap()
}

/// A, and a B that calls it, with the same flags.
async fn pair(flags: &[&str]) -> [Child; 2] {
    let a = start("service-a", flags).await;
    let b = start("service-b", &[&["--service-a", &a.url()], flags].concat()).await;
    [a, b]
}

#[tokio::test]
async fn a_connection_without_calls_is_sent_away() {
    for process in &pair(&["--max-connection-idle", "1s"]).await {
        let began = Instant::now();
        let ended = RawConnection::connect(process.address(), ConnectionConfig::DEFAULT)
            .await
            .unwrap()
            .ended(CONNECTION_ENDS_WITHIN)
            .await;
        let after = ended.at - began;
        assert!(ended.closed && !ended.goaways.is_empty(), "{}: {ended:?}", process.name());
        assert!(after >= SECOND && after < SECOND + SLACK, "{}: {after:?}", process.name());
    }
}

#[tokio::test]
async fn an_old_connection_is_sent_away_and_its_call_is_finished() {
    for process in &pair(&["--max-connection-age", "1s", "--fault-injection"]).await {
        let mut caller = RawConnection::connect(process.address(), ConnectionConfig::DEFAULT).await.unwrap();
        let began = Instant::now();
        // B is to be slow itself, for its call to A has a shorter timeout.
        let behavior = format!("hop={} sleep-2", process.name()).replace("hop=service-a ", "");
        caller.call(process.name(), "hello", &[("rpc-behavior", &behavior)]).await.unwrap();
        while !caller.is_told_to_go() {
            caller.next().await.unwrap().unwrap();
        }
        // A tenth more or less.
        let told = began.elapsed();
        assert!(told > SECOND * 8 / 10 && told < SECOND * 11 / 10 + SLACK, "{}: {told:?}", process.name());
        let ended = caller.ended(CONNECTION_ENDS_WITHIN).await;
        assert_eq!((ended.closed, ended.fate(&ended.calls[0])), (true, Fate::Whole), "{}: {ended:?}", process.name());
    }
}

#[tokio::test]
async fn a_call_that_does_not_end_is_cut_when_the_connections_grace_is_over() {
    let flags = ["--max-connection-age", "1s", "--drain-timeout", "1s", "--fault-injection"];
    for process in &pair(&flags).await {
        let mut caller = RawConnection::connect(process.address(), ConnectionConfig::DEFAULT).await.unwrap();
        let began = Instant::now();
        let behavior = format!("hop={} keep-open", process.name()).replace("hop=service-a ", "");
        caller.call(process.name(), "hello", &[("rpc-behavior", &behavior)]).await.unwrap();
        let ended = caller.ended(CONNECTION_ENDS_WITHIN).await;
        let after = ended.at - began;
        assert!(ended.closed && after > SECOND * 18 / 10 && after < SECOND * 21 / 10 + SLACK, "{after:?} {ended:?}");
        // The process lives.
        assert_eq!(http::ask(process.address(), &Ask::get("/health")).await.unwrap().status, 200);
    }
}

#[tokio::test]
async fn nobody_notices_that_the_connections_between_b_and_a_grow_old() {
    // Longer than the 200 ms after which a connection counts as one that lasted, and is replaced at once.
    let a = start("service-a", &["--max-connection-age", "400ms"]).await;
    let b = start("service-b", &["--service-a", &a.url()]).await;
    let until = Instant::now() + SECOND * 3;
    while Instant::now() < until {
        let answer = http::ask(b.address(), &Ask::get("/call-echo?msg=hello")).await.unwrap();
        assert_eq!(answer.status, 200, "{answer:?}");
    }
}

/// How long a connection over HTTP/1.1 lasts whose peer sends this, and what it is told.
async fn lasts_over_http1(process: &Child, said: &str) -> (Duration, String) {
    let mut stream = TcpStream::connect(process.address()).await.unwrap();
    let began = Instant::now();
    stream.write_all(said.as_bytes()).await.unwrap();
    let mut answer = String::new();
    timeout(CONNECTION_ENDS_WITHIN + SLACK, stream.read_to_string(&mut answer)).await.unwrap().unwrap();
    (began.elapsed(), answer)
}

#[tokio::test]
async fn a_kept_http1_connection_lasts_as_long_as_its_flag_says() {
    for process in &pair(&["--http1-keep-alive", "1s"]).await {
        let (lasted, answer) = lasts_over_http1(process, "GET /health HTTP/1.1\r\nhost: x\r\n\r\n").await;
        assert!(answer.starts_with("HTTP/1.1 200 "), "{}: {answer}", process.name());
        assert!(lasted >= SECOND && lasted < SECOND + SLACK, "{}: {lasted:?}", process.name());
    }
}

#[tokio::test]
async fn a_head_that_is_never_finished_is_closed_within_ten_seconds_however_long_connections_are_kept() {
    let [a, b] = pair(&["--http1-keep-alive", "75s"]).await;
    let pipelined = "GET /health HTTP/1.1\r\nhost: x\r\n\r\nGET /hea";
    let (first, second) = tokio::join!(lasts_over_http1(&a, "GET /health HT"), lasts_over_http1(&b, pipelined));
    assert_eq!((first.1.as_str(), second.1.starts_with("HTTP/1.1 200 ")), ("", true), "{second:?}");
    assert!(first.0 < CONNECTION_ENDS_WITHIN && second.0 < CONNECTION_ENDS_WITHIN, "{first:?} {second:?}");
}
