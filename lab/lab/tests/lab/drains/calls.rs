//! Calls that the signal meets: finished, every one.

use std::time::Duration;

use lab::raw::{ConnectionConfig, Fate, Plain};

use crate::drains::support::{ENDS_WITHIN, fate, fates, on_each};

#[tokio::test]
async fn a_call_in_flight_is_finished() {
    on_each(&[], async |process| {
        let call = process.call(ConnectionConfig::DEFAULT, "sleep-1").await;
        process.signal();
        let (fate, answered) = fate(call).await;
        assert_eq!(fate, Fate::Whole);
        process.exits_soon_after(answered.unwrap()).await;
    })
    .await;
}

#[tokio::test]
async fn calls_that_are_only_in_the_sockets_and_the_accept_queue_are_finished() {
    on_each(&[], async |process| {
        let name = process.child.name();
        let mut known = process.call(ConnectionConfig::DEFAULT, "sleep-0").await;
        known.answered().await.unwrap();
        let (mut new, mut plain) =
            (process.caller(ConnectionConfig::DEFAULT).await, Plain::connect(process.address()).await.unwrap());
        for caller in [&mut known, &mut new] {
            for number in 0..20 {
                caller.call(name, &number.to_string(), &[("rpc-behavior", "sleep-100ms")]).await.unwrap();
            }
        }
        plain.ask(name, "plain", "sleep-100ms").await.unwrap();
        process.signal();
        for caller in [known, new] {
            let ended = caller.ended(ENDS_WITHIN).await;
            assert!(fates(&ended).iter().all(|fate| *fate == Fate::Whole), "{:?}", fates(&ended));
        }
        assert!(plain.answer().await.unwrap().is_echo("plain"));
        process.exits(0).await;
    })
    .await;
}

#[tokio::test]
async fn a_call_on_a_kept_http1_connection_is_finished_wherever_the_signal_finds_it() {
    on_each(&[], async |process| {
        let name = process.child.name();
        let mut kept = Vec::new();
        for _ in 0..10 {
            let mut plain = Plain::connect(process.address()).await.unwrap();
            plain.ask(name, "before", "").await.unwrap();
            assert!(!plain.answer().await.unwrap().says_close());
            kept.push(plain);
        }
        for plain in &mut kept {
            plain.ask(name, "again", "").await.unwrap();
        }
        process.signal();
        for mut plain in kept {
            assert!(plain.answer().await.unwrap().is_echo("again"));
        }
        process.exits(0).await;
    })
    .await;
}

#[tokio::test]
async fn a_call_over_http1_is_finished_and_says_that_no_other_follows() {
    on_each(&[], async |process| {
        let mut plain = Plain::connect(process.address()).await.unwrap();
        plain.ask(process.child.name(), "hello", "sleep-1").await.unwrap();
        // Answered on another connection of the same worker, or not at all: the call above has been taken by then or is queued.
        process.call(ConnectionConfig::DEFAULT, "sleep-0").await.answered().await.unwrap();
        process.signal();
        let answer = plain.answer().await.unwrap();
        assert!(answer.is_echo("hello") && answer.says_close(), "{answer:?}");
        plain.closed().await.unwrap();
        process.exits_soon_after(answer.at).await;
    })
    .await;
}

#[tokio::test]
async fn a_call_after_the_last_goaway_is_never_looked_at() {
    on_each(&[], async |process| {
        let mut caller = process.call(ConnectionConfig::DEFAULT, "sleep-1").await;
        process.signal();
        while !caller.is_told_to_go() {
            caller.next().await.unwrap().unwrap();
        }
        // The first GOAWAY names every stream, the second the last one that was taken (RFC 9113, 6.8).
        caller.heard().await.unwrap();
        caller.call(process.child.name(), "late", &[]).await.unwrap();
        let ended = caller.ended(ENDS_WITHIN).await;
        assert_eq!(fates(&ended), [Fate::Whole, Fate::Unprocessed], "{ended:?}");
        assert_eq!(ended.goaways, [u32::MAX >> 1, 1]);
        process.exits_soon_after(ended.last_answer().unwrap()).await;
    })
    .await;
}

#[tokio::test]
async fn a_slow_reader_gets_its_whole_answer() {
    on_each(&[], async |process| {
        let slowly =
            ConnectionConfig { window: 2048, pause: Some(Duration::from_millis(100)), ..ConnectionConfig::DEFAULT };
        let mut slow = process.caller(slowly).await;
        // Its handler is done in the drain; then 16 KiB come by 2 KiB and 100 ms, three times the 250 ms without a call.
        slow.call(process.child.name(), &"long".repeat(4096), &[("rpc-behavior", "sleep-300ms")]).await.unwrap();
        slow.heard().await.unwrap();
        process.signal();
        let (fate, answered) = fate(slow).await;
        assert_eq!(fate, Fate::Whole);
        process.exits_soon_after(answered.unwrap()).await;
    })
    .await;
}
