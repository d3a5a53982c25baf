//! Calls that are not over in time: cut, counted, and no reason for another exit code than 0.

use std::time::{Duration, Instant};

use lab::raw::{ConnectionConfig, Fate};

use crate::drains::support::{IDLE, SLACK, fate, on_each};

const DRAIN_TIMEOUT: Duration = Duration::from_secs(1);

#[track_caller]
fn is_the_drain_timeout(signalled: Instant, exited: Instant) {
    let after = exited - signalled;
    assert!((DRAIN_TIMEOUT..=DRAIN_TIMEOUT + IDLE + SLACK).contains(&after), "{after:?}");
}

#[tokio::test]
async fn a_call_longer_than_the_drain_timeout_is_cut() {
    on_each(&["--drain-timeout", "1s"], async |process| {
        let call = process.call(ConnectionConfig::DEFAULT, "keep-open").await;
        let signalled = process.signal();
        assert!(matches!(fate(call).await.0, Fate::Lost(_)));
        is_the_drain_timeout(signalled, process.exits(1).await);
    })
    .await;
}

#[tokio::test]
async fn a_reader_that_never_reads_is_cut() {
    on_each(&["--drain-timeout", "1s"], async |process| {
        let mut reader =
            process.caller(ConnectionConfig { window: 1024, pause: None, ..ConnectionConfig::DEFAULT }).await;
        reader.call(process.child.name(), &"long".repeat(4096), &[]).await.unwrap();
        reader.heard().await.unwrap();
        let signalled = process.signal();
        assert!(matches!(fate(reader).await.0, Fate::Lost(_)));
        is_the_drain_timeout(signalled, process.exits(1).await);
    })
    .await;
}

#[tokio::test]
async fn a_second_signal_cuts_at_once() {
    on_each(&[], async |mut process| {
        let call = process.call(ConnectionConfig::DEFAULT, "keep-open").await;
        process.signal();
        process.drains().await;
        let again = process.signal();
        assert!(matches!(fate(call).await.0, Fate::Lost(_)));
        let after = process.exits(1).await - again;
        assert!(after <= IDLE + SLACK, "{after:?}");
    })
    .await;
}
