//! Frames, byte by byte where that matters, with the clock paused.

use hostile_peer::frame::{PING, put};

use super::*;

fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let mut frame = Vec::new();
    put(&mut frame, kind, flags, stream, payload);
    frame
}

fn settings() -> Vec<u8> {
    frame(SETTINGS, 0, 0, b"sixsix")
}

/// A peer whose preface and SETTINGS have come, at `now`.
fn greeted(now: Instant) -> Wire {
    let mut wire = Wire::new(now);
    wire.read(&[PREFACE, &settings()].concat(), 0, now).unwrap();
    wire
}

const SECOND: Duration = Duration::from_secs(1);

#[tokio::test(start_paused = true)]
async fn waits_for_the_preface_from_the_first_moment_on() {
    let began = Instant::now();
    let whole = [PREFACE, &settings()].concat();
    for said in 0..whole.len() {
        let mut wire = Wire::new(began);
        for (at, byte) in (0..).zip(&whole[..said]) {
            wire.read(&[*byte], 0, began + SECOND * at).unwrap();
        }
        assert_eq!(wire.gives_up_at(0), Some(began + UNFINISHED), "after {said} bytes");
    }
    assert_eq!(greeted(began).gives_up_at(0), None);
}

#[tokio::test(start_paused = true)]
async fn waits_for_settings_whatever_comes_instead() {
    let began = Instant::now();
    let mut wire = Wire::new(began);
    let others = [frame(PING, 0, 0, b"12345678"), frame(SETTINGS, ACK, 0, b"")].concat();
    wire.read(&[PREFACE, &others].concat(), 0, began + SECOND).unwrap();
    assert_eq!(wire.gives_up_at(0), Some(began + UNFINISHED));
    wire.read(&settings(), 0, began + SECOND).unwrap();
    assert_eq!(wire.gives_up_at(0), None);
}

#[tokio::test(start_paused = true)]
async fn waits_for_whatever_was_begun_from_its_first_byte_on() {
    let block = [frame(HEADERS, 0, 1, b"ab"), frame(CONTINUATION, END_HEADERS, 1, b"c")].concat();
    for whole in [frame(PING, 0, 0, b"12345678"), frame(HEADERS, END_HEADERS, 1, b"abc"), block] {
        let began = Instant::now();
        let mut wire = greeted(began);
        let (last, rest) = whole.split_last().unwrap();
        for (at, byte) in (1..).zip(rest) {
            wire.read(&[*byte], 0, began + SECOND * at).unwrap();
            assert_eq!(wire.gives_up_at(0), Some(began + SECOND + UNFINISHED), "{whole:?} after {at} bytes");
        }
        wire.read(&[*last], 0, began + SECOND * 60).unwrap();
        assert_eq!(wire.gives_up_at(0), None, "{whole:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn does_not_take_a_busy_peer_for_one_that_never_finishes() {
    let began = Instant::now();
    let mut wire = greeted(began);
    let ping = frame(PING, 0, 0, b"12345678");
    wire.read(&ping[..3], 0, began).unwrap();
    // Every read ends within a frame, and each frame is finished by the next one.
    for at in 1..100 {
        let now = began + SECOND * at;
        wire.read(&[&ping[3..], &ping[..3]].concat(), 0, now).unwrap();
        assert_eq!(wire.gives_up_at(0), Some(now + UNFINISHED));
    }
}

#[tokio::test(start_paused = true)]
async fn leaves_a_message_that_is_under_way_to_the_clock_of_its_call() {
    let now = Instant::now();
    let mut wire = greeted(now);
    wire.read(&frame(DATA, 0, 1, b"half")[..11], 0, now).unwrap();
    assert_eq!(wire.gives_up_at(0), None);
}

#[tokio::test(start_paused = true)]
async fn waits_over_http_1_for_headers_but_not_for_the_next_call() {
    let began = Instant::now();
    let mut wire = Wire::new(began);
    wire.read(b"GET / HTTP/1.1\r\n", 0, began).unwrap();
    assert_eq!(wire.gives_up_at(0), Some(began + UNFINISHED));
    wire.call_begins(false);
    assert_eq!(wire.gives_up_at(0), None);
    wire.read(b"body", 1, began + SECOND).unwrap();
    assert_eq!(wire.gives_up_at(0), None);
    wire.read(b"G", 0, began + SECOND * 2).unwrap();
    wire.read(b"E", 0, began + SECOND * 3).unwrap();
    assert_eq!(wire.gives_up_at(0), Some(began + SECOND * 2 + UNFINISHED));
}

#[tokio::test(start_paused = true)]
async fn follows_an_answer_until_its_last_byte_has_gone_out() {
    let now = Instant::now();
    let mut wire = greeted(now);
    let answer = [frame(HEADERS, END_HEADERS, 1, b"x"), frame(DATA, 0, 1, b"message")].concat();
    wire.wrote(&answer, now).unwrap();
    assert_eq!((wire.answers_under_way(), wire.gives_up_at(0)), (1, Some(now + UNREAD)));
    assert_eq!(wire.gives_up_at(1), None, "a stream that goes on by right");
    wire.wrote(&frame(HEADERS, END_HEADERS | END_STREAM, 1, b"x"), now).unwrap();
    assert_eq!((wire.answers_under_way(), wire.gives_up_at(0)), (0, None));
    // Trailers only.
    wire.wrote(&frame(HEADERS, END_HEADERS | END_STREAM, 3, b"x"), now).unwrap();
    assert_eq!(wire.answers_under_way(), 0);
}

#[tokio::test(start_paused = true)]
async fn forgets_an_answer_that_either_side_resets() {
    let now = Instant::now();
    let mut wire = greeted(now);
    for stream in [1, 3, 5] {
        wire.wrote(&frame(HEADERS, END_HEADERS, stream, b"x"), now + SECOND * stream).unwrap();
    }
    wire.wrote(&frame(RST_STREAM, 0, 3, b"code"), now).unwrap();
    assert_eq!((wire.answers_under_way(), wire.gives_up_at(0)), (2, Some(now + SECOND + UNREAD)));
    // One of them goes on by right; which is not known here, so it may be the older.
    assert_eq!(wire.gives_up_at(1), Some(now + SECOND * 5 + UNREAD));
    wire.read(&frame(RST_STREAM, 0, 1, b"code"), 0, now).unwrap();
    assert_eq!((wire.answers_under_way(), wire.gives_up_at(0)), (1, Some(now + SECOND * 5 + UNREAD)));
}

/// Whether `calls` are a flood, each given up `after` it was made.
fn floods(calls: u32, after: Duration) -> bool {
    let mut now = Instant::now();
    let mut wire = greeted(now);
    (0..calls).map(|call| 2 * call + 1).any(|stream| {
        wire.read(&frame(HEADERS, END_HEADERS, stream, b"x"), 0, now).unwrap();
        now += after;
        wire.read(&frame(RST_STREAM, 0, stream, b"code"), 0, now).is_err()
    })
}

#[tokio::test(start_paused = true)]
async fn takes_no_caller_for_a_flood_who_gives_up_what_took_long() {
    assert!(floods(3_000, Duration::from_micros(10)));
    assert!(!floods(3_000, HELD));
}

#[tokio::test(start_paused = true)]
async fn takes_a_caller_for_a_flood_whose_resets_only_look_late_because_it_is_read_slowly() {
    let mut now = Instant::now();
    let mut wire = greeted(now);
    let pings = frame(6, 0, 0, b"8 bytes!").repeat(250);
    wire.read(&pings, 0, now).unwrap();
    // A hundred at a time, and read after as long as a call that is given up for good reason.
    let floods = (0..50).any(|batch| {
        let streams = (0..100).map(|call| 2 * (100 * batch + call) + 1);
        let begin: Vec<u8> = streams.clone().flat_map(|stream| frame(HEADERS, END_HEADERS, stream, b"x")).collect();
        let resets: Vec<u8> = streams.flat_map(|stream| frame(RST_STREAM, 0, stream, b"code")).collect();
        now += HELD;
        let _ = wire.read(&begin, 0, now - HELD);
        wire.read(&resets, 0, now).is_err()
    });
    assert!(floods);
}

#[tokio::test(start_paused = true)]
async fn takes_a_caller_for_a_flood_who_gives_up_what_was_answered_or_never_asked() {
    let (now, late) = (Instant::now(), Instant::now() + HELD);
    for answered in [true, false] {
        let mut wire = greeted(now);
        let spent = (0..3_000).map(|call| 2 * call + 1).take_while(|stream| {
            if answered {
                wire.read(&frame(HEADERS, END_HEADERS, *stream, b"x"), 0, now).unwrap();
                // A reset, so that nothing is paid for.
                let _ = wire.wrote(&frame(RST_STREAM, 0, *stream, b"code"), now);
            }
            wire.read(&frame(RST_STREAM, 0, *stream, b"code"), 0, late).is_ok()
        });
        assert!(spent.count() < 3_000, "answered: {answered}");
    }
}

#[tokio::test(start_paused = true)]
async fn remembers_no_more_calls_than_there_may_be() {
    let now = Instant::now();
    let mut wire = greeted(now);
    for stream in (0..3 * MAX_CONCURRENT_STREAMS).map(|call| 2 * call + 1) {
        wire.read(&frame(HEADERS, END_HEADERS, stream, b"x"), 0, now).unwrap();
    }
    assert_eq!(wire.asking.len(), MAX_CONCURRENT_STREAMS as usize);
    wire.wrote(&frame(HEADERS, END_HEADERS, 1, b"x"), now).unwrap();
    wire.wrote(&frame(RST_STREAM, 0, 3, b"code"), now).unwrap();
    assert_eq!(wire.asking.len(), MAX_CONCURRENT_STREAMS as usize - 2);
}

#[tokio::test(start_paused = true)]
async fn counts_from_the_first_byte_that_the_peer_did_not_take() {
    let now = Instant::now();
    let mut wire = greeted(now);
    wire.takes_bytes(false, now);
    wire.takes_bytes(false, now + SECOND);
    assert_eq!((wire.is_flushed(), wire.gives_up_at(0)), (false, Some(now + UNREAD)));
    wire.takes_bytes(true, now + SECOND);
    assert_eq!((wire.is_flushed(), wire.gives_up_at(0)), (true, None));
}
