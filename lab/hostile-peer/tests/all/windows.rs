//! That a peer sends no more DATA than its client lets it: each window by itself, frame by frame.

use std::time::Duration;

use hostile_peer::{Role, serve};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex},
    time::timeout,
};

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";

/// HEADERS of stream 1 with END_HEADERS, and an empty block.
const HEADERS: &[u8] = b"\0\0\0\x01\x04\0\0\0\x01";

fn data(payload: &[u8], flags: u8) -> Vec<u8> {
    let length = (payload.len() as u32).to_be_bytes();
    [&length[1..], &[0, flags, 0, 0, 0, 1], payload].concat()
}

/// A whole request with a message of 7 bytes: 12 bytes of DATA.
fn hello() -> Vec<u8> {
    [HEADERS, &data(b"\0\0\0\0\x07\x0a\x05hello", 1)].concat()
}

fn initial_window(size: u32) -> Vec<u8> {
    [b"\0\0\x06\x04\0\0\0\0\0\0\x04".as_slice(), &size.to_be_bytes()].concat()
}

fn window_update(stream: u8, increment: u32) -> Vec<u8> {
    [b"\0\0\x04\x08\0\0\0\0".as_slice(), &[stream], &increment.to_be_bytes()].concat()
}

fn echo(role: &Role) -> DuplexStream {
    let (ours, theirs) = duplex(1 << 20);
    let role = role.clone();
    tokio::spawn(async move { serve(theirs, &role).await });
    ours
}

/// Says this, and hears what comes until nothing more does: the payload of DATA.
async fn heard(io: &mut DuplexStream, say: &[u8]) -> Vec<u8> {
    io.write_all(say).await.unwrap();
    let mut all = Vec::new();
    // On a paused clock, nothing more comes when this ends.
    let _ = timeout(Duration::from_secs(1), io.read_to_end(&mut all)).await;
    let (mut data, mut rest) = (Vec::new(), all.as_slice());
    while let Some((head, more)) = rest.split_first_chunk::<9>() {
        let length = u32::from_be_bytes([0, head[0], head[1], head[2]]) as usize;
        if head[3] == 0 {
            data.extend_from_slice(&more[..length]);
        }
        rest = &more[length..];
    }
    data
}

fn role() -> Role {
    Role::new("echo".parse().unwrap())
}

#[tokio::test(start_paused = true)]
async fn a_window_set_before_a_call_or_during_it_holds_for_its_stream() {
    let before = [PREFACE, &initial_window(5), &hello()].concat();
    let during = [PREFACE, HEADERS, &initial_window(5), &hello()[HEADERS.len()..]].concat();
    for say in [before, during] {
        let mut io = echo(&role());
        assert_eq!(heard(&mut io, &say).await, b"\0\0\0\0\x07");
        assert_eq!(heard(&mut io, &window_update(1, 2)).await, b"\x0a\x05");
        assert_eq!(heard(&mut io, &initial_window(5 + 4)).await, b"hell");
        assert_eq!(heard(&mut io, &window_update(1, 100)).await, b"o");
    }
}

#[tokio::test(start_paused = true)]
async fn the_window_of_the_connection_holds_for_all_that_is_sent_on_it() {
    let message = [b"\0\0\x01\x11\x6b".as_slice(), &[b'x'; 69_995]].concat();
    let mut say = [PREFACE, &initial_window(1 << 20), HEADERS].concat();
    let mut parts = message.chunks(14_000).peekable();
    while let Some(part) = parts.next() {
        say.extend(data(part, u8::from(parts.peek().is_none())));
    }
    let mut io = echo(&role());
    assert_eq!(heard(&mut io, &say).await.len(), 65_535);
    assert_eq!(heard(&mut io, &window_update(0, 1)).await.len(), 1);
    assert_eq!(heard(&mut io, &window_update(0, 1 << 20)).await.len(), 70_000 - 65_536);
}

#[tokio::test(start_paused = true)]
async fn padding_is_no_part_of_a_message() {
    let padded = data(b"\x03\0\0\0\0\x07\x0a\x05he\0\0\0", 8);
    let say = [PREFACE, HEADERS, &padded, &data(b"llo", 1)].concat();
    assert_eq!(heard(&mut echo(&role()), &say).await, b"\0\0\0\0\x07\x0a\x05hello");
}

#[tokio::test(start_paused = true)]
async fn trailers_of_a_request_are_no_call() {
    let trailers = b"\0\0\0\x01\x05\0\0\0\x01";
    let message = data(b"\0\0\0\0\x07\x0a\x05hello", 0);
    let healthy = role();
    assert_eq!(heard(&mut echo(&healthy), &[PREFACE, HEADERS, &message, trailers].concat()).await.len(), 12);
    assert_eq!(healthy.calls(), 1);
    // Also when the call is over already.
    let refused = Role::new("streams-0".parse().unwrap());
    let mut io = echo(&refused);
    heard(&mut io, &[PREFACE, HEADERS].concat()).await;
    heard(&mut io, trailers).await;
    assert_eq!(refused.calls(), 1);
}
