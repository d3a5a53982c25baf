//! A service at its limit, whose callers send the message of a call after its refusal.

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream, duplex},
    sync::watch,
    time::sleep,
};

use super::*;
use crate::{
    frames::{DATA, END_HEADERS, END_STREAM, Frames, GOAWAY, HEADERS, Step},
    identity::service_b,
    layers::limit::Limit,
};

/// A connection to a service that takes no call, and the other end of its phases.
fn overloaded() -> (DuplexStream, watch::Sender<Phase>) {
    struct Unreachable;
    impl Handle for Unreachable {
        async fn handle(&self, _: Request<Body>) -> Response<Body> {
            unreachable!("every call is refused")
        }
    }
    let (phase, phases) = Phases::new();
    let (client, server) = duplex(4 << 20);
    let limit = Limit::new(&service_b(), Arc::default(), 0, Unreachable);
    tokio::spawn(serve(server, None, Arc::new(limit), WINDOW, LIFETIME, phases));
    (client, phase)
}

fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let head = [0, 0, u8::try_from(payload.len()).unwrap(), kind, flags];
    [&head, &stream.to_be_bytes()[..], payload].concat()
}

/// The kinds of the frames that have come.
async fn came(client: &mut DuplexStream) -> Vec<u8> {
    let (mut bytes, mut kinds) = (Vec::with_capacity(4 << 20), Vec::new());
    client.read_buf(&mut bytes).await.unwrap();
    Frames::default().follow(&bytes, |step| {
        if let Step::Head(head) = step {
            kinds.push(head.kind);
        }
    });
    kinds
}

#[tokio::test(start_paused = true)]
async fn keeps_the_connection_of_a_caller_whose_messages_come_after_their_headers() {
    let (mut client, _phase) = overloaded();
    client.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0").await.unwrap();
    let get = [0x83, 0x86, 0x84, 0x41, 1, b'a'];
    let calls = 3_000;
    for batch in 0..calls / 100 {
        let streams = (0..100).map(|call| (batch * 100 + call) * 2 + 1);
        let headers: Vec<u8> = streams.clone().flat_map(|id| frame(HEADERS, END_HEADERS, id, &get)).collect();
        client.write_all(&headers).await.unwrap();
        sleep(Duration::from_millis(1)).await;
        let messages: Vec<u8> = streams.flat_map(|id| frame(DATA, END_STREAM, id, b"late")).collect();
        client.write_all(&messages).await.unwrap();
        sleep(Duration::from_millis(1)).await;
    }
    let came = came(&mut client).await;
    let count = |kind| came.iter().filter(|came| **came == kind).count();
    assert_eq!((count(HEADERS), count(GOAWAY)), (calls as usize, 0));
}
