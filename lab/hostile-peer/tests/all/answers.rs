//! What a client sees of every behavior on its first call, in a table; played over a duplex, where waiting takes no time.

use std::time::Duration;

use crate::support::{HEALTHY, seen};
use hostile_peer::{Behavior, End, Role, examples, serve};
use tokio::{io::duplex, time::timeout};

/// A client that has given up is gone long before.
const LONGER: Duration = Duration::from_secs(1000);

/// A name, where # is the number, and what the client sees: part by part, and the peer's end of the connection.
///
/// "lost" is a connection that ends, for no client can tell by its stream of bytes how; GOAWAY 6 (FRAME_SIZE_ERROR) is what the
/// client says of bytes that are no HTTP/2; stall is nothing for 100 s.
const EXPECTED: &[(&str, &str)] = &[
    ("vanish", "stall"),
    ("silent", "stall"),
    ("close-on-accept", "lost, closed"),
    ("reset-on-accept", "lost, reset"),
    ("close-after-preface", "lost, closed"),
    ("reset-after-preface", "lost, reset"),
    ("garbage", "GOAWAY 6"),
    ("http1-400", "GOAWAY 6, closed"),
    ("http1-503", "GOAWAY 6"),
    ("tls-alert", "GOAWAY 6"),
    ("settings-late", "HEALTHY"),
    ("settings-then-close", "lost, closed"),
    ("stall", "stall"),
    ("no-ping", "stall"),
    ("window-0", "stall"),
    ("streams-0", "RST 7"),
    ("close-before-headers", "lost, closed"),
    ("reset-before-headers", "lost, reset"),
    ("headers-then-stall", "GRPC · stall"),
    ("headers-then-close", "GRPC · lost, closed"),
    ("headers-then-reset", "GRPC · lost, reset"),
    ("half-frame-then-stall", "GRPC · stall"),
    ("half-message-then-stall", "HALFWAY · stall"),
    ("half-message-then-close", "HALFWAY · lost, closed"),
    ("half-message-then-reset", "HALFWAY · lost, reset"),
    ("message-then-stall", "GRPC · echo · stall"),
    ("message-then-close", "GRPC · echo · lost, closed"),
    ("goaway-0", "GOAWAY 0, closed"),
    ("goaway-0-error-#", "GOAWAY #, closed"),
    ("goaway-once", "GOAWAY 0, closed"),
    ("goaway-then-answer", "HEALTHY, closed"),
    ("goaway-then-close", "lost, closed"),
    ("goaway-error-then-close", "lost, closed"),
    ("refuse-stream-once", "RST 7"),
    ("rst-#-before-headers", "RST #"),
    ("rst-#-after-headers", "GRPC · RST #"),
    ("rst-#-in-body", "HALFWAY · RST #"),
    ("answer-then-rst-#", "HEALTHY"),
    ("http-#-html", "# text/html · html"),
    ("http-#-empty", "#"),
    ("http-#-grpc", "# application/grpc · echo · grpc-status=14"),
    ("http-503-grpc-status-#", "503 application/grpc grpc-status=#"),
    ("no-content-type", "200 · echo · grpc-status=0"),
    ("content-type-json", "200 application/json · echo · grpc-status=0"),
    ("status-#", "GRPC grpc-message=on purpose grpc-status=#"),
    ("status-0", "GRPC grpc-status=0"),
    ("status-17", "GRPC grpc-status=17"),
    ("status-99", "GRPC grpc-status=99"),
    ("status-abc", "GRPC grpc-status=abc"),
    ("status-empty", "GRPC grpc-status="),
    ("status-negative", "GRPC grpc-status=-1"),
    ("status-twice", "GRPC · echo · grpc-status=0,14"),
    ("status-5-after-message", "GRPC · echo · grpc-status=5 grpc-message=on purpose"),
    ("no-status", "GRPC · echo · x-status=somewhere else"),
    ("no-trailers", "GRPC · echo"),
    ("bad-details", "GRPC grpc-status=14 grpc-status-details-bin=*** not base64 ***"),
    ("bad-message-percent", "GRPC grpc-status=5 grpc-message=100%ZZ sure, or 5%"),
    ("bad-message-utf8", "GRPC grpc-status=5 grpc-message=%FF%FE"),
    ("long-message", "GRPC grpc-status=5 grpc-message=7168 bytes"),
    ("big-headers", "GRPC x-padding=40960 bytes · echo · grpc-status=0"),
    ("pushback-20", "GRPC grpc-status=14 grpc-retry-pushback-ms=20"),
    ("pushback-0", "GRPC grpc-status=14 grpc-retry-pushback-ms=0"),
    ("pushback-negative", "GRPC grpc-status=14 grpc-retry-pushback-ms=-1"),
    ("pushback-abc", "GRPC grpc-status=14 grpc-retry-pushback-ms=abc"),
    ("unavailable-once", "GRPC grpc-status=14 grpc-message=on purpose"),
    ("no-message", "GRPC · grpc-status=0"),
    ("empty-message", r"GRPC · \x00\x00\x00\x00\x00 · grpc-status=0"),
    ("two-messages", "GRPC · echo echo · grpc-status=0"),
    ("three-messages", "GRPC · echo echo echo · grpc-status=0"),
    ("endless-messages", "GRPC · echo echo echo echo echo · and so on"),
    ("endless-message", r"GRPC · \x00@\x00\x00\x00xxx · and so on"),
    ("truncated", r"GRPC · \x00\x00\x00\x00\x11\n\x05hello · grpc-status=0"),
    ("undecodable", r"GRPC · \x00\x00\x00\x00\x0b\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff · grpc-status=0"),
    ("invalid-utf8", r"GRPC · \x00\x00\x00\x00\x04\n\x02\xff\xfe · grpc-status=0"),
    ("oversize", r"GRPC · \x00\x00P\x00\x00xxx · stall"),
    ("another-text", r"GRPC · \x00\x00\x00\x00\x0e\n\x0csomeone else · grpc-status=0"),
    ("compressed-flag", r"GRPC · \x01\x00\x00\x00\x07\n\x05hello · grpc-status=0"),
    ("unknown-encoding", r"GRPC grpc-encoding=snappy · \x01\x00\x00\x00\x07\n\x05hello · grpc-status=0"),
    ("bad-flag", r"GRPC · \x07\x00\x00\x00\x07\n\x05hello · grpc-status=0"),
    ("encoding-named-only", "GRPC grpc-encoding=gzip · echo · grpc-status=0"),
    ("echo", "HEALTHY"),
    ("flap-1", "lost, closed"),
    ("flap-#", "HEALTHY"),
    ("slow-#ms", "HEALTHY"),
    // The call is sent before the limit is known, and taken.
    ("limit-#", "HEALTHY"),
    ("goaway-after-1", "HEALTHY, closed"),
    ("goaway-after-#", "HEALTHY"),
    ("too-many-pings", "stall"),
];

#[tokio::test(start_paused = true)]
async fn every_behavior_looks_to_a_client_as_the_table_says() {
    // What nobody connects to cannot be played without a port.
    for behavior in examples().into_iter().filter(|behavior| behavior.name() != "refuse") {
        let (name, expected) = (behavior.name().to_owned(), expected(&behavior));
        let (seen, end) = call(&Role::new(behavior)).await;
        let end = match end {
            End::Close => ", closed",
            End::Reset => ", reset",
            End::Gone => "",
        };
        assert_eq!(seen + end, expected, "{name}");
    }
}

/// Makes a call on a connection of its own. What the client sees of it, and how the peer ended the connection.
async fn call(role: &Role) -> (String, End) {
    let (ours, theirs) = duplex(1 << 20);
    let peer = async { timeout(LONGER, serve(theirs, role)).await.unwrap() };
    tokio::join!(seen(ours), peer)
}

fn expected(behavior: &Behavior) -> String {
    let name = behavior.name();
    let number = |pattern: &str| {
        let (before, after) = pattern.split_once('#')?;
        name.strip_prefix(before)?.strip_suffix(after)?.parse::<u32>().ok()
    };
    let exact = EXPECTED.iter().find(|(pattern, _)| *pattern == name).map(|(_, seen)| (*seen).to_owned());
    let numbered =
        || EXPECTED.iter().find_map(|(pattern, seen)| Some(seen.replace('#', &number(pattern)?.to_string())));
    let expected = exact.or_else(numbered).unwrap_or_else(|| panic!("nobody says what {name} looks like"));
    expected
        .replace("HALFWAY", r"GRPC · \x00\x00\x00\x00\x07\n")
        .replace("HEALTHY", HEALTHY)
        .replace("GRPC", "200 application/grpc")
}
