//! An attack in two halves: brought into its state, and looked at. Between them somebody else may do something to the server.

use std::{io, time::Duration};

use tokio::time::{Instant, sleep};

use super::{
    Seen, Target,
    connection::Connection,
    step::{Flood, Next, Script, Step, Watch},
    table,
};

/// What is small arrives in this time, or not at all.
const SOON: Duration = Duration::from_secs(5);
/// A flood is given up after this.
const FLOOD: Duration = Duration::from_secs(4);
/// A drip that was taken for so long will be taken for ever.
const DRIP: Duration = Duration::from_secs(12);
/// So much of a flood is written at once; in between, what the server says is read.
const BATCH: usize = 4096;
/// How often a client that reads nothing tries whether somebody is there.
const POKE: Duration = Duration::from_millis(250);

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
    /// Connects and plays the script. Errors: nobody takes the connection.
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
        let soon = Instant::now() + SOON;
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
        let until = Instant::now() + DRIP;
        for byte in bytes {
            self.connection.out.extend_from_slice(&[*byte]);
            self.connection.flush(Instant::now() + SOON).await;
            self.connection.go_on(Instant::now() + pause, |_, _| false).await;
            if self.connection.heard.end.is_some() || Instant::now() > until {
                return;
            }
        }
    }

    async fn flood(&mut self, flood: &Flood, most: u32) -> u32 {
        let until = Instant::now() + FLOOD;
        for number in 0..most {
            flood.0(number, &mut self.connection.out);
            let room = self.connection.go_on(until, |heard, out| heard.goaway.is_some() || out.len() < BATCH).await;
            if !room || self.connection.heard.goaway.is_some() || self.connection.is_broken() {
                return number + 1;
            }
        }
        self.connection.flush(until).await;
        most
    }

    /// Waits for what the attack is about, at most so long, and tells what was seen.
    pub async fn observe(mut self, patience: Duration) -> Seen {
        let until = Instant::now() + patience;
        match self.watch {
            Watch::Answer(stream) => drop(self.connection.go_on(until, is_over(stream)).await),
            Watch::Body(stream, length) => {
                let there = |heard: &super::heard::Heard, _: &_| {
                    heard.answers.get(&stream).is_some_and(|answer| answer.is_over() || answer.body.len() >= length)
                };
                self.connection.go_on(until, there).await;
            }
            Watch::End => drop(self.connection.go_on(until, |_, _| false).await),
            Watch::EndByWriting(poke) => self.poke(until, poke).await,
        }
        self.tell().await
    }

    async fn poke(&mut self, until: Instant, poke: &[u8]) {
        while self.connection.heard.end.is_none() && Instant::now() < until {
            self.connection.out.extend_from_slice(poke);
            self.connection.go_on((Instant::now() + POKE).min(until), |_, _| false).await;
        }
    }

    async fn tell(mut self) -> Seen {
        let took = self.connection.since.elapsed();
        let stream = match self.watch {
            Watch::Answer(stream) | Watch::Body(stream, _) => Some(stream),
            Watch::End | Watch::EndByWriting(_) => None,
        };
        let answer = stream.map(|stream| self.connection.heard.answers.get(&stream).cloned().unwrap_or_default());
        let serves_on = match self.next {
            Next::Nothing => None,
            next if self.others.is_empty() => Some(serves_on(&mut self.connection, &self.target, next).await),
            next => Some(self.has_room_after_one_left(next).await),
        };
        let (goaway, end) = (self.connection.heard.goaway, self.connection.heard.end);
        Seen { answer, goaway, end, serves_on, sent: self.sent, took }
    }

    /// Whether, when one of the others has gone, a new connection is served.
    async fn has_room_after_one_left(&mut self, next: Next) -> bool {
        self.others.pop();
        let until = Instant::now() + SOON;
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

fn is_over(stream: u32) -> impl Fn(&super::heard::Heard, &bytes::BytesMut) -> bool {
    move |heard, _| heard.answers.get(&stream).is_some_and(super::Answer::is_over)
}

/// Makes a good call on the connection.
async fn serves_on(connection: &mut Connection, target: &Target, next: Next) -> bool {
    let stream = match next {
        Next::Http1 => connection.heard.answers.keys().last().map_or(1, |last| last + 2),
        Next::Grpc | Next::Nothing => table::LAST_STREAM,
    };
    if !connection.heard.settings && next == Next::Grpc && connection.heard.answers.is_empty() {
        connection.out.extend_from_slice(&table::greeting());
    }
    connection.out.extend_from_slice(&table::good_call(target, next, stream));
    connection.go_on(Instant::now() + SOON, is_over(stream)).await
        && connection.heard.answers.get(&stream).is_some_and(super::Answer::is_good)
}
