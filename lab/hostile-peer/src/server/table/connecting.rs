//! What happens before a client is connected: there is no HTTP/2 yet, or only its first frame.

use super::parts::{Row, row};
use crate::server::step::{Door, Greet, Opening, Script, Step, at_the_door, on_connect};

/// Looks random, and is no frame: read as one, its first is four times as long as any may be.
const GARBAGE: [u8; 32] = *b"\xf3\x1c\x9a\x07\xe4\xb2\x5d\x88\x11\xc6\x7f\x03\xaa\x94\x2e\x6b\xd0\x55\xfe\x19\x83\x4c\xb7\x20\x9f\xe8\x71\x3a\xc2\x06\x5f\xdd";

/// A TLS record of 2 bytes, type alert: fatal, protocol_version (RFC 8446, 6).
const TLS_ALERT: [u8; 7] = [0x15, 3, 3, 0, 2, 2, 70];

pub(super) const ROWS: &[Row] = &[
    row("refuse", "connection refused: no process listens, and the port stays reserved", |_| {
        at_the_door(Door::Refused, Step::Close)
    }),
    row("vanish", "connects get no answer at all, nor does a call (Linux only)", |_| {
        at_the_door(Door::Vanished, Step::Stall).without_pings()
    }),
    row("silent", "accepts, and never says anything", |_| on_connect([Greet::Hold], Step::Stall)),
    row("close-on-accept", "accepts and closes", |_| on_connect([Greet::Close], Step::Close)),
    // Not before the client has noticed that it is connected: else its connect may fail, or not.
    row("reset-on-accept", "accepts, and resets 10 ms later", |_| {
        on_connect([Greet::Wait(10), Greet::Reset], Step::Reset)
    }),
    row("close-after-preface", "reads the client's preface, closes without a byte", |_| {
        on_connect([Greet::Preface, Greet::Close], Step::Close)
    }),
    row("reset-after-preface", "reads the client's preface, resets", |_| {
        on_connect([Greet::Preface, Greet::Reset], Step::Reset)
    }),
    row("garbage", "random-looking bytes, held open", |_| {
        on_connect([Greet::Bytes(GARBAGE.to_vec()), Greet::Hold], Step::Close)
    }),
    row("http1-400", "an HTTP/1.1 server: 400 Bad Request, closes", |_| {
        on_connect([Greet::Preface, http1("400 Bad Request", "close"), Greet::Close], Step::Close)
    }),
    row("http1-503", "an HTTP/1.1 server: 503 Service Unavailable, held open", |_| {
        on_connect([Greet::Preface, http1("503 Service Unavailable", "keep-alive"), Greet::Hold], Step::Close)
    }),
    row("tls-alert", "a TLS server: the 7 bytes of an alert, held open", |_| {
        on_connect([Greet::Preface, Greet::Bytes(TLS_ALERT.to_vec()), Greet::Hold], Step::Close)
    }),
    row("settings-late", "SETTINGS after 500 ms; then healthy", |_| Script {
        opening: Opening { steps: vec![Greet::Wait(500), Greet::Settings(Vec::new())], ..Opening::default() },
        ..Script::default()
    }),
    row("settings-then-close", "connected, then closed before any call", |_| {
        on_connect([Greet::Settings(Vec::new()), Greet::Preface, Greet::Close], Step::Close)
    }),
];

fn http1(status: &str, connection: &str) -> Greet {
    let body = format!("<html><body><h1>{status}</h1></body></html>\n");
    let head = format!("HTTP/1.1 {status}\r\nContent-Type: text/html\r\nContent-Length: {}\r\n", body.len());
    Greet::Bytes(format!("{head}Connection: {connection}\r\n\r\n{body}").into_bytes())
}
