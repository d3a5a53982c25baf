//! What became of a call, and of its connection.

use std::time::Instant;

use echo_proto::{CallEchoRequest, CallEchoResponse, EchoRequest, EchoResponse};
use hostile_peer::frame;
use prost::Message;

use crate::grpc::{CALL_ECHO, ECHO};

/// One call, by its stream.
#[derive(Debug)]
pub struct Call {
    /// Its stream.
    pub stream: u32,
    /// When the system had taken the whole request.
    pub sent: Instant,
    /// When the answer, or the stream, was over.
    pub ended: Option<Instant>,
    /// The code of an RST_STREAM.
    pub reset: Option<u32>,
    /// What has come of the answer.
    pub answer: Vec<u8>,
    expected: Vec<u8>,
}

/// How a call ended.
#[derive(Debug, PartialEq, Eq)]
pub enum Fate {
    /// With its own text, whole.
    Whole,
    /// Not at all: the peer has said that it did not look at it.
    Unprocessed,
    /// In any other way.
    Lost(String),
}

/// How a connection ended, and the calls on it.
#[derive(Debug)]
pub struct Ended {
    /// In the order in which they were made.
    pub calls: Vec<Call>,
    /// The last stream that each GOAWAY named.
    pub goaways: Vec<u32>,
    /// Anything at all came from the peer.
    pub heard: bool,
    /// When it ended.
    pub at: Instant,
    /// It was closed or reset; else the time to wait for that was over.
    pub closed: bool,
}

/// The path of a service's own method, its request with this text, and the only right answer.
pub(super) fn exchange(service: &str, msg: &str) -> (&'static str, Vec<u8>, Vec<u8>) {
    let echo = EchoResponse { echo: msg.into() };
    match service {
        "service-a" => (ECHO, EchoRequest { msg: msg.into() }.encode_to_vec(), echo.encode_to_vec()),
        _ => {
            let answer = CallEchoResponse { service_b: "ok".into(), service_a: Some(echo) };
            let request = CallEchoRequest { msg: msg.into() };
            (CALL_ECHO, request.encode_to_vec(), answer.encode_to_vec())
        }
    }
}

/// A message with gRPC's five bytes before it.
pub(super) fn framed(message: &[u8]) -> Vec<u8> {
    let mut framed = Vec::new();
    frame::put_message(&mut framed, 0, message);
    framed
}

impl Call {
    pub(super) fn new(stream: u32, answer: &[u8]) -> Self {
        let expected = framed(answer);
        Call { stream, sent: Instant::now(), ended: None, reset: None, answer: Vec::new(), expected }
    }

    /// The whole answer has come, and it is the right one. An error has no message, so there is no need to read its status.
    pub fn is_whole(&self) -> bool {
        self.ended.is_some() && self.reset.is_none() && self.answer == self.expected
    }
}

impl Ended {
    /// What became of `call`.
    pub fn fate(&self, call: &Call) -> Fate {
        let after_the_last = self.goaways.last().is_some_and(|last| call.stream > *last);
        match call {
            _ if call.is_whole() => Fate::Whole,
            // Nothing came on a connection that the peer never took up, or the last GOAWAY says so (RFC 9113, 6.8).
            _ if self.closed && (!self.heard || after_the_last) => Fate::Unprocessed,
            Call { stream, reset, ended, answer, .. } => Fate::Lost(format!(
                "stream {stream}: {} bytes, {}, reset {reset:?}, GOAWAYs {:?}, connection {}",
                answer.len(),
                if ended.is_some() { "ended" } else { "open" },
                self.goaways,
                if self.closed { "closed" } else { "open" },
            )),
        }
    }

    /// When the last of the answers was over.
    pub fn last_answer(&self) -> Option<Instant> {
        self.calls.iter().filter_map(|call| call.ended).max()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ended(goaways: &[u32], heard: bool, closed: bool) -> Ended {
        Ended { calls: Vec::new(), goaways: goaways.to_vec(), heard, at: Instant::now(), closed }
    }

    #[test]
    fn is_whole_with_its_own_text_only() {
        let (_, _, answer) = exchange("service-a", "hello");
        let mut call = Call::new(1, &answer);
        call.answer = framed(&answer);
        assert!(!call.is_whole(), "it has not ended");
        call.ended = Some(Instant::now());
        assert!(call.is_whole());
        call.answer = framed(&exchange("service-a", "hullo").2);
        assert!(!call.is_whole());
    }

    #[test]
    fn is_unprocessed_only_where_the_peer_says_so() {
        let call = Call::new(5, b"");
        assert_eq!(ended(&[u32::MAX >> 1, 3], true, true).fate(&call), Fate::Unprocessed);
        assert_eq!(ended(&[], false, true).fate(&call), Fate::Unprocessed);
        for (goaways, heard, closed) in [(&[3, 5][..], true, true), (&[], true, true), (&[3], true, false)] {
            assert!(matches!(ended(goaways, heard, closed).fate(&call), Fate::Lost(_)), "{goaways:?}");
        }
    }
}
