//! An attack in two halves: brought into its state, and looked at. Between them a test may do something to the server.

use std::{io, time::Duration};

use bytes::BytesMut;
use tokio::time::{Instant, sleep};

use super::{
    answer::Answer,
    connection::Connection,
    heard::Heard,
    reaction::Reaction,
    step::{Flood, Next, Script, Step, Watch},
    table::parts,
    target::Target,
};

/// How long one step may take that is not itself about time, such as to write a few bytes or to hear an answer.
const STEP_TIMEOUT: Duration = Duration::from_secs(5);
/// How long a flood lasts at the most.
const FLOOD_DURATION: Duration = Duration::from_secs(4);
/// How long a drip lasts at the most: a server that has taken it until then has no bound on it.
const DRIP_DURATION: Duration = Duration::from_secs(12);
/// How many bytes of a flood are written at once; in between, what the server says is read.
const FLOOD_BATCH: usize = 4096;
/// How often a client that reads nothing writes, to find out whether its server is still there.
const POKE_INTERVAL: Duration = Duration::from_millis(250);

/// A connection that an attack has brought into its state. Dropped, it is closed.
#[derive(Debug)]
pub struct Held {
    target: Target,
    watch: Watch,
    next: Next,
    connection: Connection,
    /// Healthy ones, which were there before.
    others: Vec<Connection>,
    sent: Option<u32>,
}

impl Held {
    /// Connects and plays the script. Errors: the target does not take the connection.
    pub(super) async fn begin(target: &Target, script: Script) -> io::Result<Self> {
        let mut others = Vec::new();
        for _ in 0..script.before {
            let mut other = Connection::open(target, false).await?;
            let healthy = serves_on(&mut other, target, Next::Grpc).await;
            others.extend(healthy.then_some(other));
        }
        let connection = Connection::open(target, script.small).await?;
        let Script { watch, next, .. } = script;
        let mut held = Held { target: target.clone(), watch, next, connection, others, sent: None };
        for step in script.steps {
            held.play(step).await;
        }
        Ok(held)
    }

    async fn play(&mut self, step: Step) {
        let soon = Instant::now() + STEP_TIMEOUT;
        match step {
            Step::Say(bytes) => {
                self.connection.out.extend_from_slice(&bytes);
                self.connection.flush(soon).await;
            }
            Step::Drip(bytes, pause) => self.drip(&bytes, pause).await,
            Step::HearSettings => drop(self.connection.go_on(soon, |heard, _| heard.settings).await),
            Step::HearAnswer(stream) => drop(self.connection.go_on(soon, is_over(stream)).await),
            Step::Mute => {
                self.connection.flush(soon).await;
                self.connection.mute = true;
            }
            Step::Deaf => self.connection.deaf = true,
            Step::Flood(flood, most) => self.sent = Some(self.flood(&flood, most).await),
        }
    }

    async fn drip(&mut self, bytes: &[u8], pause: Duration) {
        let until = Instant::now() + DRIP_DURATION;
        for byte in bytes {
            self.connection.out.extend_from_slice(&[*byte]);
            self.connection.flush(Instant::now() + STEP_TIMEOUT).await;
            self.connection.go_on(Instant::now() + pause, |_, _| false).await;
            if self.connection.heard.end.is_some() || Instant::now() > until {
                return;
            }
        }
    }

    async fn flood(&mut self, flood: &Flood, most: u32) -> u32 {
        let until = Instant::now() + FLOOD_DURATION;
        for number in 0..most {
            flood.0(number, &mut self.connection.out);
            let room =
                self.connection.go_on(until, |heard, out| heard.goaway.is_some() || out.len() < FLOOD_BATCH).await;
            if !room || self.connection.heard.goaway.is_some() || self.connection.is_broken() {
                return number + 1;
            }
        }
        self.connection.flush(until).await;
        most
    }

    /// Waits for what the attack is about, at most for `within`, and tells what the server did.
    pub async fn observe(mut self, within: Duration) -> Reaction {
        let until = Instant::now() + within;
        match self.watch {
            Watch::Answer(stream) => drop(self.connection.go_on(until, is_over(stream)).await),
            Watch::Body(stream, length) => {
                let there = |heard: &Heard, _: &_| {
                    heard.answers.get(&stream).is_some_and(|answer| answer.is_over() || answer.body.len() >= length)
                };
                self.connection.go_on(until, there).await;
            }
            Watch::End | Watch::EndAfterAnswer(_) => drop(self.connection.go_on(until, |_, _| false).await),
            Watch::EndByWriting(poke) => self.poke(until, poke).await,
        }
        self.tell().await
    }

    async fn poke(&mut self, until: Instant, poke: &[u8]) {
        while self.connection.heard.end.is_none() && Instant::now() < until {
            self.connection.out.extend_from_slice(poke);
            self.connection.go_on((Instant::now() + POKE_INTERVAL).min(until), |_, _| false).await;
        }
    }

    async fn tell(mut self) -> Reaction {
        let took = self.connection.since.elapsed();
        let stream = match self.watch {
            Watch::Answer(stream) | Watch::Body(stream, _) | Watch::EndAfterAnswer(stream) => Some(stream),
            Watch::End | Watch::EndByWriting(_) => None,
        };
        let answer = stream.map(|stream| self.connection.heard.answers.get(&stream).cloned().unwrap_or_default());
        let serves_on = match self.next {
            Next::Nothing => None,
            next if self.others.is_empty() => Some(serves_on(&mut self.connection, &self.target, next).await),
            next => Some(self.has_room_after_one_left(next).await),
        };
        let Heard { goaway, goaway_debug, end, .. } = self.connection.heard;
        Reaction { answer, goaway, goaway_debug, end, serves_on, sent: self.sent, took }
    }

    /// Whether, when one of the others has gone, a new connection is served.
    async fn has_room_after_one_left(&mut self, next: Next) -> bool {
        self.others.pop();
        let until = Instant::now() + STEP_TIMEOUT;
        while Instant::now() < until {
            if let Ok(mut new) = Connection::open(&self.target, false).await
                && serves_on(&mut new, &self.target, next).await
            {
                return true;
            }
            // The server learns of it when it reads.
            sleep(Duration::from_millis(5)).await;
        }
        false
    }
}

fn is_over(stream: u32) -> impl Fn(&Heard, &BytesMut) -> bool {
    move |heard, _| heard.answers.get(&stream).is_some_and(Answer::is_over)
}

/// Makes a good call on the connection.
async fn serves_on(connection: &mut Connection, target: &Target, next: Next) -> bool {
    let stream = match next {
        Next::Http1 => connection.heard.answers.keys().last().map_or(1, |last| last + 2),
        Next::Grpc | Next::Nothing => parts::LAST_STREAM,
    };
    if !connection.heard.settings && next == Next::Grpc && connection.heard.answers.is_empty() {
        connection.out.extend_from_slice(&parts::greeting());
    }
    connection.out.extend_from_slice(&parts::good_call(target, next, stream));
    connection.go_on(Instant::now() + STEP_TIMEOUT, is_over(stream)).await
        && connection.heard.answers.get(&stream).is_some_and(Answer::is_good)
}
