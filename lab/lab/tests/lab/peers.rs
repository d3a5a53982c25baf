//! Every hostile peer there is, in A's place: what B answers on both faces, and that the call after its healing is OK.

use std::time::{Duration, Instant};

use futures_util::stream::{self, StreamExt as _};
use hostile_peer::Peer;
use lab::{
    child::Child,
    failures::{CallOutcome, Face, Question},
    program::Program,
};

const CAP: Duration = Duration::from_millis(800);
/// The contract's ε of 50 ms, and what a loaded 2-core machine adds.
const SLACK: Duration = Duration::from_millis(500);
/// docs/contract.md, row 12: how long it may take until B gets through again, with the connect and some slack.
const RECOVERY: Duration = Duration::from_millis(1800);

const HELLO: Question = Question { msg: "hello", timeout: None };

/// What B must answer: code, HTTP status, reason.
type Expected = (&'static str, u16, &'static str);

const OK: Expected = ("OK", 200, "");
const UNREACHABLE: Expected = ("UNAVAILABLE", 503, "SERVICE_A_UNREACHABLE");
const LOST: Expected = ("UNAVAILABLE", 503, "SERVICE_A_CONNECTION_LOST");
const TIMEOUT: Expected = ("UNAVAILABLE", 503, "SERVICE_A_TIMEOUT");
const BUSY: Expected = ("UNAVAILABLE", 503, "SERVICE_A_BUSY");
const SAYS_SO: Expected = ("UNAVAILABLE", 503, "SERVICE_A_UNAVAILABLE");
const NOT_HTTP2: Expected = ("UNAVAILABLE", 503, "SERVICE_A_NOT_GRPC");
const OVERLOADED: Expected = ("RESOURCE_EXHAUSTED", 429, "SERVICE_A_OVERLOADED");
const NOT_GRPC: Expected = ("INTERNAL", 500, "SERVICE_A_NOT_GRPC");
const BROKEN: Expected = ("INTERNAL", 500, "SERVICE_A_BROKEN");
const ERROR: Expected = ("INTERNAL", 500, "SERVICE_A_ERROR");

/// The contract, peer by peer; a name's number goes into the rows that depend on it.
fn expected(name: &str) -> &'static [Expected] {
    let number: u32 = name.split('-').find_map(|word| word.parse().ok()).unwrap_or_default();
    match name {
        "echo" | "encoding-named-only" | "settings-late" | "flap-3" | "flap-20" => &[OK],
        "goaway-once" | "refuse-stream-once" | "goaway-then-answer" | "unavailable-once" => &[OK],
        "flap-1" => &[LOST],
        "refuse" | "vanish" | "silent" => &[UNREACHABLE],
        "close-on-accept" | "reset-on-accept" | "close-after-preface" | "reset-after-preface" => &[UNREACHABLE],
        // Whether the call was sent before the connection went, nobody can know in advance.
        "settings-then-close" => &[UNREACHABLE, LOST],
        "garbage" | "http1-400" | "http1-503" | "tls-alert" => &[NOT_HTTP2],
        "stall" | "no-ping" | "too-many-pings" | "window-0" | "headers-then-stall" => &[TIMEOUT],
        "streams-0" | "limit-0" => &[BUSY],
        "half-frame-then-stall" | "half-message-then-stall" | "message-then-stall" => &[TIMEOUT],
        "goaway-then-close" | "goaway-error-then-close" => &[LOST],
        "no-content-type" | "content-type-json" => &[NOT_GRPC],
        "status-5-after-message" | "bad-message-percent" | "bad-message-utf8" | "long-message" => &[ERROR],
        "bad-details" => &[SAYS_SO],
        "status-0" | "status-abc" | "status-empty" | "status-negative" | "status-twice" => &[BROKEN],
        "no-status" | "no-trailers" | "big-headers" => &[BROKEN],
        "http-503-grpc-status-0" => &[BROKEN],
        _ if name.starts_with("http-503-grpc-status-") => status(name.rsplit('-').next().unwrap().parse().unwrap()),
        _ if name.starts_with("limit-") || name.starts_with("goaway-after-") => &[OK],
        _ if name.starts_with("slow-") || name.starts_with("answer-then-rst-") => &[OK],
        _ if name.starts_with("goaway-0") => &[UNREACHABLE],
        _ if name.starts_with("rst-") => reset(number),
        _ if name.starts_with("http-") && name.ends_with("-grpc") => &[SAYS_SO],
        _ if name.starts_with("http-") => http(number),
        _ if name.starts_with("status-") => status(number),
        _ if name.starts_with("pushback-") => &[SAYS_SO],
        _ if name.starts_with("close-") || name.starts_with("reset-") => &[LOST],
        _ if name.ends_with("-then-close") || name.ends_with("-then-reset") => &[LOST],
        "no-message" | "empty-message" | "two-messages" | "three-messages" | "endless-messages" | "endless-message" => {
            &[BROKEN]
        }
        "truncated" | "undecodable" | "invalid-utf8" | "oversize" | "another-text" => &[BROKEN],
        "compressed-flag" | "unknown-encoding" | "bad-flag" => &[BROKEN],
        _ => panic!("nobody has said what B answers to {name}"),
    }
}

fn reset(number: u32) -> &'static [Expected] {
    match number {
        7 => &[UNREACHABLE],
        8 => &[LOST],
        11 => &[OVERLOADED],
        _ => &[BROKEN],
    }
}

fn http(status: u32) -> &'static [Expected] {
    if matches!(status, 429 | 502 | 503 | 504) { &[UNREACHABLE] } else { &[NOT_GRPC] }
}

fn status(number: u32) -> &'static [Expected] {
    match number {
        1 | 14 => &[SAYS_SO],
        4 => &[TIMEOUT],
        8 => &[OVERLOADED],
        _ => &[ERROR],
    }
}

/// How long it may take: everything that is not a silence is told at once.
fn longest(name: &str) -> Duration {
    let silent = expected(name).iter().any(|expected| [TIMEOUT, BUSY].contains(expected))
        && !name.starts_with("status-")
        && !name.starts_with("http-");
    match name {
        "vanish" | "silent" | "settings-late" => CAP,
        _ if silent => CAP,
        // One round trip, and 60 ms of pauses where it is asked again.
        _ => Duration::from_millis(110),
    }
}

/// After the others the connection is whole, and the next call is OK.
fn spoils_the_connection(name: &str) -> bool {
    let ends_it = ["close", "reset", "goaway", "flap-1", "half-frame"].iter().any(|word| name.contains(word));
    let never_is_one = ["refuse", "vanish", "silent", "garbage", "http1-400", "http1-503", "tls-alert"].contains(&name);
    ends_it || never_is_one
}

/// How long after its healing a peer may still fail.
fn recovery(name: &str) -> Duration {
    match name {
        // Nothing gets through in the middle of a frame: a keepalive of 10 s finds it 3 s later (docs/contract.md, row 9).
        "half-frame-then-stall" => Duration::from_secs(13) + RECOVERY,
        _ => RECOVERY,
    }
}

async fn asked(b: &Child, face: Face) -> CallOutcome {
    HELLO.ask(b.address(), face, None).await.unwrap()
}

fn is(seen: &CallOutcome, (code, http, reason): Expected) -> bool {
    (seen.code.as_str(), seen.http.unwrap_or(http), seen.reason.as_str()) == (code, http, reason)
}

/// Plays one peer before one B, on one face.
async fn is_answered_by_the_book(name: &str, face: Face) {
    let peer = Peer::start(name).unwrap();
    let program = Program::at(env!("CARGO_BIN_EXE_lab")).with_defaults();
    let flags =
        ["--service-a-timeout=800ms", "--service-a-connect-timeout=700ms", "--service-a-keepalive=10s", "--workers=1"];
    let to = ["--listen", "127.0.0.1:0", "--service-a", &peer.url()];
    let b = Child::start(&program, "service-b", &[&to[..], &flags].concat()).await.unwrap();
    let seen = asked(&b, face).await;
    let met = expected(name).iter().any(|expected| is(&seen, *expected));
    assert!(met, "{name}, {face:?}: expected {:?}, got {seen}", expected(name));
    assert!(seen.code != "OK" || seen.text == "hello", "{name}: {}", seen.text);
    if !name.starts_with("slow-") {
        assert!(seen.took <= longest(name) + SLACK, "{name}, {face:?}: {seen}");
    }
    peer.behave("echo").unwrap();
    gets_through(&b, face, name).await;
}

async fn gets_through(b: &Child, face: Face, name: &str) {
    let healed = Instant::now();
    loop {
        let seen = asked(b, face).await;
        if is(&seen, OK) {
            return;
        }
        assert!(spoils_the_connection(name), "{name}, {face:?}: healed, and the very next call gets {seen}");
        assert!(healed.elapsed() < recovery(name), "{name}, {face:?}: healed, and still {seen}");
    }
}

/// Plays a part of the peers on both faces, `at_once` at a time.
fn play(at_once: usize, part: impl Fn(&str) -> bool) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let examples = hostile_peer::examples();
    let names = examples.iter().map(|peer| peer.name()).filter(|name| part(name));
    let plays = names.flat_map(|name| [Face::Grpc, Face::Json].map(|face| is_answered_by_the_book(name, face)));
    runtime.block_on(stream::iter(plays).buffer_unordered(at_once).collect::<()>());
}

fn takes_its_time(name: &str) -> bool {
    longest(name) >= CAP || name.starts_with("slow-")
}

/// What is waited for costs nothing, so they all wait together.
const SILENT_AT_ONCE: usize = 8;

#[test]
fn answers_peers_that_are_silent_or_stall_within_its_cap() {
    play(SILENT_AT_ONCE, takes_its_time);
}

#[test]
fn answers_peers_that_reset_the_stream_at_once() {
    play(1, |name| !takes_its_time(name) && name.contains("rst-"));
}

#[test]
fn answers_peers_that_speak_http_and_not_grpc_at_once() {
    play(1, |name| !takes_its_time(name) && name.starts_with("http-"));
}

#[test]
fn answers_peers_that_answer_with_a_status_at_once() {
    play(1, |name| !takes_its_time(name) && name.starts_with("status-"));
}

#[test]
fn answers_all_other_peers_at_once() {
    let others =
        |name: &str| !["http-", "status-"].iter().any(|start| name.starts_with(start)) && !name.contains("rst-");
    play(1, |name| !takes_its_time(name) && others(name));
}
