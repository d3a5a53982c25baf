//! Plays conversations against a server, many at a time, on a clock that jumps to where something happens.

use std::{
    ops::Range,
    pin::pin,
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use futures_util::future::join_all;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, DuplexStream, WriteHalf, duplex, split},
    runtime::{self, Runtime},
    sync::watch,
    task::JoinHandle,
    time::{Instant, sleep, timeout},
};

use super::{
    allowed,
    caller::Caller,
    draw::{Conversation, End, NARROW},
    watched::{Answer, Answers, Watched},
};
use crate::{
    fuzz::greeter::greeter,
    server::{Shared, connection, drain::Phase, stack::Stack},
};

/// A peer of which nothing more is heard is found within 30 s (contract).
const GONE_WITHIN: Duration = Duration::from_secs(30);

/// Where it takes no byte either, the last word, GOAWAY, waits for it for another 10 s.
const GOODBYE: Duration = Duration::from_secs(10);

/// One that closes is gone at once; before that it may have paused for 12 s.
const VANISHED_WITHIN: Duration = Duration::from_millis(12_100);

/// After that the test stops waiting.
const FOR_EVER: Duration = Duration::from_secs(600);

/// One worker of a server, and its clock.
pub struct World {
    runtime: Runtime,
    stack: Arc<Stack>,
    shared: Arc<Shared>,
    _serving: watch::Sender<Phase>,
}

/// What came of one conversation.
#[derive(Debug, Default)]
pub struct Told {
    pub answers: Vec<Answer>,
    pub heard: Vec<u8>,
    /// What the contract does not allow.
    pub wrong: Vec<String>,
}

impl World {
    pub fn new() -> Self {
        let runtime = runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
        let (stack, shared, serving) = greeter();
        World { runtime, stack, shared, _serving: serving }
    }

    /// Plays the conversations of these numbers at once, and looks whether anything is left of them.
    pub fn play(&self, seeds: Range<u64>) -> (Vec<Told>, Vec<String>) {
        self.runtime.block_on(async {
            let mut other = self.caller().await;
            let told = join_all(seeds.map(|seed| self.play_one(seed))).await;
            let mut left = Vec::new();
            for (which, caller) in [("other", &mut other), ("new", &mut self.caller().await)] {
                left.extend(
                    caller.call().await.err().map(|error| format!("the {which} caller is not served: {error}")),
                );
            }
            drop(other);
            sleep(Duration::from_secs(1)).await;
            let calls = self.shared.calls.load(Ordering::Relaxed);
            let tasks = self.runtime.metrics().num_alive_tasks();
            if (calls, tasks) != (0, 0) {
                left.push(format!("{calls} calls and {tasks} tasks are left"));
            }
            (told, left)
        })
    }

    async fn caller(&self) -> Caller {
        let (client, _) = self.serve(64 * 1024, Answers::default());
        Caller::on(client).await
    }

    fn serve(&self, window: usize, answers: Answers) -> (DuplexStream, JoinHandle<usize>) {
        let (client, server) = duplex(window);
        let stack = Arc::new(Watched { stack: self.stack.clone(), answers });
        let served = connection::serve(server, None, stack, self.shared.lifetime, self.shared.phases.clone());
        (client, tokio::spawn(served))
    }

    async fn play_one(&self, seed: u64) -> Told {
        let Conversation { said, end, window } = Conversation::of(seed);
        let answers = Answers::default();
        let (client, served) = self.serve(window, answers.clone());
        let mut heard = Vec::new();
        let lasted = timeout(FOR_EVER, converse(client, served, &said, end, &mut heard)).await;
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
        Told { answers, heard, wrong }
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
