//! Calls by h2 alone: requests that no generated client would make.

use bytes::Bytes;
use h2::{
    RecvStream,
    client::{ResponseFuture, handshake},
};
use http::{HeaderMap, Request};
use tokio::net::TcpStream;

/// The `grpc-status` of a call of `Say` with these headers and this body.
pub async fn call(stream: &mut TcpStream, headers: &[(&str, &str)], body: &[u8]) -> String {
    call_path(stream, "/chat.v1.Chat/Say", headers, body).await
}

/// The same for any path.
pub async fn call_path(stream: &mut TcpStream, path: &str, headers: &[(&str, &str)], body: &[u8]) -> String {
    let (sender, connection) = handshake(stream).await.unwrap();
    let call = async {
        let mut sender = sender.ready().await.unwrap();
        let (answer, mut sent) = sender.send_request(request(path, headers), false).unwrap();
        sent.send_data(Bytes::copy_from_slice(body), true).unwrap();
        status(answer).await
    };
    tokio::select! {
        status = call => status,
        ended = connection => panic!("the connection ended first: {ended:?}"),
    }
}

/// The same for a body whose end never comes.
pub async fn unfinished(stream: &mut TcpStream, path: &str, body: &[u8]) -> String {
    let (sender, connection) = handshake(stream).await.unwrap();
    let call = async {
        let mut sender = sender.ready().await.unwrap();
        let (answer, mut sent) = sender.send_request(request(path, &[]), false).unwrap();
        sent.send_data(Bytes::copy_from_slice(body), false).unwrap();
        let status = status(answer).await;
        drop(sent);
        status
    };
    tokio::select! {
        status = call => status,
        ended = connection => panic!("the connection ended first: {ended:?}"),
    }
}

pub fn request(path: &str, headers: &[(&str, &str)]) -> Request<()> {
    let request = Request::post(format!("http://a{path}")).header("content-type", "application/grpc");
    headers.iter().fold(request, |request, (name, value)| request.header(*name, *value)).body(()).unwrap()
}

async fn status(answer: ResponseFuture) -> String {
    let (head, body) = answer.await.unwrap().into_parts();
    match head.headers.get("grpc-status") {
        Some(status) => status.to_str().unwrap().to_owned(),
        None => to_the_trailers(body).await["grpc-status"].to_str().unwrap().to_owned(),
    }
}

/// Reads on to the trailers.
pub async fn to_the_trailers(mut body: RecvStream) -> HeaderMap {
    while let Some(data) = body.data().await {
        let length = data.unwrap().len();
        body.flow_control().release_capacity(length).unwrap();
    }
    body.trailers().await.unwrap().unwrap()
}
