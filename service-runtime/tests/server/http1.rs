//! HTTP/1.1 on the wire: who has gone and who only sends no more.

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
    let running = start!(say());
    for parts in [&["GET /say HTTP/1.1\r\nhost: a\r\n"][..], &["GET /say"], &["GET /say HTTP/1.1\r\nhost: a\r\n\r"]] {
        assert_eq!(ask_and_send_no_more(running.address, parts).await, "", "{parts:?}");
    }
}
