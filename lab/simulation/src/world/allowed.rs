//! The table: fault → what a call that meets it may get. Where several faults are about, anything that one of them allows.

use std::{fmt, ops::BitOr};

use tonic::Code;

use super::draw::{Bytes, Kind, Path};

/// A set of outcomes.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub struct Set(u16);

pub const OK: Set = Set(1);
pub const UNREACHABLE: Set = Set(1 << 1);
pub const LOST: Set = Set(1 << 2);
pub const TIMEOUT: Set = Set(1 << 3);
pub const SAYS_SO: Set = Set(1 << 4);
pub const NOT_GRPC: Set = Set(1 << 5);
pub const WEB: Set = Set(1 << 6);
pub const OVERLOADED: Set = Set(1 << 7);
pub const BROKEN: Set = Set(1 << 8);
pub const ERROR: Set = Set(1 << 9);
pub const DEADLINE: Set = Set(1 << 10);
/// Not an outcome: the peer itself says that time is up, so TIMEOUT and DEADLINE may come before it is.
pub const PEER_GIVES_UP: Set = Set(1 << 11);

/// What comes of a peer that takes too long: it depends on whose clock runs out.
pub const SLOW: Set = Set(TIMEOUT.0 | DEADLINE.0);
/// What is left of a fault in connecting: calls wait for a try under way, and get the failure of the last one.
pub const CONNECTING: Set = Set(UNREACHABLE.0 | NOT_GRPC.0 | DEADLINE.0);
/// A connection that ends takes its calls with it; and one that did not last counts as a failed try.
pub const ENDS: Set = Set(LOST.0 | UNREACHABLE.0);
/// No stream is free.
pub const BUSY: Set = Set(1 << 12);
/// The peer has said something to the call.
pub const ANSWERED: Set = Set(OK.0 | SAYS_SO.0 | WEB.0 | OVERLOADED.0 | BROKEN.0 | ERROR.0);
pub const ANYTHING: Set = Set((1 << 13) - 1);

/// Each outcome as a caller sees it.
const OUTCOMES: [(Set, Code, &str); 12] = [
    (OK, Code::Ok, ""),
    (UNREACHABLE, Code::Unavailable, "SERVICE_A_UNREACHABLE"),
    (LOST, Code::Unavailable, "SERVICE_A_CONNECTION_LOST"),
    (TIMEOUT, Code::Unavailable, "SERVICE_A_TIMEOUT"),
    (SAYS_SO, Code::Unavailable, "SERVICE_A_UNAVAILABLE"),
    (NOT_GRPC, Code::Unavailable, "SERVICE_A_NOT_GRPC"),
    (WEB, Code::Internal, "SERVICE_A_NOT_GRPC"),
    (OVERLOADED, Code::ResourceExhausted, "SERVICE_A_OVERLOADED"),
    (BROKEN, Code::Internal, "SERVICE_A_BROKEN"),
    (ERROR, Code::Internal, "SERVICE_A_ERROR"),
    (DEADLINE, Code::DeadlineExceeded, "DEADLINE_EXCEEDED"),
    (BUSY, Code::Unavailable, "SERVICE_A_BUSY"),
];

impl Set {
    /// The outcome with this code and reason; empty where the contract has none.
    pub fn outcome(code: Code, reason: &str) -> Self {
        let row = OUTCOMES.iter().find(|row| (row.1, row.2) == (code, reason));
        row.map_or(Set::default(), |row| row.0)
    }

    /// Whether all of this is in `other`; nothing is in nothing.
    pub fn is_in(self, other: Set) -> bool {
        self.0 != 0 && self.0 & other.0 == self.0
    }

    /// What is in both.
    pub fn and(self, other: Set) -> Set {
        Set(self.0 & other.0)
    }
}

impl BitOr for Set {
    type Output = Set;

    fn bitor(self, other: Set) -> Set {
        Set(self.0 | other.0)
    }
}

impl fmt::Debug for Set {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = OUTCOMES.iter().filter(|row| row.0.is_in(*self)).map(|row| format!("{:?} {}", row.1, row.2));
        f.write_str(&names.collect::<Vec<_>>().join(" | "))
    }
}

/// What a peer with this behavior may bring about, on new connections and on older ones.
pub fn of_behavior(name: &str) -> Set {
    // The last number in the name is the one that counts.
    let number = name.split('-').filter_map(|part| part.parse().ok()).next_back().unwrap_or(0);
    let is = |start: &str| name.starts_with(start);
    match name {
        "echo" | "encoding-named-only" | "refuse-stream-once" => OK,
        _ if is("answer-then-rst") => OK,
        _ if is("slow-") => OK | SLOW,
        _ if is("limit-") => OK | SLOW | BUSY,
        _ if is("goaway-after-") => OK | ENDS,
        "too-many-pings" => SLOW | ENDS,
        "unavailable-once" => OK | SAYS_SO,
        // Whichever of the two is believed.
        "status-twice" => OK | SAYS_SO | BROKEN,
        "goaway-once" => OK | UNREACHABLE,
        "goaway-then-answer" => OK | ENDS,
        _ if is("flap-") => OK | ENDS,
        "settings-late" => OK | SLOW | UNREACHABLE,

        "garbage" | "tls-alert" => NOT_GRPC | ENDS,
        _ if is("http1-") => NOT_GRPC | ENDS,
        "vanish" | "silent" => ENDS | SLOW,
        "refuse" | "settings-then-close" => ENDS,
        // They take a moment until they break it, and some callers do not have that.
        "endless-messages" | "endless-message" | "three-messages" => BROKEN | DEADLINE,
        "headers-then-reset" | "half-message-then-reset" | "reset-on-accept" => ENDS | DEADLINE,
        _ if is("close-") || is("reset-") || name.ends_with("-close") || name.ends_with("-reset") => ENDS,
        // A connection from before it had this behavior has the old limit, and its calls are refused.
        "streams-0" => BUSY | DEADLINE | UNREACHABLE,
        "window-0" | "no-ping" => SLOW | ENDS,
        // Half of a frame that is longer than any may be is an error at once.
        "half-frame-then-stall" => SLOW | ENDS | BROKEN,
        "stall" => SLOW,
        _ if name.ends_with("-then-stall") => SLOW,
        _ if is("goaway-0") => UNREACHABLE,
        _ if is("rst-") => of_reset(number),

        "bad-details" => SAYS_SO,
        _ if is("pushback-") => SAYS_SO,
        "bad-message-percent" | "bad-message-utf8" | "long-message" => ERROR,
        "status-abc" | "status-empty" | "status-negative" => BROKEN,
        _ if is("status-") || is("http-503-grpc-status-") => of_status(number),
        "no-content-type" | "content-type-json" => WEB,
        _ if is("http-") && name.ends_with("-grpc") => SAYS_SO,
        _ if is("http-") => of_http(name),
        // The rest is a message that is none, or not the one that was asked for.
        _ => BROKEN,
    }
}

/// The same where the answer may be a stream: of any number of messages, whose headers are believed before there is a status.
pub fn of_behavior_in_a_stream(name: &str) -> Set {
    let is_http = |name: &str| name.starts_with("http-") && name.ends_with("-grpc");
    match name {
        "three-messages" => OK | DEADLINE,
        "endless-messages" => DEADLINE,
        "two-messages" | "no-message" | "status-0" | "http-503-grpc-status-0" => OK,
        _ if is_http(name) => SAYS_SO | of_http(name),
        _ => of_behavior(name),
    }
}

fn of_reset(number: u32) -> Set {
    match number {
        7 => UNREACHABLE,
        8 => LOST,
        11 => OVERLOADED,
        _ => BROKEN,
    }
}

fn of_status(number: u32) -> Set {
    match number {
        // OK without a message.
        0 => BROKEN,
        1 => SAYS_SO | SLOW | PEER_GIVES_UP,
        4 => SLOW | PEER_GIVES_UP,
        8 => OVERLOADED,
        14 => SAYS_SO,
        _ => ERROR,
    }
}

fn of_http(name: &str) -> Set {
    match name.split('-').nth(1) {
        Some("429" | "502" | "503" | "504") => UNREACHABLE,
        _ => WEB,
    }
}

/// What the way to the peer may bring about.
pub fn of_path(path: Path) -> Set {
    match path {
        Path::Clear | Path::Bytes(_) | Path::ThisOne(_) => Set::default(),
        Path::Brief(_) => ENDS,
        Path::Refused | Path::RefusedFirst(_) => UNREACHABLE,
        Path::BlackHole | Path::Late(_) => UNREACHABLE | SLOW,
    }
}

/// What a fault of a connection's bytes may bring about; `has_lasted` says that it counts as one.
pub fn of_bytes(bytes: Bytes, has_lasted: bool) -> Set {
    match bytes.fault.map(|fault| fault.kind) {
        None => Set::default(),
        // It is replaced at once, so only the calls that are on it get to know.
        Some(Kind::Close | Kind::Reset) if has_lasted => LOST,
        // Before it is connected, a peer that ends in the middle of its first frame is none.
        Some(Kind::Close | Kind::Reset) => ENDS | NOT_GRPC,
        Some(Kind::Stall | Kind::Swallow) => ENDS | SLOW,
        Some(Kind::Corrupt(_)) => ANYTHING,
    }
}
