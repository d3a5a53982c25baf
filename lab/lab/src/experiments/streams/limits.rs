//! A peer that changes how many calls it takes at once, down to none.

use std::{cell::Cell, time::Duration};

use anyhow::Context as _;
use futures_util::future::join_all;
use hostile_peer::{EventKind, Peer};
use tokio::time::{sleep, timeout};

use super::tried::{CAP, IN_5_S, Tried};
use crate::{
    experiments::callers::{Answers, Callers, Whose},
    failures::{CallOutcome, Face, Question},
    program::Program,
};

/// How long each limit holds.
const HOLDS: Duration = Duration::from_millis(400);
/// How long B may take to acknowledge it.
const KNOWN: Duration = Duration::from_secs(5);
const CALLERS: usize = 40;

/// B's cap where no stream is ever free, and what scheduling and a build without optimisation add at the most.
const SHORT_CAP: Duration = Duration::from_millis(500);
const SLACK: Duration = Duration::from_millis(250);
/// With B's own cap of 2 s: long enough for all callers to come meanwhile, also on a machine that is busy.
const BEFORE_T: Duration = Duration::from_millis(1500);
/// This number of calls waits for a stream where the peer allows none.
const LINE: usize = 100;

const NO_DEADLINE: Question = Question { msg: "hello", timeout: None };
const IN_300_MS: Question = Question { msg: "hello", timeout: Some("300m") };
const NO_FREE_STREAM: &str = "no free stream";
const BUSY: (&str, &str) = ("UNAVAILABLE", "SERVICE_A_BUSY");

/// Callers that go on calling meanwhile: none of them fails.
pub async fn lowered(program: &Program, whose: Whose) -> anyhow::Result<Tried> {
    let peer = Peer::start("limit-100")?;
    let b = whose.start(program, &peer.url(), CAP, &[]).await?;
    let callers = Callers::connect(&b, CALLERS).await?;
    let over = Cell::new(false);
    let calls = join_all((0..CALLERS).map(async |number| {
        let mut answers = Vec::new();
        while !over.get() {
            answers.push(callers.call(number, IN_5_S).await);
        }
        answers
    }));
    let limits = async {
        sleep(HOLDS).await;
        for limit in ["limit-4", "limit-0", "limit-100"] {
            peer.behave(limit)?;
            known(&peer).await.with_context(|| format!("nobody acknowledges {limit}"))?;
            sleep(HOLDS).await;
        }
        over.set(true);
        anyhow::Ok(())
    };
    let (all, limited) = tokio::join!(calls, limits);
    limited?;
    let answers = all.into_iter().flatten().fold(Answers::default(), Answers::and);
    let (held, note) = (answers.failed() == 0, format!("{} connections", peer.connections()));
    Ok(Tried { answers, note, held })
}

async fn known(peer: &Peer) -> anyhow::Result<()> {
    let known = async { while peer.event().await.kind != EventKind::LimitKnown {} };
    Ok(timeout(KNOWN, known).await?)
}

/// No stream until B's cap: it says so, over JSON too, and that it is no use to try again; once there is one, all is well.
pub async fn none_until_cap(program: &Program, whose: Whose) -> anyhow::Result<Tried> {
    let peer = Peer::start("limit-0")?;
    let b = whose.start(program, &peer.url(), SHORT_CAP, &[]).await?;
    let callers = Callers::connect(&b, CALLERS).await?;
    let answers = callers.all_at_once(CALLERS, NO_DEADLINE).await;
    let says_so = |answer: &CallOutcome| {
        answer.pushback.as_deref() == Some("-1") && answer.details.as_deref() == Some(NO_FREE_STREAM)
    };
    let mut held = answers.count(BUSY.0, BUSY.1) == CALLERS
        && answers.all().iter().all(says_so)
        && answers.slowest() <= SHORT_CAP + SLACK;
    let mut note = String::new();
    if whose == Whose::Ours {
        let json = NO_DEADLINE.ask(b.address(), Face::Json, None).await?;
        note += &format!("JSON {} {}; ", json.http.unwrap_or_default(), json.reason);
        held &= json.http == Some(503) && json.reason == BUSY.1 && json.details.as_deref() == Some(NO_FREE_STREAM);
    }
    peer.behave("limit-100")?;
    let after = callers.all_at_once(CALLERS, IN_5_S).await;
    note += &format!("raised again: {} of {CALLERS} OK", CALLERS - after.failed());
    Ok(Tried { answers, note, held: held && after.failed() == 0 })
}

/// No stream until the caller's deadline: that is row 8.
pub async fn none_until_deadline(program: &Program, whose: Whose) -> anyhow::Result<Tried> {
    let peer = Peer::start("limit-0")?;
    let b = whose.start(program, &peer.url(), SHORT_CAP, &[]).await?;
    let answers = Callers::connect(&b, CALLERS).await?.all_at_once(CALLERS, IN_300_MS).await;
    let late = answers.count("DEADLINE_EXCEEDED", "DEADLINE_EXCEEDED");
    Ok(Tried { answers, note: String::new(), held: late == CALLERS })
}

/// More calls than may wait: those are refused at once, the others at T.
pub async fn too_many(program: &Program, whose: Whose) -> anyhow::Result<Tried> {
    const CALLS: usize = 3 * LINE;
    let peer = Peer::start("limit-0")?;
    let b = whose.start(program, &peer.url(), CAP, &["--workers", "1"]).await?;
    let answers = Callers::connect(&b, CALLS).await?.all_at_once(CALLS, NO_DEADLINE).await;
    let at_once = answers.within(BEFORE_T);
    let held = answers.count(BUSY.0, BUSY.1) == CALLS && at_once == CALLS - LINE;
    Ok(Tried { answers, note: format!("{at_once} at once, {} at T", CALLS - at_once), held })
}
