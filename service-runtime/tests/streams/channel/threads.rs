//! A runtime of several threads, which share one set of connections.

use futures_util::future::join_all;

use super::{calls, item};
use crate::service::in_memory;

/// As many as may wait while the first connections are made, of which each takes 100 calls.
const CALLERS: usize = 800;

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn make_calls_at_once_and_each_gets_its_own_answer() {
    let peer = in_memory(|_| {}, None);
    let calls = calls(peer.server.clone());
    let callers = (0..CALLERS).map(|caller| {
        let mut client = calls.client();
        tokio::spawn(async move {
            for call in 0..5 {
                let said = item(format!("{caller} {call}"));
                assert_eq!(client.echo(said.clone()).await.unwrap().into_inner(), said);
            }
        })
    });
    join_all(callers).await.into_iter().for_each(|caller| caller.unwrap());
    assert_eq!(peer.server.calls_in_flight(), 0);
}
