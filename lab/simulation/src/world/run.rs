//! Plays one seed: the calls of each phase, then the peer's recovery, then the end of everything.

use std::{sync::LazyLock, time::Duration};

use tokio::{
    runtime,
    time::{Instant, sleep, timeout},
};

use super::{
    allowed,
    call::{Record, call},
    calls::Calls,
    check,
    draw::{Phase, Plan, Shot},
    net::Net,
    wire::Cable,
};
use service_runtime::{
    Identity, Peer,
    client::WorkerUpstream,
    harness::{Simulated, upstream_over},
};

/// Longer than any seed takes, on the paused clock.
const LONGEST_SEED: Duration = Duration::from_secs(600);

/// A peer that comes back is found within this time, connecting not counted (docs/contract.md, row 12).
const BACK_WITHIN: Duration = Duration::from_millis(1300);

/// A connection that says nothing is found out within this time while there are calls (docs/contract.md, row 9).
const KEEPALIVE: Duration = Duration::from_secs(13);
/// Connections beside the first are closed when they have had no call for 30 s (docs/contract.md, row 31); looked for each second.
const IDLE: Duration = Duration::from_secs(32);

/// What came of a seed.
pub struct Outcome {
    pub story: Vec<String>,
    /// What the contract does not allow.
    pub wrong: Vec<String>,
}

/// How many tasks one connection takes and what keeps it: those of a world where nothing happens.
static TASKS: LazyLock<usize> = LazyLock::new(|| {
    let (_, tasks) = play_plan(0, &Plan { phases: Vec::new(), ..Plan::of(0) });
    tasks.expect("a healthy connection")
});

/// One seed, from the first connect to the last task.
pub fn play(seed: u64) -> Outcome {
    let (mut outcome, tasks) = play_plan(seed, &Plan::of(seed));
    if let Some(tasks) = tasks.filter(|tasks| *tasks != *TASKS) {
        outcome.wrong.push(format!("{tasks} tasks where {} are enough", *TASKS));
    }
    outcome
}

fn play_plan(seed: u64, plan: &Plan) -> (Outcome, Option<usize>) {
    let runtime = runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
    runtime.block_on(async {
        let net = Net::new();
        net.tell(&format!("cap {:?}, connect timeout {:?}", plan.cap, plan.connect_timeout));
        let mut run = Run::new(seed, plan, net.clone());
        if timeout(LONGEST_SEED, run.play(plan)).await.is_err() {
            run.wrong.push(format!("still not over after {LONGEST_SEED:?}"));
        }
        let tasks = run.tasks;
        let mut wrong = [std::mem::take(&mut run.wrong), run.checked(plan)].concat();
        wrong.extend(run.end().await);
        (Outcome { story: net.take_story(), wrong }, tasks)
    })
}

struct Run {
    net: Net,
    upstream: WorkerUpstream,
    calls: Calls,
    records: Vec<Record>,
    begun: usize,
    wrong: Vec<String>,
    /// All that are alive when only one healthy connection is.
    tasks: Option<usize>,
}

impl Run {
    fn new(seed: u64, plan: &Plan, net: Net) -> Self {
        let identity = Identity::new("service-b", "echo.v1").calls(Peer::new("service-a"));
        let how = Simulated {
            seed,
            cap: plan.cap,
            connect_timeout: plan.connect_timeout,
            // Half of the seeds without retries.
            retry_attempts: if seed.is_multiple_of(2) { 3 } else { 1 },
            connections: 8,
            // The shortest, so that a seed is soon over.
            keepalive: Some(Duration::from_secs(10)),
        };
        let upstream = upstream_over(net.clone(), identity, how);
        Run { net, upstream, calls: Calls::default(), records: Vec::new(), begun: 0, wrong: Vec::new(), tasks: None }
    }

    async fn play(&mut self, plan: &Plan) {
        for phase in &plan.phases {
            self.phase(phase).await;
        }
        self.recovery(plan).await;
    }

    async fn phase(&mut self, phase: &Phase) {
        self.net.enter(phase);
        for shot in &phase.shots {
            if shot.waits {
                self.join_all().await;
            }
            self.pass(shot.after).await;
            self.begin(*shot);
        }
        match phase.leave_after {
            Some(pause) => self.pass(pause).await,
            None => {
                self.join_all().await;
                self.nothing_in_flight().await;
            }
        }
    }

    /// The peer is healthy from now on: calls are OK again soon enough, and stay so.
    async fn recovery(&mut self, plan: &Plan) {
        self.net.heal();
        let stuck = self.net.alive().iter().any(Cable::is_stuck);
        let keepalive = if stuck { KEEPALIVE } else { Duration::ZERO };
        let by = Instant::now() + BACK_WITHIN + plan.connect_timeout + keepalive;
        self.join_all().await;
        let mut in_a_row = 0;
        while in_a_row < 4 {
            let shot = Shot::plain();
            sleep(shot.after).await;
            self.begin(shot);
            self.join_all().await;
            let last = self.records.last().expect("one was made");
            if last.outcome == Some(allowed::OK) {
                in_a_row += 1;
            } else if last.began > by {
                return self.wrong.push(format!("not back in time: call {} got {}", last.number, last.seen));
            } else if in_a_row > 0 {
                self.wrong.push(format!("was back, and call {} got {}", last.number, last.seen));
                in_a_row = 0;
            }
        }
        self.nothing_in_flight().await;
        // A peer that takes few calls at once has had more than one.
        if self.net.alive().len() > 1 {
            sleep(IDLE).await;
        }
        let alive = self.net.alive();
        if alive.iter().any(Cable::is_stuck) {
            return;
        }
        match alive.len() {
            1 => self.tasks = Some(self.net.tasks()),
            count => self.wrong.push(format!("{count} connections where one is enough")),
        }
    }

    fn begin(&mut self, shot: Shot) {
        self.begun += 1;
        self.calls.begin(call(self.upstream.clone(), self.begun, shot));
    }

    async fn pass(&mut self, time: Duration) {
        self.calls.run_until(sleep(time)).await;
        self.note();
    }

    async fn join_all(&mut self) {
        self.calls.run().await;
        self.note();
    }

    fn note(&mut self) {
        for record in self.calls.take_ended() {
            self.net.tell_of(record.ended, &record.to_string());
            self.records.push(record);
        }
    }

    /// What no caller waits for any more the peer need not work on.
    async fn nothing_in_flight(&mut self) {
        sleep(Duration::from_millis(1)).await;
        for cable in self.net.alive() {
            let state = cable.lock();
            if state.hit.is_none() && !state.streams.open.is_empty() {
                self.wrong.push(format!("streams {:?} are still open at the peer", state.streams.open));
            }
        }
    }

    fn checked(&self, plan: &Plan) -> Vec<String> {
        let calls = self.records.iter().flat_map(|record| check::call(record, plan, &self.net));
        calls.chain(check::dials(&self.net, &self.records)).collect()
    }

    /// Without the upstream nothing of it is left.
    async fn end(self) -> Option<String> {
        let Run { net, upstream, calls, .. } = self;
        drop((upstream, calls));
        // The peer lingers for a second, and what cannot be written is given up after a while.
        sleep(KEEPALIVE + Duration::from_secs(2)).await;
        let (tasks, wires) = (net.tasks(), net.alive().len());
        (tasks + wires > 0).then(|| format!("{tasks} tasks and {wires} connections are left at the end"))
    }
}
