//! Compressed messages: of a server that takes them, and of one that does not.

use std::io::Write as _;

use bytes::Bytes;
use prost::Message as _;
use tonic::{Code, codec::CompressionEncoding::Gzip};

use crate::{
    caller::{Answer, Connection, DEFAULT_WINDOW, client, frame, said},
    generated::Item,
    service::{Running, serve, serve_with},
};

const METHODS: [&str; 3] = ["Echo", "Upload", "Chat"];

/// A compressed item of this many bytes, all of them 0.
fn compressed(length: usize) -> Bytes {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    encoder.write_all(&Item { content: vec![0; length] }.encode_to_vec()).unwrap();
    frame(1, &encoder.finish().unwrap())
}

async fn answer(server: &Running, method: &str, message: Bytes) -> Answer {
    let connection = Connection::open(server.address, DEFAULT_WINDOW).await;
    let mut call = connection.call(method, &[("grpc-encoding", "gzip")]).await.unwrap();
    call.items.send_data(message, true).unwrap();
    call.answer().await.unwrap()
}

#[tokio::test]
async fn takes_and_sends_what_the_generated_server_was_told_to() {
    let server = serve_with(|_| {}, Some(Gzip)).await;
    let mut client = client(server.address).await.send_compressed(Gzip).accept_compressed(Gzip);
    let item = Item { content: vec![7; 10_000] };
    let echo = client.echo(item.clone()).await.unwrap();
    assert_eq!(echo.metadata().get("grpc-encoding").unwrap(), "gzip");
    assert_eq!(echo.into_inner(), item);
    let items = || futures_util::stream::iter(vec![item.clone(); 3]);
    assert_eq!(client.upload(items()).await.unwrap().into_inner().content, b"3");
    let chat = client.chat(items()).await.unwrap();
    assert_eq!(chat.metadata().get("grpc-encoding").unwrap(), "gzip");
    let mut chat = chat.into_inner();
    for _ in 0..3 {
        assert_eq!(chat.message().await.unwrap(), Some(item.clone()));
    }
    assert_eq!(chat.message().await.unwrap(), None);
}

#[tokio::test]
async fn refuses_what_the_generated_server_was_not_told_to_take() {
    let server = serve().await;
    for method in METHODS {
        let answer = answer(&server, method, compressed(10)).await;
        assert_eq!(said(&answer.status), (Code::Unimplemented, "WRONG_ENCODING".to_owned()), "{method}");
        assert_eq!(answer.headers.get("grpc-accept-encoding").unwrap(), "identity", "{method}");
    }
}

#[tokio::test]
async fn names_what_it_takes_where_it_refuses_another_encoding() {
    let server = serve_with(|_| {}, Some(Gzip)).await;
    let connection = Connection::open(server.address, DEFAULT_WINDOW).await;
    for method in METHODS {
        let mut call = connection.call(method, &[("grpc-encoding", "snappy")]).await.unwrap();
        call.items.send_data(frame(1, b"x"), true).unwrap();
        let answer = call.answer().await.unwrap();
        assert_eq!(said(&answer.status), (Code::Unimplemented, "WRONG_ENCODING".to_owned()), "{method}");
        assert_eq!(answer.headers.get("grpc-accept-encoding").unwrap(), "gzip,identity", "{method}");
    }
}

#[tokio::test]
async fn reads_all_fields_of_a_list_of_encodings() {
    let server = serve_with(|config| config.max_message_size = 1_000, Some(Gzip)).await;
    let connection = Connection::open(server.address, DEFAULT_WINDOW).await;
    let accepts = [("grpc-accept-encoding", "identity"), ("grpc-accept-encoding", "gzip")];
    for method in METHODS {
        let mut call = connection.call(method, &accepts).await.unwrap();
        call.items.send_data(frame(0, &Item { content: vec![7; 500] }.encode_to_vec()), true).unwrap();
        assert_eq!(call.answer().await.unwrap().headers.get("grpc-encoding").unwrap(), "gzip", "{method}");
        // The generated code would take the first, and decompress by none: past the limit, if we took the second.
        let claims = [("grpc-encoding", "gzip"), ("grpc-encoding", "identity")];
        let mut call = connection.call(method, &claims).await.unwrap();
        call.items.send_data(compressed(100_000), true).unwrap();
        let answer = call.answer().await.unwrap();
        assert_eq!(said(&answer.status), (Code::Unimplemented, "WRONG_ENCODING".to_owned()), "{method}");
    }
}

#[tokio::test]
async fn holds_the_limit_for_what_comes_out_of_a_compressed_message() {
    let server = serve_with(|config| config.max_message_size = 1_000, Some(Gzip)).await;
    for method in METHODS {
        let fits = answer(&server, method, compressed(900)).await;
        assert_eq!(fits.status.code(), Code::Ok, "{method}: {:?}", fits.status);
        let bomb = compressed(100_000);
        assert!(bomb.len() < 1_000, "it fits before it is decompressed");
        let refused = answer(&server, method, bomb).await.status;
        assert_eq!(said(&refused), (Code::ResourceExhausted, "MESSAGE_TOO_LARGE".to_owned()), "{method}");
    }
}
