//! `rpc-behavior`: an entry is of the vocabulary or refused, and each reaches whom it is for.

use std::time::Duration;

use http::{HeaderMap, HeaderValue};

use service_runtime::{
    Identity, Peer,
    harness::{Action, Asked, Behavior, RPC_BEHAVIOR, read_behaviors},
    status::Refusal,
};

pub const WORDS: &str = r", hop=service-a\x20 hop=service-b\x20 hop= hostname=me\x20 hostname= sleep-3 sleep-200ms sleep-3600 \
    sleep-3601 keep-open error-code-14 error-code- succeed-on-retry-attempt-2 :10% :100% :101% : % ms - + \x20 \xc3\xbc \t";

thread_local! {
    static A: Identity = Identity::new("service-a", "echo.v1");
    static B: Identity = Identity::new("service-b", "echo.v1").calls(Peer::new("service-a"));
}

pub fn holds(input: &[u8]) -> bool {
    let text = std::str::from_utf8(input);
    let taken = text.is_ok_and(is_of_the_vocabulary);
    // Two headers mean the same as one with a comma (RFC 9110, 5.3).
    let lines = input.split(|byte| *byte == b'\n').filter_map(|line| HeaderValue::from_bytes(line).ok());
    let headers: HeaderMap =
        lines.map(|line| (RPC_BEHAVIOR, line)).fold(HeaderMap::new(), |mut headers, (name, line)| {
            headers.append(name, line);
            headers
        });
    reaches_whom_it_is_for(&headers);
    taken
}

/// Reads it as the flag and the header are read; what is taken is within its bounds, and written as it should be.
fn is_of_the_vocabulary(list: &str) -> bool {
    let read = read_behaviors(list);
    assert_eq!(read.is_some(), fits(list) && entries(list).all(is_entry));
    for behavior in read.iter().flatten() {
        match behavior.action {
            Action::Sleep(pause) => assert!(pause <= Duration::from_secs(3600)),
            Action::ErrorCode(code) => assert!(code >= 0),
            Action::KeepOpen | Action::SucceedOnRetryAttempt(_) => {}
        }
    }
    read.is_some_and(|read| !read.is_empty())
}

/// `[hostname=<name> ]<action>[:<share>%]`, from behind.
fn is_entry(entry: &str) -> bool {
    let action = match entry.strip_prefix("hostname=") {
        Some(named) => match named.find(' ') {
            Some(at) => named[at..].trim_start(),
            None => return false,
        },
        None => entry,
    };
    let (action, share) = action.split_at(action.find(':').unwrap_or(action.len()));
    let share = share.is_empty() || share.ends_with('%') && is_below(&share[1..share.len() - 1], 101);
    let limit = |prefix| match prefix {
        "error-code" => 1 << 31,
        "succeed-on-retry-attempt" => 1 << 32,
        _ => 3601,
    };
    share
        && match action.rsplit_once('-') {
            Some(("keep", "open")) => true,
            Some(("sleep", n)) if n.ends_with("ms") => is_below(&n[..n.len() - 2], 3_600_001),
            Some((prefix @ ("sleep" | "error-code" | "succeed-on-retry-attempt"), n)) => is_below(n, limit(prefix)),
            _ => false,
        }
}

/// A plain number; leading zeroes do not matter.
fn is_below(digits: &str, limit: u64) -> bool {
    let plain = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    let short = digits.trim_start_matches('0');
    plain && short.len() <= 10 && (short.is_empty() || short.parse::<u64>().is_ok_and(|number| number < limit))
}

/// Nothing of what is asked is lost or doubled on the way through B to A, nor refused where it was not before.
fn reaches_whom_it_is_for(headers: &HeaderMap) {
    let (a, b) = (&A.with(Identity::clone), &B.with(Identity::clone));
    let at_b = Asked::read(headers, b);
    let passed_on: HeaderMap = at_b.others().map(|others| (RPC_BEHAVIOR, others)).into_iter().collect();
    let (at_a, alone) = (Asked::read(&passed_on, a), Asked::read(headers, a));
    assert_eq!(at_b.own(), own(headers, b));
    assert_eq!(alone.own(), own(headers, a));
    if fits(&list(headers)) {
        assert_eq!(at_a.own(), alone.own(), "by way of B, and without");
    }
    assert_eq!(at_a.is_ignored(false) || at_b.is_ignored(false), alone.is_ignored(false));
    assert!(!at_b.is_ignored(true), "what is not for B goes on to A");
}

/// What is for a service: that of its name, and at the end of the chain what has no name.
fn own(headers: &HeaderMap, service: &Identity) -> Result<Vec<Behavior>, Refusal> {
    let list = list(headers);
    let prefix = format!("hop={} ", service.name());
    let named = |entry: &str| entry.starts_with("hop=") && entry.contains(' ');
    let mine = entries(&list).filter_map(|entry| match entry.strip_prefix(&prefix) {
        None if named(entry) || service.behind().is_some() => None,
        rest => Some(rest.unwrap_or(entry)),
    });
    // One by one, so that they do not add up to more than the list was.
    let read = mine.filter(|entry| !entry.trim().is_empty()).map(read_behaviors).collect::<Option<Vec<_>>>();
    read.filter(|_| fits(&list)).map(|all| all.concat()).ok_or(Refusal::BadRpcBehavior)
}

fn list(headers: &HeaderMap) -> String {
    let values = headers.get_all(RPC_BEHAVIOR).iter().map(|value| value.to_str().unwrap_or("?"));
    values.collect::<Vec<_>>().join(",")
}

fn entries(list: &str) -> impl Iterator<Item = &str> {
    list.split(',').map(str::trim).filter(|entry| !entry.is_empty())
}

/// Sixteen entries in a kibibyte, as the refusal says.
fn fits(list: &str) -> bool {
    list.len() <= 1024 && entries(list).count() <= 16
}
