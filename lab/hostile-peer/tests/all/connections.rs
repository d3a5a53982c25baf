//! Behaviors on a TCP port: how a connection begins and ends byte by byte, and that every peer lives on and can be healed.

use std::{
    io::{ErrorKind, Read, Write},
    net::TcpStream,
    time::Duration,
};

use crate::support::{HEALTHY, seen};
use hostile_peer::{EventKind, Peer, examples};

/// A client's preface and an empty SETTINGS.
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";

/// Empty SETTINGS.
const SETTINGS: &[u8] = b"\0\0\0\x04\0\0\0\0\0";

/// HEADERS of stream 1 with END_STREAM and END_HEADERS, and an empty block: no peer here looks into it.
const CALL: &[u8] = b"\0\0\0\x01\x05\0\0\0\x01";

const SETTINGS_ACK: &[u8] = b"\0\0\0\x04\x01\0\0\0\0";

const RST_STREAM: &[u8] = b"\0\0\x04\x03\0\0\0\0\x01\0\0\0\x08";

const PING: &[u8] = b"\0\0\x08\x06\0\0\0\0\0abcdefgh";

const PONG: &[u8] = b"\0\0\x08\x06\x01\0\0\0\0abcdefgh";

/// How a connection ended.
#[derive(Debug, PartialEq)]
enum End {
    Closed,
    Reset,
    Held,
}

/// Says this, and reads what comes until the connection ends, or nothing has come for a while.
fn hear(peer: &Peer, say: &[u8]) -> (Vec<u8>, End) {
    let mut client = TcpStream::connect(peer.address()).unwrap();
    client.set_read_timeout(Some(Duration::from_millis(100))).unwrap();
    // A peer that has closed at once may not let it be said.
    let _ = client.write_all(say);
    let (mut heard, mut part) = (Vec::new(), [0; 4096]);
    loop {
        match client.read(&mut part) {
            Ok(0) => return (heard, End::Closed),
            Ok(length) => heard.extend_from_slice(&part[..length]),
            Err(error) if error.kind() == ErrorKind::ConnectionReset => return (heard, End::Reset),
            Err(_) => return (heard, End::Held),
        }
    }
}

#[test]
fn a_connection_begins_and_ends_as_the_name_says() {
    let table: &[(&str, &[u8], &[u8], End)] = &[
        ("silent", PREFACE, b"", End::Held),
        ("close-on-accept", b"", b"", End::Closed),
        ("close-on-accept", PREFACE, b"", End::Closed),
        ("reset-on-accept", b"", b"", End::Reset),
        ("close-after-preface", b"", b"", End::Held),
        ("close-after-preface", PREFACE, b"", End::Closed),
        ("reset-after-preface", b"", b"", End::Held),
        ("reset-after-preface", PREFACE, b"", End::Reset),
        ("garbage", PREFACE, b"\xf3\x1c\x9a", End::Held),
        ("http1-400", PREFACE, b"HTTP/1.1 400 Bad Request\r\n", End::Closed),
        ("http1-503", PREFACE, b"HTTP/1.1 503 Service Unavailable\r\n", End::Held),
        ("tls-alert", PREFACE, b"\x15\x03\x03\0\x02\x02\x46", End::Held),
        ("settings-late", PREFACE, b"", End::Held),
        ("settings-then-close", PREFACE, SETTINGS, End::Closed),
        ("window-0", PREFACE, b"\0\0\x06\x04\0\0\0\0\0\0\x04\0\0\0\0", End::Held),
        ("streams-0", PREFACE, b"\0\0\x06\x04\0\0\0\0\0\0\x03\0\0\0\0", End::Held),
        ("echo", PREFACE, SETTINGS, End::Held),
        ("close-before-headers", &[PREFACE, CALL].concat(), SETTINGS, End::Closed),
        ("reset-before-headers", &[PREFACE, CALL].concat(), SETTINGS, End::Reset),
        ("headers-then-close", &[PREFACE, CALL].concat(), SETTINGS, End::Closed),
        ("headers-then-reset", &[PREFACE, CALL].concat(), SETTINGS, End::Reset),
    ];
    for (name, say, begins, ends) in table {
        let peer = Peer::start(name).unwrap();
        let (heard, end) = hear(&peer, say);
        assert!(heard.starts_with(begins), "{name}: {}", heard.escape_ascii());
        assert_eq!(heard.is_empty(), begins.is_empty(), "{name}: {}", heard.escape_ascii());
        assert_eq!(&end, ends, "{name}");
    }
}

#[test]
fn pings_are_answered_unless_the_name_says_no() {
    for (name, answered) in [("echo", true), ("stall", true), ("headers-then-stall", true), ("no-ping", false)] {
        let peer = Peer::start(name).unwrap();
        let (heard, _) = hear(&peer, &[PREFACE, CALL, PING].concat());
        assert_eq!(heard.windows(PONG.len()).any(|frame| frame == PONG), answered, "{name}: {}", heard.escape_ascii());
    }
}

#[test]
fn a_limit_is_told_to_connections_that_are_there_and_taken_back() {
    let peer = Peer::start("limit-7").unwrap();
    let mut client = TcpStream::connect(peer.address()).unwrap();
    client.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    client.write_all(PREFACE).unwrap();
    let mut told = |peer: &Peer, behavior: Option<&str>| {
        behavior.into_iter().for_each(|behavior| peer.behave(behavior).unwrap());
        loop {
            let mut head = [0; 9];
            client.read_exact(&mut head).unwrap();
            // The answers to our own SETTINGS are empty.
            if head[2] == 6 {
                let mut setting = [0; 6];
                client.read_exact(&mut setting).unwrap();
                assert_eq!(setting[..2], [0, 3], "SETTINGS_MAX_CONCURRENT_STREAMS");
                client.write_all(SETTINGS_ACK).unwrap();
                return u32::from_be_bytes(setting[2..].try_into().unwrap());
            }
        }
    };
    assert_eq!(told(&peer, None), 7);
    assert_eq!(told(&peer, Some("limit-0")), 0);
    assert_eq!(told(&peer, Some("echo")), u32::MAX, "there is no way to say that there is none");
    let mut events = std::iter::from_fn(|| peer.next_event(Duration::from_secs(10))).map(|event| event.kind);
    assert_eq!(events.next(), Some(EventKind::Connected));
    assert_eq!([events.next(), events.next()], [Some(EventKind::LimitKnown); 2], "the greeting is no change");
}

#[test]
fn a_connection_that_is_used_up_ends_with_a_goaway_that_names_its_last_call() {
    const SECOND_CALL: &[u8] = b"\0\0\0\x01\x05\0\0\0\x03";
    const THIRD_CALL: &[u8] = b"\0\0\0\x01\x05\0\0\0\x05";
    let goaway = b"\0\0\x08\x07\0\0\0\0\0\0\0\0\x03\0\0\0\0";
    let peer = Peer::start("goaway-after-2").unwrap();
    assert_eq!(hear(&peer, &[PREFACE, CALL].concat()).1, End::Held);
    let (heard, end) = hear(&peer, &[PREFACE, CALL, SECOND_CALL].concat());
    assert!(end == End::Closed && heard.ends_with(goaway), "{end:?} {}", heard.escape_ascii());
    let (heard, end) = hear(&peer, &[PREFACE, CALL, SECOND_CALL, THIRD_CALL].concat());
    // They came together, and were all taken.
    assert!(end == End::Closed && heard.windows(8).any(|bytes| bytes == b"\0\0\x08\x07\0\0\0\0"), "{end:?}");
}

#[test]
fn a_ping_is_one_too_many() {
    let goaway = b"\0\0\x16\x07\0\0\0\0\0\0\0\0\x01\0\0\0\x0btoo_many_pings";
    let peer = Peer::start("too-many-pings").unwrap();
    assert_eq!(hear(&peer, &[PREFACE, CALL].concat()).1, End::Held);
    let (heard, end) = hear(&peer, &[PREFACE, CALL, PING].concat());
    assert!(end == End::Closed && heard.ends_with(goaway), "{end:?} {}", heard.escape_ascii());
    let pings = std::iter::from_fn(|| peer.next_event(Duration::from_millis(100)));
    assert_eq!(pings.filter(|event| event.kind == EventKind::Pinged).count(), 1);
}

#[test]
fn nothing_is_said_behind_half_a_frame() {
    let peer = Peer::start("half-frame-then-stall").unwrap();
    let (alone, _) = hear(&peer, &[PREFACE, CALL].concat());
    // An empty request has an empty message: five bytes of DATA, of which two come.
    assert!(alone.ends_with(b"\0\0\x05\0\0\0\0\0\x01\0\0"), "{}", alone.escape_ascii());
    let another = b"\0\0\0\x01\x05\0\0\0\x03";
    let (heard, end) = hear(&peer, &[PREFACE, CALL, another, PING].concat());
    assert_eq!((peer.calls(), end), (3, End::Held));
    assert!(heard.ends_with(b"\0\0\x05\0\0\0\0\0\x01\0\0"), "{}", heard.escape_ascii());
}

#[test]
fn reports_calls_and_cancellations_in_order() {
    let peer = Peer::start("stall").unwrap();
    hear(&peer, &[PREFACE, CALL, RST_STREAM, RST_STREAM].concat());
    let events: Vec<_> = (0..4).map(|_| peer.next_event(Duration::from_secs(10)).unwrap().kind).collect();
    let called = EventKind::Called { attempt: 1 };
    assert_eq!(events, [EventKind::Connected, called, EventKind::Cancelled, EventKind::Closed]);
    assert_eq!(peer.next_event(Duration::ZERO), None);
}

#[tokio::test]
async fn every_peer_lives_on_and_is_healed() {
    for behavior in examples() {
        let name = behavior.name();
        let peer = Peer::start(name).unwrap();
        // Whatever it is that it does, it does it now, to a client that stays.
        let spoilt = if matches!(name, "refuse" | "vanish") { None } else { Some(connected(&peer).await) };
        peer.behave("echo").unwrap();
        let healed = tokio::net::TcpStream::connect(peer.address()).await.unwrap();
        assert_eq!(seen(healed).await, HEALTHY, "{name}");
        drop(spoilt);
    }
}

/// A client in the middle of a call: the peer has seen it, or has not let it come so far.
async fn connected(peer: &Peer) -> TcpStream {
    let mut client = TcpStream::connect(peer.address()).unwrap();
    let _ = client.write_all(&[PREFACE, CALL].concat());
    assert_eq!(peer.event().await.kind, EventKind::Connected);
    client
}
