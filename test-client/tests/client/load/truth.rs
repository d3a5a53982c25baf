//! Whether the report tells the truth: against services whose delays are known.

use std::{
    io::{Read, Write},
    net::{TcpListener, TcpStream},
    sync::{Arc, RwLock},
    thread,
    time::Duration,
};

use serde_json::Value;

use crate::{client, servers};

/// How long the service is stalled.
const STALL: Duration = Duration::from_secs(1);

fn report(url: &str, flags: &[&str]) -> Value {
    let ran = client([&["load", "--target", "echo", "--service-a", url, "--output", "json"], flags].concat());
    serde_json::from_str(&ran.stdout).unwrap()
}

/// A way to the service at `url` on which nothing moves for a second, once `bytes` have gone there.
fn stalls_once(url: &str, bytes: usize) -> String {
    let service = url.strip_prefix("http://").unwrap().to_owned();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let open = Arc::new(RwLock::new(()));
    let gate = open.clone();
    let (reached, stall) = std::sync::mpsc::channel();
    thread::spawn(move || {
        for client in listener.incoming() {
            let client = client.unwrap();
            let service = TcpStream::connect(&service).unwrap();
            // What is sent on must not wait for what comes next.
            [&client, &service].into_iter().for_each(|stream| stream.set_nodelay(true).unwrap());
            let back = service.try_clone().unwrap();
            let forth = client.try_clone().unwrap();
            let open = open.clone();
            let reached = reached.clone();
            let gate = open.clone();
            thread::spawn(move || copy(back, forth, &gate, |_| {}));
            let mut left = bytes;
            let count = move |n| {
                if left > 0 && n >= left {
                    let _ = reached.send(());
                }
                left = left.saturating_sub(n);
            };
            thread::spawn(move || copy(client, service, &open, count));
        }
    });
    thread::spawn(move || {
        stall.recv().unwrap();
        let _closed = gate.write().unwrap();
        thread::sleep(STALL);
    });
    address
}

fn copy(mut from: TcpStream, mut to: TcpStream, gate: &RwLock<()>, mut count: impl FnMut(usize)) {
    let mut buffer = [0; 16 * 1024];
    while let Ok(n @ 1..) = from.read(&mut buffer) {
        count(n);
        let _open = gate.read().unwrap();
        if to.write_all(&buffer[..n]).is_err() {
            return;
        }
    }
}

/// The share of the calls that took longer than `ms`, by the histogram.
fn slower_than(report: &Value, ms: f64) -> f64 {
    let bins = report["histogram"].as_array().unwrap();
    let calls = |bin: &&Value| bin["calls"].as_f64().unwrap();
    let slow = bins.iter().filter(|bin| bin["up_to_ms"].as_f64().unwrap() > ms);
    slow.map(|bin| calls(&bin)).sum::<f64>() / bins.iter().map(|bin| calls(&bin)).sum::<f64>()
}

#[test]
fn an_open_loop_sees_every_call_that_a_stall_held_up_and_a_closed_loop_does_not() {
    let a = servers::service_a();
    // A stall of 1 s in 4 s: 200 calls a second keep coming, and those of the first 0.8 s wait for more than 200 ms.
    let stalling = stalls_once(&a.url, 20_000);
    let open = report(&stalling, &["--rate", "200", "--duration", "4s", "--warmup", "0s", "--connections", "1"]);
    assert_eq!((&open["ok"], &open["errors"]), (&800.into(), &0.into()), "{open}");
    let share = slower_than(&open, 200.0);
    assert!((0.15..0.40).contains(&share), "{share} {open}");
    let ordered = ["p50", "p90", "p95", "p99", "p99.9", "max"].map(|name| open["latency_ms"][name].as_f64().unwrap());
    assert!(ordered.is_sorted(), "{open}");
    assert!(open["latency_ms"]["p95"].as_f64().unwrap() > 500.0, "{open}");
    assert!(open["latency_ms"]["max"].as_f64().unwrap() > 900.0, "{open}");
    // In a closed loop the same stall is one slow call: the caller did not ask meanwhile.
    let stalling = stalls_once(&a.url, 20_000);
    let flags = ["--concurrency", "1", "--duration", "4s", "--warmup", "0s", "--connections", "1"];
    let closed = report(&stalling, &flags);
    assert!(slower_than(&closed, 200.0) < 0.02, "{closed}");
    assert!(closed["latency_ms"]["max"].as_f64().unwrap() > 900.0, "{closed}");
}

#[test]
fn shows_the_delay_of_a_slow_service() {
    let peer = hostile_peer::Peer::start("slow-50ms").unwrap();
    let url = peer.address().to_string();
    for flags in [&["--rate", "100", "--requests", "100"][..], &["--concurrency", "2", "--requests", "40"]] {
        let report = report(&url, &[flags, &["--warmup", "100ms"]].concat());
        let latency = |name: &str| report["latency_ms"][name].as_f64().unwrap();
        assert!(latency("p50") >= 50.0 && latency("p50") < 150.0, "{report}");
        assert_eq!(report["errors"], 0, "{report}");
    }
}
