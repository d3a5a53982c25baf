//! HTTP/1.1 on the wire: who has gone and who only sends no more, and what becomes of a body that nobody reads.

use std::{net::SocketAddr, time::Duration};

use service_runtime::{json::Route, server::Server};
use socket2::SockRef;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    time::timeout,
};

use crate::{
    log::line_with,
    scripted::{LONG, Receipt, Running, config, line, server, start},
};

/// How often what depends on who is faster is tried.
const OFTEN: usize = 40;

fn say() -> Server {
    let say = Route::get("/say", "/chat.v1.Chat/Say", |_| line(""), |reply: Receipt| reply.lines.into());
    let obeys = config(|config| {
        config.faults.obey_metadata = true;
        config.max_concurrent_calls = 1;
    });
    server(obeys).json([say])
}

async fn connect(address: SocketAddr) -> TcpStream {
    TcpStream::connect(address).await.unwrap()
}

/// Sends `parts`, each in a segment of its own, and no more after them; returns all that comes.
async fn ask_and_send_no_more(address: SocketAddr, parts: &[&str]) -> String {
    let mut stream = connect(address).await;
    stream.set_nodelay(true).unwrap();
    for part in parts {
        stream.write_all(part.as_bytes()).await.unwrap();
        tokio::task::yield_now().await;
    }
    stream.shutdown().await.unwrap();
    all(stream).await
}

async fn all(mut stream: TcpStream) -> String {
    let mut answer = String::new();
    timeout(LONG, stream.read_to_string(&mut answer)).await.unwrap().unwrap();
    answer
}

/// One answer with its `content-length`; the connection may go on.
async fn one(stream: &mut TcpStream) -> String {
    let mut answer = Vec::new();
    timeout(LONG, async {
        loop {
            let text = String::from_utf8_lossy(&answer).into_owned();
            if let Some((head, body)) = text.split_once("\r\n\r\n") {
                let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap();
                if body.len() == length.parse::<usize>().unwrap() {
                    return text;
                }
            }
            assert!(stream.read_buf(&mut answer).await.unwrap() > 0, "ended after {text:?}");
        }
    })
    .await
    .unwrap()
}

/// Closes the connection with a reset.
fn reset(stream: TcpStream) {
    SockRef::from(&stream).set_linger(Some(Duration::ZERO)).unwrap();
    drop(stream);
}

/// Returns once what was sent before has reached its handler: a call that came later is answered.
async fn has_been_served(running: &Running) {
    let answer = ask_and_send_no_more(running.address, &["GET /nope HTTP/1.1\r\nhost: a\r\n\r\n"]).await;
    assert!(answer.starts_with("HTTP/1.1 404"), "{answer}");
}

const GET: &str = "GET /say HTTP/1.1\r\nhost: a\r\n\r\n";
const SLOW: &str = "GET /say HTTP/1.1\r\nhost: a\r\nrpc-behavior: sleep-100ms\r\n\r\n";
const PENDING: &str = "GET /say HTTP/1.1\r\nhost: a\r\nscript: pending\r\n";

#[tokio::test]
async fn who_sends_no_more_after_a_whole_request_is_answered() {
    let running = start!(say());
    let cases: [(&[&str], usize); 8] = [
        (&[GET], 1),
        (&[SLOW], 1),
        (&[&GET[..20], &GET[20..]], 1),
        (&["HEAD /say HTTP/1.1\r\nhost: a\r\n\r\n"], 1),
        (&["GET /say HTTP/1.1\r\nhost: a\r\ncontent-length: 4\r\nrpc-behavior: sleep-100ms\r\n\r\n", "body"], 1),
        (&["GET /say HTTP/1.0\r\n\r\n"], 1),
        (&[GET, GET, GET], 3),
        (&[SLOW, SLOW], 2),
    ];
    for (parts, answers) in cases {
        for _ in 0..OFTEN / 10 {
            let answer = ask_and_send_no_more(running.address, parts).await;
            assert_eq!(answer.matches(" 200 OK\r\n").count(), answers, "{parts:?}: {answer}");
        }
    }
}

#[tokio::test]
async fn who_sends_no_more_after_its_second_request_is_answered() {
    let running = start!(say());
    let mut stream = connect(running.address).await;
    stream.write_all(GET.as_bytes()).await.unwrap();
    one(&mut stream).await;
    stream.write_all(SLOW.as_bytes()).await.unwrap();
    stream.shutdown().await.unwrap();
    assert!(all(stream).await.starts_with("HTTP/1.1 200 OK"));
}

#[tokio::test]
async fn a_reset_cancels_the_call_whatever_came_before_it() {
    let mut running = start!(say());
    let cases = [("reset-1", false, ""), ("reset-2", true, ""), ("reset-3", false, GET), ("reset-4", true, &GET[..10])];
    for (id, sends_no_more, next) in cases {
        let mut stream = connect(running.address).await;
        stream.write_all(format!("{PENDING}x-request-id: {id}\r\n\r\n{next}").as_bytes()).await.unwrap();
        if sends_no_more {
            stream.shutdown().await.unwrap();
        }
        has_been_served(&running).await;
        assert!(running.dropped.try_recv().is_err(), "{id}");
        reset(stream);
        // The contract's 50 ms, ten times, for a machine that does other things too.
        timeout(Duration::from_millis(500), running.dropped.recv()).await.unwrap();
        let line = line_with(&format!("request_id=\"{id}\"")).await;
        assert!(line.contains("code=\"CANCELLED\" http=499"), "{line}");
    }
}

#[tokio::test]
async fn a_request_that_ends_in_its_middle_is_no_call_or_a_cancelled_one() {
    let mut running = start!(say());
    for parts in [&["GET /say HTTP/1.1\r\nhost: a\r\n"][..], &["GET /say"], &["GET /say HTTP/1.1\r\nhost: a\r\n\r"]] {
        assert_eq!(ask_and_send_no_more(running.address, parts).await, "", "{parts:?}");
    }
    for body in ["content-length: 9\r\n\r\nhalf", "transfer-encoding: chunked\r\n\r\n9\r\nhalf"] {
        let answer = ask_and_send_no_more(running.address, &[&format!("{PENDING}{body}")]).await;
        assert_eq!(answer, "", "{body}");
        timeout(LONG, running.dropped.recv()).await.unwrap();
    }
}

/// Sends `head` and then a body of `size` bytes, as Python's `http.client` does, without a look at what comes back; returns the answer.
async fn post(stream: &mut TcpStream, head: &str, size: usize) -> String {
    stream.write_all(head.as_bytes()).await.unwrap();
    stream.write_all(&vec![b'x'; size]).await.unwrap();
    one(stream).await
}

fn with_length(first: &str, size: usize) -> String {
    format!("{first}\r\nhost: a\r\ncontent-length: {size}\r\n\r\n")
}

#[tokio::test]
async fn every_refusal_with_a_body_keeps_its_connection_or_says_that_it_ends() {
    let running = start!(say());
    let grpc = "POST /chat.v1.Chat/Say HTTP/1.1\r\ncontent-type: application/grpc";
    for (first, status) in [
        ("POST /nope HTTP/1.1", 404),
        ("POST /say HTTP/1.1", 405),
        ("PUT /chat.v1.Chat/Say HTTP/1.1", 405),
        ("POST /chat.v1.Chat/Say HTTP/1.1", 415),
        (grpc, 505),
        ("GET /say?x=%zz HTTP/1.1", 400),
        ("GET /say HTTP/1.1\r\nhost: b", 400),
        ("GET /say HTTP/1.1\r\ngrpc-timeout: soon", 500),
        ("GET /say HTTP/1.1\r\ngrpc-timeout: 0m", 504),
        ("GET /say HTTP/1.1\r\nrpc-behavior: error-code-8", 429),
        ("GET /say HTTP/1.1\r\nrpc-behavior: error-code-14", 503),
        ("GET /say HTTP/1.1", 200),
        ("HEAD /nope HTTP/1.1", 404),
    ] {
        for size in [10, 100_000, 1_000_000] {
            // A HEAD's answer tells the length of a body that it does not have.
            let is_head = first.starts_with("HEAD");
            let mut stream = connect(running.address).await;
            for _ in 0..OFTEN / 10 {
                let request = with_length(first, size);
                if is_head {
                    stream.write_all(request.as_bytes()).await.unwrap();
                    stream.write_all(&vec![b'x'; size]).await.unwrap();
                    stream.write_all(GET.as_bytes()).await.unwrap();
                    stream.shutdown().await.unwrap();
                    let answers = all(std::mem::replace(&mut stream, connect(running.address).await)).await;
                    let next = if answers.contains("connection: close\r\n") { 0 } else { 1 };
                    assert!(answers.starts_with("HTTP/1.1 404"), "{answers}");
                    assert_eq!(answers.matches(" 200 OK").count(), next, "{size}: {answers}");
                    continue;
                }
                let answer = post(&mut stream, &request, size).await;
                assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{request} of {size}: {answer}");
                assert_eq!(
                    answer.contains("connection: close\r\n"),
                    size > 256 * 1024,
                    "{request} of {size}: {answer}"
                );
                if answer.contains("connection: close\r\n") {
                    assert_eq!(all(std::mem::replace(&mut stream, connect(running.address).await)).await, "");
                } else {
                    stream.write_all(GET.as_bytes()).await.unwrap();
                    assert!(one(&mut stream).await.starts_with("HTTP/1.1 200"), "{request} of {size}");
                }
            }
        }
    }
}

#[tokio::test]
async fn a_body_of_unknown_length_or_one_that_waits_for_a_word_ends_its_connection_and_says_so() {
    let running = start!(say());
    let chunk = format!("10000\r\n{}\r\n", "x".repeat(0x10000));
    for _ in 0..OFTEN {
        for (headers, body) in [
            ("transfer-encoding: chunked", "5\r\nhello\r\n0\r\n\r\n".to_owned()),
            ("transfer-encoding: chunked", chunk.repeat(20)),
            ("transfer-encoding: chunked", format!("no size\r\n{chunk}")),
            ("expect: 100-continue\r\ncontent-length: 5", String::new()),
            ("expect: 100-continue\r\ncontent-length: 5", "hello".to_owned()),
        ] {
            let mut stream = connect(running.address).await;
            stream.write_all(format!("POST /nope HTTP/1.1\r\nhost: a\r\n{headers}\r\n\r\n").as_bytes()).await.unwrap();
            stream.write_all(body.as_bytes()).await.unwrap();
            let answer = all(stream).await;
            assert!(answer.starts_with("HTTP/1.1 404 ") && answer.contains("connection: close\r\n"), "{answer}");
        }
    }
}

#[tokio::test]
async fn a_refused_body_is_read_also_by_a_server_at_its_limit() {
    let running = start!(say());
    let mut holds = connect(running.address).await;
    holds.write_all(format!("{PENDING}\r\n").as_bytes()).await.unwrap();
    has_been_served(&running).await;
    let mut stream = connect(running.address).await;
    for _ in 0..OFTEN {
        let answer = post(&mut stream, &with_length("GET /say HTTP/1.1", 10_000), 10_000).await;
        assert!(answer.starts_with("HTTP/1.1 429 ") && !answer.contains("connection: close"), "{answer}");
    }
}

#[tokio::test]
async fn what_is_no_request_at_all_is_told_so_however_much_follows() {
    let running = start!(say());
    for (head, status) in [("GET\r\n\r\n", 400), ("GET / HTTP/1.1\r\nx: ", 431)] {
        for _ in 0..OFTEN {
            let mut stream = connect(running.address).await;
            stream.write_all(head.as_bytes()).await.unwrap();
            stream.write_all(&vec![b'y'; 1_000_000]).await.unwrap();
            let answer = all(stream).await;
            assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{answer}");
        }
    }
}
