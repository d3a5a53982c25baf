//! Messages of megabytes, where `--max-message-size` takes them on both.

use lab::{child::Child, program::Program};
use serde_json::Value;

use crate::faults::support::start;

/// Below the 4 MiB at which tonic stops reading an answer that has its status in front (docs/contract.md, "Not yet").
const SIZE: &str = "5MiB";
const LIMIT: [&str; 2] = ["--max-message-size", "20MiB"];

/// The report of a few calls with texts of that size; `load` compares each text with what comes back.
async fn load(service: &Child, size: &str) -> Value {
    let (target, at) = match service.name() {
        "service-a" => ("echo", "--service-a"),
        _ => ("call-echo", "--service-b"),
    };
    let mut client = Program::at(env!("CARGO_BIN_EXE_lab")).with_defaults().command("test-client");
    client.args(["load", "--target", target, at, &service.url(), "--size", size, "--requests", "2"]);
    client.args(["--warmup", "0s", "--timeout", "20s", "--concurrency", "1", "--output", "json"]);
    let mut client = client.spawn().unwrap();
    // Waiting would close its standard input, which ties it to this process.
    let _tie = client.stdin.take();
    serde_json::from_slice(&client.wait_with_output().await.unwrap().stdout).unwrap()
}

#[tokio::test]
async fn a_message_of_megabytes_goes_through_both_where_both_take_20() {
    let a = start("service-a", &LIMIT).await;
    let url = a.url();
    let b = start("service-b", &[&LIMIT[..], &["--service-a", &url, "--service-a-timeout", "20s"]].concat()).await;
    for service in [&a, &b] {
        let report = load(service, SIZE).await;
        assert_eq!((&report["ok"], &report["calls"]), (&2.into(), &2.into()), "{report}");
    }
    let report = load(&b, "21MiB").await;
    assert_eq!(report["outcomes"][0]["reason"], "MESSAGE_TOO_LARGE", "{report}");
}
