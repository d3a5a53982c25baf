//! Flow control: a reader that does not read stops its writer, and no other call.

use std::future::poll_fn;

use crate::{
    caller::{Connection, DEFAULT_WINDOW, item, soon, turns},
    service::{Act, serve},
};

/// The content of an item that takes a kibibyte on the wire.
const KIBIBYTE: usize = 1024 - 8;

#[tokio::test]
async fn polls_a_handlers_stream_no_further_than_its_caller_reads() {
    let mut server = serve().await;
    let other = Connection::open(server.address, DEFAULT_WINDOW).await;
    let connection = Connection::open(server.address, DEFAULT_WINDOW).await;
    let (_items, mut answers) = connection.download(&[]).await.begun().await;
    let download = server.download().await;
    let mut taken = 0;
    let mut fill = async || {
        // What the stream takes now it takes within those turns.
        loop {
            tokio::select! {
                biased;
                sent = download.acts.send(Act::Send(vec![0; KIBIBYTE])) => sent.unwrap(),
                () = turns(&other) => return taken,
            }
            taken += 1;
        }
    };
    // 63 fill the window. A few more are on their way: in the encoder, in h2, and one in the channel.
    let stopped = fill().await;
    assert!((63..63 + 40).contains(&stopped), "{stopped}");
    let read = async {
        let mut read = 0;
        while read < 32 * 1024 {
            read += answers.next().await.unwrap().unwrap().len();
        }
    };
    soon(read).await;
    let went_on = fill().await - stopped;
    assert!((16..=48).contains(&went_on), "{went_on} after 32 were read");
}

#[tokio::test]
async fn ends_a_handlers_stream_whose_caller_cancels_and_does_not_read() {
    let mut server = serve().await;
    let connection = Connection::open(server.address, 10).await;
    let call = connection.download(&[]).await;
    let download = server.download().await;
    let fills = async { while download.acts.send(Act::Send(vec![0; KIBIBYTE])).await.is_ok() {} };
    tokio::select! {
        () = fills => panic!("nobody has cancelled"),
        () = turns(&connection) => drop(call),
    }
    soon(download.acts.closed()).await;
}

#[tokio::test]
async fn stops_a_caller_whose_handler_does_not_read_and_no_other_call_of_its_connection() {
    let server = serve().await;
    let other = Connection::open(server.address, DEFAULT_WINDOW).await;
    // The handler sends back what comes. Its caller takes 10 bytes of that, so that it soon reads no more.
    let connection = Connection::open(server.address, 10).await;
    let mut chats = Vec::new();
    for _ in 0..99 {
        let mut chat = connection.call("Chat", &[]).await.unwrap();
        let items = item(vec![0; KIBIBYTE]).repeat(256);
        chat.items.send_data(items.into(), false).unwrap();
        chats.push(chat);
    }
    let content = "x".repeat(60_000);
    assert_eq!(connection.echo(&content).await.unwrap().body, item(content));

    let mut chat = connection.call("Chat", &[]).await.unwrap();
    chat.items.reserve_capacity(1 << 20);
    let mut sent = 0;
    loop {
        tokio::select! {
            biased;
            capacity = poll_fn(|cx| chat.items.poll_capacity(cx)) => {
                let part = vec![0; capacity.unwrap().unwrap()];
                sent += part.len();
                chat.items.send_data(part.into(), false).unwrap();
                chat.items.reserve_capacity(1 << 20);
            }
            () = turns(&other) => break,
        }
    }
    // The window, and what the handler has read: its encoder sends when it has 32 KiB, and sends twice.
    assert!((65_535..65_535 + 3 * 32 * 1024).contains(&sent), "{sent}");
}
