//! What the payloads of two kinds of frame say that concerns who makes calls: how many streams the peer allows, and why it leaves.

use std::sync::atomic::Ordering;

use super::seen::{Life, Seen};
use crate::frames::{ACK, GOAWAY, Head, SETTINGS};

/// RFC 9113, 6.5.2.
const MAX_CONCURRENT_STREAMS: u16 = 3;
/// An identifier and a value.
const SETTING: usize = 6;

/// RFC 9113, 7.
const NO_ERROR: u32 = 0;
const ENHANCE_YOUR_CALM: u32 = 11;
/// What a server says that finds our PINGs too many (gRFC A8).
const TOO_MANY_PINGS: &[u8] = b"too_many_pings";

/// Of GOAWAY, before the debug data: the last stream and the reason.
const GOAWAY_HEAD: usize = 8;
/// A frame of either kind that is longer than this is not looked at beyond.
const LONGEST: usize = 256;

/// The payload of a frame as it comes in.
pub(super) enum Payload {
    /// Of no interest.
    None,
    Settings {
        length: usize,
        bytes: Vec<u8>,
    },
    GoAway {
        length: usize,
        bytes: Vec<u8>,
    },
}

impl Payload {
    pub fn of(Head { kind, flags, length, .. }: Head) -> Self {
        let length = length.min(LONGEST);
        match kind {
            SETTINGS if flags & ACK == 0 => Payload::Settings { length, bytes: Vec::new() },
            GOAWAY => Payload::GoAway { length, bytes: Vec::new() },
            _ => Payload::None,
        }
    }

    /// The next bytes of it; notes what it says once it is whole.
    pub fn take(&mut self, more: &[u8], seen: &Seen) {
        let (Payload::Settings { length, bytes } | Payload::GoAway { length, bytes }) = self else { return };
        bytes.extend_from_slice(&more[..more.len().min(*length - bytes.len())]);
        if bytes.len() < *length {
            return;
        }
        match std::mem::replace(self, Payload::None) {
            Payload::Settings { bytes, .. } => seen.has_settings(&bytes),
            Payload::GoAway { bytes, .. } => seen.has_goaway(&bytes),
            Payload::None => {}
        }
    }
}

impl Seen {
    fn has_settings(&self, settings: &[u8]) {
        for setting in settings.chunks_exact(SETTING) {
            let (name, value) = setting.split_at(2);
            if name == MAX_CONCURRENT_STREAMS.to_be_bytes() {
                let value = u32::from_be_bytes(value.try_into().expect("four bytes are left"));
                self.stream_limit.store(value, Ordering::Relaxed);
            }
        }
        if *self.life.borrow() == Life::Opening {
            self.life.send_replace(Life::Ready);
        }
        // The limit may have been raised.
        self.changes.happened();
    }

    fn has_goaway(&self, payload: &[u8]) {
        let reason =
            payload.get(4..GOAWAY_HEAD).map(|reason| u32::from_be_bytes(reason.try_into().expect("four bytes")));
        let debug = payload.get(GOAWAY_HEAD..).unwrap_or_default();
        self.left_cleanly.store(reason == Some(NO_ERROR), Ordering::Relaxed);
        let pings = reason == Some(ENHANCE_YOUR_CALM) && debug == TOO_MANY_PINGS;
        self.too_many_pings.store(pings, Ordering::Relaxed);
        self.goes_away();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::client::changes::Changes;

    fn seen() -> Seen {
        Seen::new(Arc::new(Changes::default()))
    }

    fn takes(kind: u8, flags: u8, payload: &[u8], seen: &Seen) {
        let mut taking = Payload::of(Head { kind, flags, length: payload.len(), stream: 0 });
        taking.take(&[], seen);
        payload.chunks(5).for_each(|bytes| taking.take(bytes, seen));
    }

    #[test]
    fn reads_the_limit_of_streams_among_other_settings_and_again() {
        let seen = seen();
        takes(SETTINGS, 0, &[], &seen);
        assert_eq!(seen.stream_limit.load(Ordering::Relaxed), u32::MAX, "absent is no limit");
        takes(SETTINGS, 0, &[0, 4, 0, 1, 0, 0, 0, 3, 0, 0, 0, 100], &seen);
        assert_eq!(seen.stream_limit.load(Ordering::Relaxed), 100);
        takes(SETTINGS, 0, &[0, 3, 0, 0, 0, 0], &seen);
        assert_eq!(seen.stream_limit.load(Ordering::Relaxed), 0);
        takes(SETTINGS, ACK, &[], &seen);
        assert_eq!(seen.stream_limit.load(Ordering::Relaxed), 0);
    }

    #[test]
    fn reads_why_the_peer_leaves() {
        let leaves = |reason: u8, debug: &[u8]| {
            let seen = seen();
            takes(GOAWAY, 0, &[&[0, 0, 0, 0, 0, 0, 0, reason], debug].concat(), &seen);
            (seen.left_cleanly.load(Ordering::Relaxed), seen.too_many_pings.load(Ordering::Relaxed))
        };
        assert_eq!(leaves(0, b""), (true, false));
        assert_eq!(leaves(11, b"too_many_pings"), (false, true));
        assert_eq!(leaves(11, b"flood"), (false, false));
        assert_eq!(leaves(0, &[b'x'; 1000]), (true, false));
        let seen = seen();
        takes(GOAWAY, 0, &[0, 0], &seen);
        assert!(!seen.left_cleanly.load(Ordering::Relaxed), "cut short");
    }
}
