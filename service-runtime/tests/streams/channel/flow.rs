//! Flow control: who does not read stops who writes, and costs no more memory than the windows of HTTP/2.

use futures_util::stream;
use tokio::time::timeout;

use super::{MS, calls, item, items, next};
use crate::service::{Act, in_memory};

const KIBIBYTE: usize = 1024 - 8;

/// In KiB: the windows that hyper's client gives, 2 MiB a stream, what is on its way, and some.
const MOST: usize = 3 * 1024;

#[tokio::test(start_paused = true)]
async fn stops_the_writer_of_an_answer_that_is_not_read() {
    let mut peer = in_memory(|_| {}, None);
    let calls = calls(peer.server.clone());
    let mut download = calls.client().download(item("")).await.unwrap().into_inner();
    let acts = peer.downloads.recv().await.unwrap().acts;
    let fill = async || {
        let mut taken = 0;
        while timeout(1_000 * MS, acts.send(Act::Send(vec![0; KIBIBYTE]))).await.is_ok() {
            taken += 1;
            assert!(taken < MOST, "it does not stop");
        }
        taken
    };
    let stopped = fill().await;
    assert!(stopped >= 63, "{stopped}");
    for _ in 0..stopped {
        assert!(next(&mut download).await.unwrap().is_ok());
    }
    // And it goes on once it is read.
    let went_on = fill().await;
    assert!(went_on >= stopped / 2, "{went_on} after {stopped} were read");
}

#[tokio::test(start_paused = true)]
async fn stops_the_caller_of_a_handler_that_does_not_read() {
    let peer = in_memory(|_| {}, None);
    let calls = calls(peer.server.clone());
    let (send, sent) = items();
    let mut client = calls.client();
    let upload = tokio::spawn(async move { client.upload(sent).await });
    send.send(item("wait")).await.unwrap();
    let mut taken = 0;
    while timeout(1_000 * MS, send.send(item(vec![0; KIBIBYTE]))).await.is_ok() {
        taken += 1;
        assert!(taken < MOST, "it does not stop");
    }
    assert!(taken >= 63, "{taken}");
    // It stops no other call.
    let content = vec![0; 60_000];
    assert_eq!(calls.client().echo(item(content.clone())).await.unwrap().into_inner().content, content);
    assert_eq!(calls.client().upload(stream::iter([item("1")])).await.unwrap().into_inner(), item("1"));
    upload.abort();
}
