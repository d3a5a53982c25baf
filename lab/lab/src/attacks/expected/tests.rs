use hostile_peer::client::Answer;

use super::*;

const OPEN: Reaction = Reaction {
    answer: None,
    goaway: None,
    goaway_debug: String::new(),
    end: None,
    serves_on: None,
    sent: None,
    took: Duration::ZERO,
};

/// What is wrong with what was seen 5 s after the connect.
fn unmet(answered: Answered, then: Then, [earliest, latest]: [u64; 2], seen: Reaction) -> String {
    let within = Window { earliest: Duration::from_secs(earliest), latest: Duration::from_secs(latest) };
    let seen = Reaction { took: Duration::from_secs(5), ..seen };
    Expected { answered, then, within }.unmet(&seen).unwrap_or_default()
}

#[test]
fn asks_what_becomes_of_the_connection() {
    let closed = Reaction { end: Some(End::Closed), ..OPEN };
    let reset = Reaction { end: Some(End::Reset), ..OPEN };
    let serves = Reaction { serves_on: Some(true), ..OPEN };
    let full = Reaction { end: Some(End::Closed), serves_on: Some(true), ..OPEN };
    let protocol_error = Reaction { goaway: Some(1), ..closed.clone() };
    let other_error = Reaction { goaway: Some(2), ..reset.clone() };
    let goaway = Then::GoAway("PROTOCOL_ERROR");
    for (then, met, not) in [
        (Then::ServesOn, vec![&serves], vec![&OPEN, &closed]),
        (Then::StaysOpen, vec![&serves], vec![&OPEN, &closed]),
        (Then::Closed, vec![&closed, &reset], vec![&OPEN, &serves]),
        (Then::HasEnough, vec![&closed, &reset], vec![&OPEN]),
        (goaway, vec![&protocol_error, &reset], vec![&closed, &other_error, &OPEN]),
        (Then::ClosedUntilThereIsRoom, vec![&full], vec![&closed, &serves]),
        (Then::MayClose, vec![&closed, &serves], vec![&OPEN]),
    ] {
        let unmet = |seen: &&Reaction| unmet(Answered::Nothing, then, [0, 9], (*seen).clone());
        assert!(met.iter().all(|seen| unmet(seen).is_empty()), "{then}");
        assert!(not.iter().all(|seen| !unmet(seen).is_empty()), "{then}");
    }
}

#[test]
fn asks_for_the_answer_and_its_reason() {
    let fields = vec![("grpc-status".to_owned(), "13".to_owned())];
    let answer = Answer { status: 200, fields, whole: true, ..Answer::default() };
    let seen = || Reaction { answer: Some(answer.clone()), serves_on: Some(true), ..OPEN };
    let unmet = |answered| unmet(answered, Then::ServesOn, [0, 9], seen());
    assert_eq!(unmet(Answered::Grpc("INTERNAL", "")), "");
    assert_eq!(unmet(Answered::Grpc("INTERNAL", "BAD_FRAME")), "expected INTERNAL BAD_FRAME");
    assert_eq!(unmet(Answered::Grpc("OK", "")), "expected OK");
    assert_eq!(unmet(Answered::Http(200, "")), "");
    assert_eq!(unmet(Answered::Http(415, "")), "expected HTTP 415");
    assert_eq!(unmet(Answered::Reset("REFUSED_STREAM")), "expected RST_STREAM REFUSED_STREAM");
}

#[test]
fn asks_when() {
    let closed = Reaction { end: Some(End::Closed), ..OPEN };
    for (bounds, wrong) in
        [([0, 10], ""), ([6, 10], "expected not before 6000 ms"), ([0, 3], "expected within 3000 ms")]
    {
        assert_eq!(unmet(Answered::Nothing, Then::Closed, bounds, closed.clone()), wrong);
    }
    let stays = Reaction { serves_on: Some(true), ..OPEN };
    assert_eq!(unmet(Answered::Nothing, Then::StaysOpen, [1, 1], stays), "");
}
