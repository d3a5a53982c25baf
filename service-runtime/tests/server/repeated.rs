//! Fields of which there may be one only, twice: whoever reads the first would understand something else than who reads the last.

use http::StatusCode;
use tokio::net::TcpStream;

use crate::{
    raw,
    scripted::{config, server, start},
};

const EMPTY: &[u8] = b"\0\0\0\0\0";

#[tokio::test]
async fn two_timeouts_are_a_malformed_one_also_where_they_say_the_same() {
    let running = start!(server(config(|_| {})));
    for timeouts in [["1S", "1S"], ["1S", "2S"]] {
        let mut stream = TcpStream::connect(running.address).await.unwrap();
        let headers = timeouts.map(|timeout| ("grpc-timeout", timeout));
        assert_eq!(raw::call(&mut stream, &headers, EMPTY).await, "13", "{timeouts:?}");
    }
}

#[tokio::test]
async fn two_content_types_are_not_grpcs() {
    let running = start!(server(config(|_| {})));
    let stream = TcpStream::connect(running.address).await.unwrap();
    let (mut sender, connection) = h2::client::handshake(stream).await.unwrap();
    let request = raw::request("/chat.v1.Chat/Say", &[("content-type", "text/html")]);
    let (answer, _) = sender.send_request(request, true).unwrap();
    tokio::select! {
        answer = answer => assert_eq!(answer.unwrap().status(), StatusCode::UNSUPPORTED_MEDIA_TYPE),
        ended = connection => panic!("the connection ended first: {ended:?}"),
    }
}
