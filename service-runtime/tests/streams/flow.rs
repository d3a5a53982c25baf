//! Who does not read stops who writes, and nobody else.

use std::time::Duration;

use tokio::time::timeout;

use crate::{
    caller::{Connection, DEFAULT_WINDOW, turns},
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
    timeout(Duration::from_secs(5), read).await.unwrap();
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
    timeout(Duration::from_secs(1), download.acts.closed()).await.unwrap();
}
