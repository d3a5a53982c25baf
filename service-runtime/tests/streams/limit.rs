//! A stream is a call until its end, and counts for as long against the limit of calls at once.

use tonic::Code;

use crate::{
    caller::{Connection, DEFAULT_WINDOW, item, said, soon},
    service::{Act, serve_with},
};

#[tokio::test]
async fn counts_a_stream_of_any_kind_until_its_end() {
    for method in ["Upload", "Download", "Chat"] {
        let server = serve_with(|config| config.max_concurrent_calls = 2, None).await;
        let connection = Connection::open(server.address, DEFAULT_WINDOW).await;
        let mut calls = Vec::new();
        for _ in 0..10 {
            let mut call = connection.call(method, &[]).await.unwrap();
            call.items.send_data(item("hi"), method == "Download").unwrap();
            calls.push(call);
        }
        for refused in calls.split_off(2) {
            let status = refused.answer().await.unwrap().status;
            assert_eq!(said(&status), (Code::ResourceExhausted, "OVERLOADED".to_owned()), "{method}: {status:?}");
        }
    }
}

#[tokio::test]
async fn has_room_again_after_a_stream_has_ended_was_cancelled_or_panicked() {
    let mut server = serve_with(|config| config.max_concurrent_calls = 1, None).await;
    let connection = Connection::open(server.address, DEFAULT_WINDOW).await;
    for ending in ["end", "cancel", "panic"] {
        let call = connection.download(&[]).await;
        let download = server.download().await;
        let refused = connection.echo("").await.unwrap().status;
        assert_eq!(refused.code(), Code::ResourceExhausted, "{ending}");
        match ending {
            "end" => {
                drop(download);
                assert_eq!(call.answer().await.unwrap().status.code(), Code::Ok);
            }
            "cancel" => {
                drop(call);
                soon(download.acts.closed()).await;
            }
            _ => {
                download.acts.send(Act::Panic).await.unwrap();
                assert_eq!(call.answer().await.unwrap().status.code(), Code::Unknown);
            }
        }
        assert_eq!(connection.echo("").await.unwrap().status.code(), Code::Ok, "{ending}");
    }
}
