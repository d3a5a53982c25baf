//! The report in every form, and when it is a failure.

use std::{
    process::{Command, Stdio},
    sync::mpsc,
    thread,
    time::Duration,
};

use serde_json::Value;

use super::{adds_up, load};
use crate::{client, run, servers};

#[test]
fn prints_a_report_of_at_most_a_hundred_columns() {
    let a = servers::service_a();
    let ran = load(&a.url, &["--requests", "100", "--rate", "500"]);
    assert_eq!((ran.stderr.as_str(), ran.code), ("", 0));
    for part in ["echo at http://127.0.0.1:", "open loop of 500 calls/s", "p99.9", "own lag", "OK", "service-a/1", "≤"]
    {
        assert!(ran.stdout.contains(part), "{part} {}", ran.stdout);
    }
    assert!(ran.stdout.lines().all(|line| line.chars().count() <= 100), "{}", ran.stdout);
    assert!(!ran.stdout.contains('\x1b'), "{}", ran.stdout);
}

#[test]
fn prints_a_line_a_second_as_csv() {
    let b = servers::service_b("127.0.0.1:1");
    let flags = ["--rate", "100", "--duration", "2s", "--warmup", "0s", "--output", "csv"];
    let ran = client([&["load", "--service-b", &b.url], &flags[..]].concat());
    let rows: Vec<Vec<&str>> = ran.stdout.lines().map(|line| line.split(',').collect()).collect();
    assert_eq!(rows[0].join(","), "t,calls,rate,ok,errors,p50_ms,p99_ms,max_ms,UNAVAILABLE");
    assert!(rows.iter().all(|row| row.len() == 9), "{ran:?}");
    let column = |at: usize| rows[1..].iter().map(|row| row[at].parse::<u64>().unwrap()).sum::<u64>();
    assert_eq!((rows[1][1], column(1), column(3), column(8)), ("100", 200, 0, 200), "{ran:?}");
}

#[test]
fn writes_a_page_that_needs_nothing_else() {
    let b = servers::service_b("127.0.0.1:1");
    let file = std::env::temp_dir().join(format!("load-{}.html", std::process::id()));
    let path = file.to_str().unwrap();
    let flags = ["--rate", "100", "--duration", "1s", "--warmup", "0s", "--html", path, "--fail-if", "errors>0"];
    let ran = client([&["load", "--service-b", &b.url], &flags[..]].concat());
    let page = std::fs::read_to_string(&file).unwrap();
    std::fs::remove_file(&file).unwrap();
    assert_eq!(ran.code, 1, "{ran:?}");
    for part in ["<svg", "<polyline", "<rect", "UNAVAILABLE", "failed: errors&gt;0", "p99.9"] {
        assert!(page.contains(part), "{part} {page}");
    }
    for foreign in ["http://", "https://", "src=", "href=", "<script", "@import", "url("] {
        assert!(!page.contains(foreign), "{foreign} {page}");
    }
}

#[test]
fn does_what_the_readme_and_its_own_page_say() {
    let a = servers::service_a();
    let b = servers::service_b(&a.url);
    let pages = [include_str!("../../../../README.md"), include_str!("../../../../docs/load.md")];
    let commands = pages.iter().flat_map(|page| page.lines()).filter_map(|line| line.split_once("test-client load --"));
    let mut ran = 0;
    for (before, flags) in commands.filter(|(before, _)| before.starts_with("    ")) {
        // Slower, and content with more: other tests run beside it, and none of this is a release build.
        let smaller = [("'", ""), ("2000", "100"), ("500", "100"), ("1000", "100"), ("30s", "1s"), ("50ms", "9s")];
        let flags = smaller.iter().fold(format!("--{flags}"), |flags, (from, to)| flags.replace(from, to));
        let ended = client(["load", "--service-b", &b.url].into_iter().chain(flags.split_whitespace()));
        assert_eq!((ended.stderr.as_str(), ended.code), ("", 0), "{before} {flags} {ended:?}");
        ran += 1;
    }
    assert_eq!(ran, 2);
}

#[test]
fn says_which_conditions_hold() {
    let a = servers::service_a();
    let conditions =
        ["--fail-if", "max>1m", "--fail-if", "errors>0", "--fail-if", "ok-p50<1m", "--fail-if", "rate<1/s"];
    let ran = load(&a.url, &[&["--requests", "10"], &conditions[..]].concat());
    assert_eq!((ran.stderr.lines().count(), ran.code), (1, 1), "{ran:?}");
    assert!(ran.stderr.starts_with("failed: ok-p50<1m: ok-p50 is ") && ran.stderr.ends_with(" ms\n"), "{ran:?}");
    assert_eq!(load(&a.url, &["--requests", "10", "--fail-if", "code:OK<10"]).code, 0);
}

#[test]
fn is_not_content_with_a_test_that_saw_nothing() {
    let (_port, nobody) = servers::nobody();
    let ran = load(&nobody, &["--requests", "10", "--fail-if", "ok-p99>1m", "--fail-if", "hop:test-client>=100%"]);
    let lines = "failed: ok-p99>1m: ok-p99 is unknown, no call has ended\n\
                 failed: hop:test-client>=100%: hop:test-client is 10 of 10, 100.00 %\n";
    assert_eq!((ran.stderr.as_str(), ran.code), (lines, 1));
}

/// Sends `signal` once the peer has had a hundred calls.
fn interrupted(signal: &str, behavior: &str, flags: &[&str]) -> Value {
    let peer = hostile_peer::Peer::start(behavior).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_test-client"));
    command.args(["load", "--target", "echo", "--service-a", &peer.url(), "--duration", "10m", "--warmup", "0s"]);
    command.args(["--timeout", "1m", "--output", "json"]).args(flags).stdout(Stdio::piped()).stderr(Stdio::piped());
    let child = command.spawn().unwrap();
    let pid = child.id().to_string();
    let (ended, end) = mpsc::channel();
    thread::spawn(move || ended.send(child.wait_with_output().unwrap()));
    while peer.calls() < 100 {
        peer.next_event(Duration::from_secs(1));
    }
    assert!(run(Command::new("kill").args([signal, &pid])).code == 0);
    let output = end.recv_timeout(Duration::from_secs(30)).unwrap();
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    adds_up(&report);
    assert_eq!((&report["interrupted"], output.status.code()), (&true.into(), Some(0)), "{report}");
    report
}

#[test]
fn ends_with_the_report_so_far_when_asked_to() {
    let open: &[&str] = &["--rate", "200"];
    // Ctrl-C, `kill`, and a terminal that closes.
    for (signal, flags) in [("-INT", open), ("-INT", &[]), ("-TERM", &[]), ("-HUP", open)] {
        let report = interrupted(signal, "echo", flags);
        assert!(report["ok"].as_u64().unwrap() >= 50, "{report}");
    }
}

#[test]
fn does_not_wait_for_calls_under_way_when_asked_to_end() {
    let report = interrupted("-INT", "slow-60000ms", &["--rate", "200"]);
    assert!(report["unfinished"].as_u64().unwrap() >= 90, "{report}");
    assert_eq!((&report["ok"], &report["errors"]), (&0.into(), &0.into()), "{report}");
}
