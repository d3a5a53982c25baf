//! Streams, by the contract (`docs/contract.md`, "Streaming"): how they are counted, limited, ended and logged.

pub mod raw;

use std::{sync::atomic::Ordering, time::Duration};

use bytes::Bytes;
use futures_util::stream;
use tokio::{
    net::TcpStream,
    time::{Instant, timeout},
};
use tonic::{Code, Status, Streaming};

use crate::scripted::{
    LONG, Line, ListenRequest, Running, config, failed, failure, line, named, scripted, server, start,
};

async fn listen(running: &Running, script: &'static str) -> Result<Streaming<Line>, Status> {
    Ok(running.client().await.listen(scripted(script, ListenRequest {})).await?.into_inner())
}

/// The first line of an open stream.
async fn open(running: &Running) -> Result<Streaming<Line>, Status> {
    let mut lines = listen(running, "open").await?;
    assert_eq!(lines.message().await?.unwrap().text, "one");
    Ok(lines)
}

/// A call that is let in again, as soon as it is; refused it is overloaded.
async fn let_in(running: &Running) -> Streaming<Line> {
    let until = Instant::now() + LONG;
    loop {
        match open(running).await {
            Ok(lines) => return lines,
            Err(status) => assert_eq!(failure(&status), (Code::ResourceExhausted, "OVERLOADED".into())),
        }
        assert!(Instant::now() < until, "a permit is not given back");
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_stream_counts_until_its_end() {
    let running = start!(server(config(|config| config.max_concurrent_calls = 2)));
    let (first, second) = (open(&running).await.unwrap(), open(&running).await.unwrap());
    for _ in 0..8 {
        assert_eq!(failed(open(&running).await.map(drop)), (Code::ResourceExhausted, "OVERLOADED".into()));
    }
    // One that its caller leaves gives its place back.
    drop(first);
    let third = let_in(&running).await;
    drop((second, third));
    // And so does one that panics, one that fails and one that ends.
    for script in ["panic", "error", "three"] {
        let mut lines = loop {
            match listen(&running, script).await {
                Ok(lines) => break lines,
                Err(status) => assert_eq!(status.code(), Code::ResourceExhausted),
            }
        };
        while lines.message().await.is_ok_and(|line| line.is_some()) {}
    }
    let (_one, _other) = (let_in(&running).await, let_in(&running).await);
}

#[tokio::test]
async fn a_message_over_the_limit_ends_a_stream_with_a_reason() {
    let running = start!(server(config(|config| config.max_message_size = 1_000)));
    let mut client = running.client().await;
    let too_large = (Code::ResourceExhausted, "MESSAGE_TOO_LARGE".to_owned());
    let lines = || stream::iter([line("small"), line(&"x".repeat(2_000)), line("never read")]);
    assert_eq!(failed(client.dictate(lines()).await), too_large);
    let mut answers = client.talk(lines()).await.unwrap().into_inner();
    assert_eq!(answers.message().await.unwrap().unwrap().text, "small");
    let status = answers.message().await.unwrap_err();
    assert_eq!(failure(&status), too_large);
    assert_eq!(status.message(), "The message is over the size limit of 1000 B");
}

#[tokio::test]
async fn a_stream_that_ends_within_a_message_is_a_bad_frame() {
    let running = start!(server(config(|_| {})));
    for body in [&b"\0\0\0\0\x09half"[..], b"\0\0", b"\x07\0\0\0\0", b"\x01\0\0\0\0"] {
        let mut stream = TcpStream::connect(running.address).await.unwrap();
        assert_eq!(raw::call_path(&mut stream, "/chat.v1.Chat/Dictate", &[], body).await, "13", "{body:?}");
    }
}

#[tokio::test]
async fn a_panic_in_the_middle_is_unknown_and_the_process_lives() {
    let running = start!(server(config(|_| {})));
    let mut lines = listen(&running, "panic").await.unwrap();
    assert_eq!(lines.message().await.unwrap().unwrap().text, "one");
    assert_eq!(failed(lines.message().await), (Code::Unknown, "PANIC".into()));
    open(&running).await.unwrap();
}

#[tokio::test]
async fn a_failure_in_the_middle_has_an_origin() {
    let running = start!(server(config(|_| {})));
    let mut lines = listen(&running, "error").await.unwrap();
    assert_eq!(lines.message().await.unwrap().unwrap().text, "one");
    assert_eq!(failed(lines.message().await), (Code::DataLoss, "DATA_LOSS".into()));
}

#[tokio::test]
async fn the_deadline_ends_a_stream_in_its_trailers_also_where_nobody_has_read_for_a_while() {
    let running = start!(server(config(|_| {})));
    for (script, window) in [("open", 1 << 16), ("endless", 4_000)] {
        let stream = TcpStream::connect(running.address).await.unwrap();
        let mut sender = raw::narrow(stream, window).await;
        let headers = [("grpc-timeout", "100m"), ("script", script)];
        let (answer, mut sent) = sender.send_request(raw::request("/chat.v1.Chat/Listen", &headers), false).unwrap();
        let began = Instant::now();
        sent.send_data(Bytes::from_static(b"\0\0\0\0\0"), true).unwrap();
        let (_, body) = timeout(LONG, answer).await.unwrap().unwrap().into_parts();
        if script == "endless" {
            // Its window is full; it is read again only when the deadline has passed.
            tokio::time::sleep_until(began + Duration::from_millis(200)).await;
        }
        let trailers = timeout(LONG, raw::to_the_trailers(body)).await.unwrap();
        assert_eq!(trailers["grpc-status"], "4", "{script}");
        assert!(trailers.contains_key("grpc-status-details-bin"), "{script}");
        assert!(began.elapsed() >= Duration::from_millis(100));
    }
}

#[tokio::test]
async fn the_age_of_a_connection_lets_streams_finish_and_takes_no_new_calls() {
    let config = config(|config| {
        config.max_connection_age = Duration::from_millis(100);
        config.drain_timeout = Duration::from_millis(100);
    });
    let running = start!(server(config));
    let mut client = running.client().await;
    let (say, said) = tokio::sync::mpsc::channel(1);
    let said = stream::unfold(said, |mut said| async { Some((said.recv().await?, said)) });
    let mut answers = client.talk(said).await.unwrap().into_inner();
    let begun = Instant::now();
    // Four times as old as age, jitter and grace together.
    while begun.elapsed() < Duration::from_millis(900) {
        say.send(line("still here")).await.unwrap();
        assert_eq!(answers.message().await.unwrap().unwrap().text, "still here");
        // Meanwhile others find new connections.
        running.client().await.say(scripted("", line("hello"))).await.unwrap();
    }
    drop(say);
    assert!(answers.message().await.unwrap().is_none());
}

#[tokio::test]
async fn the_log_has_a_line_at_the_end_with_the_number_of_messages() {
    let running = start!(server(config(|_| {})));
    let mut client = running.client().await;
    client.say(named(scripted("", line("hello")), "stream-unary")).await.unwrap();
    let unary = crate::log::line_with("stream-unary").await;
    assert!(!unary.contains("messages_"), "{unary}");
    let request = named(tonic::Request::new(stream::iter(vec![line("a"); 3])), "stream-dictate");
    client.dictate(request).await.unwrap();
    let dictated = crate::log::line_with("stream-dictate").await;
    assert!(dictated.contains("messages_received=3") && !dictated.contains("messages_sent"), "{dictated}");
    let mut lines =
        client.listen(named(scripted("three", ListenRequest {}), "stream-listen")).await.unwrap().into_inner();
    while lines.message().await.unwrap().is_some() {}
    let listened = crate::log::line_with("stream-listen").await;
    assert!(listened.contains("messages_sent=3") && listened.contains("code=\"OK\""), "{listened}");
    let request = named(tonic::Request::new(stream::iter(vec![line("a"); 2])), "stream-talk");
    let mut answers = client.talk(request).await.unwrap().into_inner();
    while answers.message().await.unwrap().is_some() {}
    let talked = crate::log::line_with("stream-talk").await;
    assert!(talked.contains("messages_received=2 messages_sent=2"), "{talked}");
}

#[tokio::test]
async fn a_reader_who_does_not_read_stops_the_writer() {
    let running = start!(server(config(|_| {})));
    let stream = TcpStream::connect(running.address).await.unwrap();
    let mut sender = raw::narrow(stream, 64 * 1024).await;
    let request = raw::request("/chat.v1.Chat/Listen", &[("script", "endless")]);
    let (answer, mut sent) = sender.send_request(request, false).unwrap();
    sent.send_data(Bytes::from_static(b"\0\0\0\0\0"), true).unwrap();
    let answer = timeout(LONG, answer).await.unwrap().unwrap();
    // Until nothing more is made for a tenth of a second.
    let mut made = 0;
    loop {
        tokio::time::sleep(Duration::from_millis(100)).await;
        let now = running.made.load(Ordering::Relaxed);
        if now > 0 && now == made {
            break;
        }
        made = now;
    }
    // 64 lines fit into the window; the server's side keeps some hundred kilobytes of its own before it waits.
    assert!(made < 1_000, "{made} lines of a kilobyte were made for a reader of 64 kB");
    drop(answer);
}

#[tokio::test]
async fn a_handler_sees_soon_that_its_caller_has_gone() {
    let mut running = start!(server(config(|_| {})));
    let lines = open(&running).await.unwrap();
    let began = Instant::now();
    drop(lines);
    timeout(LONG, running.dropped.recv()).await.unwrap().unwrap();
    // The contract's 50 ms, and ten times as much for a busy machine.
    assert!(began.elapsed() < Duration::from_millis(550), "{:?}", began.elapsed());
}

#[tokio::test]
async fn a_stream_goes_on_in_a_drain_until_its_timeout_and_may_end_by_itself_before() {
    let drain_timeout = Duration::from_millis(400);
    let running = start!(server(config(|config| config.drain_timeout = drain_timeout)));
    let mut goes_on = open(&running).await.unwrap();
    let mut ends = listen(&running, "until-drain").await.unwrap();
    assert_eq!(ends.message().await.unwrap().unwrap().text, "one");
    let began = Instant::now();
    running.trigger.ask();
    assert!(ends.message().await.unwrap().is_none(), "it ended with OK");
    assert!(began.elapsed() < drain_timeout, "{:?}", began.elapsed());
    let cut = goes_on.message().await.unwrap_err();
    assert!(began.elapsed() >= drain_timeout, "{:?} {cut:?}", began.elapsed());
    running.served.await.unwrap().unwrap();
}

#[tokio::test]
async fn small_messages_that_are_not_read_wait_for_their_reader_and_harm_no_other_call() {
    let running = start!(server(config(|_| {})));
    let stream = TcpStream::connect(running.address).await.unwrap();
    let (sender, connection) = h2::client::handshake(stream).await.unwrap();
    let connection = tokio::spawn(connection);
    let mut sender: h2::client::SendRequest<Bytes> = sender.ready().await.unwrap();
    let request = raw::request("/chat.v1.Chat/Talk", &[("script", "deaf")]);
    let (_answer, mut sent) = sender.send_request(request, false).unwrap();
    // Until the window of the stream is used up: some six thousand messages of six bytes.
    let message = Bytes::from_static(b"\0\0\0\0\x05\x0a\x03abc");
    let mut messages = 0;
    loop {
        sent.reserve_capacity(message.len());
        let capacity = std::future::poll_fn(|cx| sent.poll_capacity(cx));
        match timeout(Duration::from_millis(300), capacity).await {
            Ok(capacity) => assert!(capacity.unwrap().is_ok(), "after {messages} messages"),
            Err(_) => break,
        }
        if sent.capacity() >= message.len() {
            sent.send_data(message.clone(), false).unwrap();
            messages += 1;
        }
    }
    assert!(messages > 5_000, "{messages}");
    let (answer, mut sent) = sender.send_request(raw::request("/chat.v1.Chat/Say", &[]), false).unwrap();
    sent.send_data(Bytes::from_static(b"\0\0\0\0\0"), true).unwrap();
    let (head, body) = timeout(LONG, answer).await.unwrap().unwrap().into_parts();
    assert_eq!(head.status, 200);
    assert_eq!(timeout(LONG, raw::to_the_trailers(body)).await.unwrap()["grpc-status"], "0");
    assert!(!connection.is_finished());
}
