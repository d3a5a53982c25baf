//! Plays conversations against a server, many at a time, on a clock that jumps to where something happens.

use std::{ops::Range, pin::pin, sync::Arc, time::Duration};

use futures_util::future::join_all;
use service_runtime::InProcess;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, DuplexStream, WriteHalf, duplex, split},
    runtime::{self, Runtime},
    task::JoinHandle,
    time::{Instant, sleep, timeout},
};

use super::{
    allowed,
    caller::Caller,
    draw::{Conversation, End, NARROW},
    noted::{Answer, Answers, Noted},
};
use crate::greeter::greeter;

/// A peer of which nothing more is heard is found within 30 s (docs/contract.md).
const GONE_WITHIN: Duration = Duration::from_secs(30);

/// Where it takes no byte either, the last word, GOAWAY, waits for it for another 10 s.
const GOODBYE: Duration = Duration::from_secs(10);

/// One that closes is gone at once; before that it may have paused for 12 s.
const VANISHED_WITHIN: Duration = Duration::from_millis(12_100);

/// The test does not wait longer for the end of a connection, on the paused clock.
const LONGEST_CONNECTION: Duration = Duration::from_secs(600);

/// One worker of a server, and its clock.
pub struct World {
    runtime: Runtime,
    worker: Arc<InProcess>,
}

/// What came of one conversation.
#[derive(Debug, Default)]
pub struct Outcome {
    pub answers: Vec<Answer>,
    pub heard: Vec<u8>,
    /// What the contract does not allow.
    pub wrong: Vec<String>,
}

impl World {
    pub fn new() -> Self {
        let runtime = runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
        World { runtime, worker: Arc::new(greeter()) }
    }

    /// Plays the conversations of these numbers at once, and looks whether anything is left of them.
    pub fn play(&self, seeds: Range<u64>) -> (Vec<Outcome>, Vec<String>) {
        self.runtime.block_on(async {
            let mut other = self.caller().await;
            let outcomes = join_all(seeds.map(|seed| self.play_one(seed))).await;
            let mut left = Vec::new();
            for (which, caller) in [("other", &mut other), ("new", &mut self.caller().await)] {
                left.extend(
                    caller.call().await.err().map(|error| format!("the {which} caller is not served: {error}")),
                );
            }
            drop(other);
            sleep(Duration::from_secs(1)).await;
            let calls = self.worker.calls_in_flight();
            let tasks = self.runtime.metrics().num_alive_tasks();
            if (calls, tasks) != (0, 0) {
                left.push(format!("{calls} calls and {tasks} tasks are left"));
            }
            (outcomes, left)
        })
    }

    async fn caller(&self) -> Caller {
        let (client, _) = self.serve(64 * 1024, Answers::default());
        Caller::on(client).await
    }

    fn serve(&self, window: usize, answers: Answers) -> (DuplexStream, JoinHandle<usize>) {
        let (client, server) = duplex(window);
        let worker = self.worker.clone();
        let handler = Arc::new(Noted { worker: worker.clone(), answers });
        (client, tokio::spawn(async move { worker.serve(server, handler).await }))
    }

    async fn play_one(&self, seed: u64) -> Outcome {
        let Conversation { said, end, window } = Conversation::of(seed);
        let answers = Answers::default();
        let (client, served) = self.serve(window, answers.clone());
        let mut heard = Vec::new();
        let lasted = timeout(LONGEST_CONNECTION, converse(client, served, &said, end, &mut heard)).await;
        let answers = std::mem::take(&mut *answers.lock().unwrap());
        let said: Vec<u8> = said.into_iter().flat_map(|(bytes, _)| bytes).collect();
        let mut wrong = [allowed::answers(&answers), allowed::bytes(&said, &heard)].concat();
        let most = match end {
            End::Vanishes => VANISHED_WITHIN,
            End::Freezes if window < NARROW => GONE_WITHIN + GOODBYE,
            _ => GONE_WITHIN,
        };
        match lasted {
            Ok(lasted) if lasted <= most => {}
            lasted => wrong.push(format!("{end:?}, and lasts for {lasted:?} after its last byte")),
        }
        Outcome { answers, heard, wrong }
    }
}

/// Says all, hears what comes, and tells how long the server keeps the connection after the last byte.
async fn converse(
    client: DuplexStream,
    served: JoinHandle<usize>,
    said: &[(Vec<u8>, Duration)],
    end: End,
    heard: &mut Vec<u8>,
) -> Duration {
    let (mut reads, mut writes) = split(client);
    let mut hears = Box::pin(async move {
        // It cannot fail but by its end.
        let _ = reads.read_to_end(heard).await;
        reads
    });
    let mut closed = None;
    let ended = {
        let mut says = pin!(say(&mut writes, said));
        loop {
            tokio::select! {
                ended = &mut says => break ended,
                reads = &mut hears, if closed.is_none() => closed = Some(reads),
            }
        }
    };
    if end == End::Closes {
        let _ = writes.shutdown().await;
    }
    if matches!(end, End::Closes | End::Listens) && closed.is_none() {
        closed = Some(hears.as_mut().await);
    }
    let wire = (writes, closed, hears);
    // A frozen peer keeps its end of the wire.
    let _kept = (end != End::Vanishes).then_some(wire);
    // A panic is found by who looks for panics.
    let _ = served.await;
    ended.elapsed()
}

async fn say(writes: &mut WriteHalf<DuplexStream>, said: &[(Vec<u8>, Duration)]) -> Instant {
    let mut last = Instant::now();
    for (bytes, pause) in said {
        if writes.write_all(bytes).await.is_err() {
            break;
        }
        last = Instant::now();
        sleep(*pause).await;
    }
    last
}
