//! `examples/axum.rs`: axum on one port, gRPC on another, one state and one end.

use std::{
    io::Write as _,
    net::TcpStream,
    time::{Duration, Instant},
};

use proto::{HelloRequest, greeter_client::GreeterClient};
use tonic::transport::Channel;

use crate::process::{Example, get};

#[path = "../../examples/generated/hello.rs"]
mod proto;

/// The example, and the address of its web page.
fn start() -> (Example, String) {
    let mut example = Example::start("axum", &["127.0.0.1:0", "127.0.0.1:0"]);
    let web = example.next_address();
    (example, web)
}

#[tokio::test]
async fn two_ports_share_a_state_and_end_together() {
    let (example, web) = start();
    let channel = Channel::from_shared(format!("http://{}", example.address)).unwrap().connect().await.unwrap();
    let mut greeter = GreeterClient::new(channel);
    let reply = greeter.hello(HelloRequest { name: "you".into() }).await.unwrap().into_inner();
    assert_eq!(reply.greeting, "hello, you");

    let page = get(&web, "/");
    assert!(page.starts_with("HTTP/1.1 200") && page.ends_with("\r\n\r\n1 greetings so far\n"), "{page}");
    // Neither port answers for the other.
    assert!(get(&web, "/hello.v1.Greeter/Hello").starts_with("HTTP/1.1 404"));
    assert!(example.get("/").starts_with("HTTP/1.1 404"));

    example.terminate();
    let (status, log) = example.ended();
    assert!(status.success(), "{status} {log}");
    assert!(log.trim_end().ends_with("state=drained calls_cut=0"), "{log}");
    assert!(!log.contains("web requests were cut"), "{log}");
}

#[test]
fn a_second_signal_cuts_a_web_request_that_never_ends() {
    let (mut example, web) = start();
    let mut unfinished = TcpStream::connect(&web).unwrap();
    unfinished.write_all(b"GET / HTTP/1.1\r\n").unwrap();
    // Answered on a later connection to the same port: the one above has been accepted by then.
    get(&web, "/");
    let asked = Instant::now();
    example.terminate();
    // The system makes one of two signals that follow each other at once.
    example.line_with("state=draining");
    example.terminate();
    let (status, log) = example.ended();
    assert!(status.success(), "{status} {log}");
    assert!(asked.elapsed() < Duration::from_secs(5), "the drain timeout is 10 s: {:?}", asked.elapsed());
    assert!(log.contains("WARN service=greeter message=\"web requests were cut\""), "{log}");
}
