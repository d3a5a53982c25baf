//! A peer's own life: what it answers when it is healthy, what it counts and reports, and how it changes.

use std::{
    io::{ErrorKind, Read, Write},
    net::{TcpListener, TcpStream},
    time::Duration,
};

use hostile_peer::{EventKind, Peer, examples, list};

/// Far more than anything here takes.
const SOON: Duration = Duration::from_secs(10);

fn next(peer: &Peer) -> EventKind {
    peer.next_event(SOON).unwrap().kind
}

#[test]
fn says_what_is_wrong_with_a_name() {
    let error = Peer::start("ecko").unwrap_err();
    assert_eq!(
        (error.kind(), error.to_string().as_str()),
        (ErrorKind::InvalidInput, "no behaviour 'ecko'; did you mean 'echo'?")
    );
    let peer = Peer::start("echo").unwrap();
    assert_eq!(peer.behave("").unwrap_err().to_string(), "no behaviour ''");
}

#[test]
fn refuses_and_listens_again_on_the_same_port() {
    let peer = Peer::start("refuse").unwrap();
    for _ in 0..3 {
        let refused = TcpStream::connect(peer.address()).unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::ConnectionRefused);
        peer.behave("echo").unwrap();
        let mut client = TcpStream::connect(peer.address()).unwrap();
        assert_eq!(next(&peer), EventKind::Connected);
        peer.behave("refuse").unwrap();
        // SETTINGS were sent; then the connection is closed, as with a process that ends.
        client.read_to_end(&mut Vec::new()).unwrap();
        drop(client);
        assert_eq!(next(&peer), EventKind::Closed);
    }
    assert_eq!(peer.connections(), 3);
}

#[test]
#[cfg(target_os = "linux")]
fn lets_connects_vanish_and_takes_them_once_it_is_healed() {
    let soon = Duration::from_millis(300);
    let peer = Peer::start("vanish").unwrap();
    for attempt in 1..=2 {
        let vanished = TcpStream::connect_timeout(&peer.address(), soon).unwrap_err();
        assert_eq!(vanished.kind(), ErrorKind::TimedOut);
        // Its system sends it again after a second.
        let address = peer.address();
        let waiting = std::thread::spawn(move || TcpStream::connect(address));
        let early = TcpStream::connect_timeout(&address, soon);
        assert!(early.is_err(), "{early:?}");
        peer.behave("echo").unwrap();
        let mut client = waiting.join().unwrap().unwrap();
        client.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x01\x05\0\0\0\x01").unwrap();
        // The peer's own connects, which came before it, are not reported.
        let events = [next(&peer), next(&peer)];
        assert_eq!(events, [EventKind::Connected, EventKind::Called { attempt }]);
        drop(client);
        assert_eq!(next(&peer), EventKind::Closed);
        peer.behave("vanish").unwrap();
    }
    assert_eq!(peer.connections(), 2);
}

#[test]
fn closes_its_port_and_its_connections_on_drop() {
    let peer = Peer::start("silent").unwrap();
    let mut client = TcpStream::connect(peer.address()).unwrap();
    assert_eq!(next(&peer), EventKind::Connected);
    drop(peer);
    assert_eq!(client.read(&mut [0]).unwrap(), 0);
    for _ in 0..100 {
        let peer = Peer::start("echo").unwrap();
        let address = peer.address();
        drop(peer);
        // Its thread has ended: nothing is left to wait for.
        assert_eq!(TcpStream::connect(address).unwrap_err().kind(), ErrorKind::ConnectionRefused);
    }
}

#[tokio::test]
async fn says_that_a_port_is_taken_also_to_a_caller_with_a_runtime_of_its_own() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    for behavior in ["echo", "refuse"] {
        let error = Peer::listen(behavior.parse().unwrap(), taken.local_addr().unwrap()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::AddrInUse);
    }
}

#[test]
fn closes_what_is_not_http2() {
    let peer = Peer::start("echo").unwrap();
    let mut client = TcpStream::connect(peer.address()).unwrap();
    client.write_all(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
    let mut said = Vec::new();
    client.read_to_end(&mut said).unwrap();
    assert_eq!(said, [0, 0, 0, 4, 0, 0, 0, 0, 0], "SETTINGS, and no more");
}

#[test]
fn lists_every_behaviour_once_in_a_table_that_fits_100_columns() {
    assert!(examples().len() > list().count());
    for (name, does) in list() {
        assert!(name.len() <= 28 && does.len() <= 68, "{name}: {does}");
    }
}
