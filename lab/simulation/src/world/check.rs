//! The contract, asked of what was seen.

use std::time::Duration;

use tokio::time::Instant;

use super::{
    allowed::{ANSWERED, DEADLINE, PEER_GIVES_UP, Set, TIMEOUT},
    call::Record,
    draw::{Plan, ms},
    net::Net,
    span::Span,
};

/// What a service keeps back of its caller's time.
const MARGIN: Duration = ms(5);
/// The clock of a runtime counts in these.
const TICK: Duration = ms(1);
/// A peer that gives up so close to the deadline did so because of it.
const SAME_MOMENT: Duration = ms(10);
/// The longest pause between two tries to connect, 20 % more at most.
const LONGEST_PAUSE: Duration = ms(1200);

/// The last try has ended by then, and some.
const AFTER_IT: Duration = ms(100);

/// Whether a call got what it may get, and in time.
pub fn call(record: &Record, plan: &Plan, net: &Net) -> Option<String> {
    let took = record.ended - record.began;
    let left = record.shot.timeout.map(|timeout| timeout.saturating_sub(MARGIN));
    // The cap is for calls that are answered once.
    let cap = if record.shot.streams { Duration::MAX } else { plan.cap };
    let most = left.unwrap_or(cap).min(cap);
    let wrong = |what: String| Some(format!("call {}: {what}: {} after {took:?}", record.number, record.seen));
    if took > most + TICK {
        return wrong(format!("later than {most:?}"));
    }
    let outcome = record.outcome?;
    let lasting = LONGEST_PAUSE + plan.connect_timeout + AFTER_IT;
    let may = net.with_spans(|spans| {
        let of_call = |may: Set, span: &Span| may | span.on_a_call(record, lasting);
        spans.iter().fold(Set::default(), of_call)
    });
    let may = if most.is_zero() { DEADLINE } else { may };
    let early = if PEER_GIVES_UP.is_in(may) { most } else { Duration::ZERO };
    if !outcome.is_in(may) {
        return wrong(format!("not one of {may:?}"));
    }
    if outcome == DEADLINE && left.is_none_or(|left| took + SAME_MOMENT.min(early) < left) {
        return wrong("its caller had time left".into());
    }
    if outcome == TIMEOUT && took + early < cap.min(most) {
        return wrong("before the cap".into());
    }
    None
}

/// Whether the connects of an outage were as few as they have to be. A connection that answers a call is replaced at once: with an
/// answer, whatever kind it is of, another outage begins.
pub fn dials(net: &Net, records: &[Record]) -> Option<String> {
    let too_many = |dials: &[Instant], within: Duration, most: usize| {
        dials.windows(most + 1).any(|some| some[most] - some[0] < within)
    };
    let answered = |record: &&Record| record.outcome.is_some_and(|outcome| outcome.is_in(ANSWERED));
    let answers: Vec<_> = records.iter().filter(answered).collect();
    let none_between =
        |from: &Instant, to: &Instant| !answers.iter().any(|call| call.began <= *to && call.ended >= *from);
    let outages = net.dials_while_down();
    let mut outages = outages.iter().flat_map(|dials| dials.chunk_by(none_between));
    let often =
        outages.any(|dials| too_many(dials, Duration::from_secs(60), 80) || too_many(dials, Duration::from_secs(1), 6));
    often.then(|| "connects too often while there is nothing to connect to".to_owned())
}
