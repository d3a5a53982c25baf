//! Messages of a client stream that are none, in a stream that is answered once and in one that goes both ways.

use bytes::Bytes;
use tonic::Code;

use crate::{
    caller::{Connection, DEFAULT_WINDOW, frame, item, said},
    service::serve_with,
};

const LIMIT: usize = 1_000;

/// The status of a call to `method` that sends an item, and then this as its last.
async fn status_after(method: &str, bad: Bytes) -> (Code, String) {
    let server = serve_with(|config| config.max_message_size = LIMIT, None).await;
    let connection = Connection::open(server.address, DEFAULT_WINDOW).await;
    let mut call = connection.call(method, &[]).await.unwrap();
    call.items.send_data(item("good"), false).unwrap();
    call.items.send_data(bad, true).unwrap();
    let answer = call.answer().await.unwrap();
    let delivered = if method == "Chat" { item("good") } else { Bytes::new() };
    assert_eq!(answer.body, delivered, "what was answered before stays answered");
    said(&answer.status)
}

#[tokio::test]
async fn refuses_a_message_over_the_limit() {
    for method in ["Upload", "Chat"] {
        let too_large = status_after(method, frame(0, &[0; LIMIT + 1])).await;
        assert_eq!(too_large, (Code::ResourceExhausted, "MESSAGE_TOO_LARGE".to_owned()), "{method}");
    }
}

#[tokio::test]
async fn refuses_a_message_over_the_limit_before_it_has_come() {
    for method in ["Upload", "Chat"] {
        let server = serve_with(|config| config.max_message_size = LIMIT, None).await;
        let connection = Connection::open(server.address, DEFAULT_WINDOW).await;
        let mut call = connection.call(method, &[]).await.unwrap();
        // Only the header of the frame: 4 GiB less a byte are to follow, and the stream stays open.
        call.items.send_data(Bytes::from_static(b"\0\xff\xff\xff\xff"), false).unwrap();
        let status = call.answer().await.unwrap().status;
        assert_eq!(said(&status), (Code::ResourceExhausted, "MESSAGE_TOO_LARGE".to_owned()), "{method}: {status:?}");
    }
}

#[tokio::test]
async fn refuses_what_is_no_frame() {
    let cut_short = item("good").slice(..6);
    let header_cut_short = item("good").slice(..3);
    let compressed_without_a_word = frame(1, b"x");
    let unknown_flag = frame(7, b"x");
    for method in ["Upload", "Chat"] {
        for bad in [&cut_short, &header_cut_short, &compressed_without_a_word, &unknown_flag] {
            let status = status_after(method, bad.clone()).await;
            assert_eq!(status, (Code::Internal, "BAD_FRAME".to_owned()), "{method}: {bad:?}");
        }
    }
}

#[tokio::test]
async fn refuses_what_is_not_of_its_type() {
    for method in ["Upload", "Chat"] {
        // A field that says it is longer than the message.
        let status = status_after(method, frame(0, b"\x0a\x7f")).await;
        assert_eq!(status, (Code::Internal, "BAD_MESSAGE".to_owned()), "{method}");
    }
}
