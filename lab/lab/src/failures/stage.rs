//! The pair, or what is left of it: set, changed and healed.

use std::{process::ExitStatus, time::Duration};

use anyhow::ensure;
use futures_util::future::{FutureExt, select_all};
use tokio::time::Instant;

use super::{
    cast::{Kind, Seat, start_b, start_other, start_others},
    failure::Times,
    outcome::{CallOutcome, Face, Question},
    scene::Scene,
};
use crate::{
    child::Child,
    http::{self, Ask},
    program::Program,
};

/// A and B, or what stands in A's place.
pub struct Stage {
    pub(super) program: Program,
    pub(super) kind: Kind,
    pub(super) times: Times,
    pub(super) scene: Scene,
    pub(super) ports: [u16; 2],
    pub(super) a: Seat,
    /// More replicas of A, which are always well.
    pub(super) others: Vec<Child>,
    pub(super) b: Child,
    pub(super) on_start: Box<OnStart>,
}

type OnStart = dyn Fn(&str, &mut Child);

/// docs/contract.md, row 12, says 1.3 s and a connect; what is not back by then will not come.
const RECOVERY: Duration = Duration::from_secs(15);

impl Stage {
    /// Starts what the scene needs, A or what stands in its place and then B; ports of 0 are free ones.
    ///
    /// Errors: something does not start.
    pub async fn set(
        program: Program,
        kind: Kind,
        times: Times,
        scene: Scene,
        ports: [u16; 2],
    ) -> anyhow::Result<Stage> {
        Self::set_beside(0, program, kind, times, scene, ports).await
    }

    /// The same with `others` more replicas of A, which stay well.
    pub async fn set_beside(
        others: usize,
        program: Program,
        kind: Kind,
        times: Times,
        scene: Scene,
        ports: [u16; 2],
    ) -> anyhow::Result<Stage> {
        let a = Seat::take(&program, scene, ports[0], tells_a(kind, others)).await?;
        let others = start_others(&program, ports, others).await?;
        let b = start_b(&program, kind, &times, &urls(&a, &others), scene, ports[1]).await?;
        let ports = [a.address().map_or(ports[0], |a| a.port()), b.address().port()];
        Ok(Stage { program, kind, times, scene, ports, a, others, b, on_start: Box::new(|_, _| {}) })
    }

    /// Sets another scene on the same ports, if it is one that A and B have to be started for. Errors: something does not
    /// start.
    pub async fn change(&mut self, scene: Scene) -> anyhow::Result<()> {
        let asked_from_the_start = tells_a(self.kind, self.others.len()) && matches!(scene, Scene::Asked(_));
        let gone = self.a.pid().is_none() || self.others.iter().any(|a| a.pid().is_none()) || self.b.pid().is_none();
        if scene.is_set_from_the_start() || asked_from_the_start || gone {
            return self.restart(scene).await;
        }
        self.scene = scene;
        Ok(())
    }

    async fn restart(&mut self, scene: Scene) -> anyhow::Result<()> {
        self.b.kill().await?;
        if let Some(a) = self.a.service() {
            a.kill().await?;
        }
        self.a = Seat::Nobody;
        self.a = Seat::take(&self.program, scene, self.ports[0], tells_a(self.kind, self.others.len())).await?;
        for other in self.others.iter_mut().filter(|other| other.pid().is_none()) {
            *other = start_other(&self.program, other.address()).await?;
        }
        let urls = urls(&self.a, &self.others);
        self.b = start_b(&self.program, self.kind, &self.times, &urls, scene, self.ports[1]).await?;
        self.scene = scene;
        self.tell_of_children();
        Ok(())
    }

    /// Calls `on_start` with the name of each process and with it, as they are, and with each that is started later.
    pub fn on_start(&mut self, on_start: impl Fn(&str, &mut Child) + 'static) {
        self.on_start = Box::new(on_start);
        self.tell_of_children();
    }

    fn tell_of_children(&mut self) {
        let Stage { a, others, b, on_start, .. } = self;
        processes(a, others, b).into_iter().for_each(|(name, process)| on_start(&name, process));
    }

    /// A has been started again.
    pub(super) fn tell_of_a(&mut self) {
        let Stage { a, others, b, on_start, .. } = self;
        if let Some((name, a)) = processes(a, others, b).into_iter().next() {
            on_start(&name, a);
        }
    }

    /// Every process with its name: `A`, or `A1`, `A2` and so on, and `B`.
    pub fn processes(&mut self) -> Vec<(String, &mut Child)> {
        processes(&mut self.a, &mut self.others, &mut self.b)
    }

    /// Waits until a process ends by itself, that is not in `ended` yet; says which, and how.
    pub async fn ended(&mut self, ended: &[String]) -> (String, Option<ExitStatus>) {
        let running = self.processes().into_iter().filter(|(name, _)| !ended.contains(name));
        let ends = running.map(|(name, process)| async move { (name, process.ended().await) }.boxed_local());
        let never = std::future::pending().boxed_local();
        select_all(ends.chain([never])).await.0
    }

    /// Where B looks for A: one address or more, comma separated.
    pub fn urls(&self) -> String {
        urls(&self.a, &self.others)
    }

    /// Whether there is more than one A.
    pub fn has_others(&self) -> bool {
        !self.others.is_empty()
    }

    /// What a call asks A to do, where A does not know already.
    pub(super) fn behavior_to_ask_for(&self, scene: Scene) -> Option<&'static str> {
        let knows = self.has_others() && matches!(scene, Scene::Asked(_));
        scene.behavior().filter(|_| !knows)
    }

    /// A, or what stands in its place.
    pub fn a(&mut self) -> &mut Seat {
        &mut self.a
    }

    /// B.
    pub fn b(&mut self) -> &mut Child {
        &mut self.b
    }

    /// B's clocks.
    pub fn times(&self) -> &Times {
        &self.times
    }

    /// Waits until B is as a caller who comes later finds it.
    pub(super) async fn settle(&mut self) -> anyhow::Result<()> {
        let start = Instant::now();
        let meets_the_first_try = match self.scene {
            Scene::Peer(_) | Scene::Unresolved => true,
            Scene::Asked(_) => self.has_others(),
            _ => false,
        };
        let never_answered = self.kind == Kind::Stock && self.scene.behavior().is_some();
        while !meets_the_first_try && !never_answered && !self.gets_through().await {
            ensure!(start.elapsed() < RECOVERY, "B does not get through to A");
        }
        Ok(())
    }

    async fn gets_through(&self) -> bool {
        let b = self.b.address();
        match self.kind {
            Kind::Ours => {
                let answers = http::ask_every_worker(b, &Ask::get("/call-echo?msg=hello")).await;
                answers.iter().all(|answer| answer.as_ref().is_ok_and(|answer| matches!(answer.status, 200 | 429)))
            }
            Kind::Stock => Question::HELLO.ask(b, Face::Grpc, None).await.is_ok_and(|seen| seen.code == "OK"),
        }
    }

    /// Puts things right, and asks B until it is OK; how long that took. Errors: it never is.
    pub async fn heal(&mut self) -> anyhow::Result<Duration> {
        match (&mut self.a, self.scene) {
            (Seat::Service(a), Scene::Frozen) => a.thaw()?,
            // The next question is a good one.
            (_, Scene::Well | Scene::CallerLeaves) => {}
            (_, Scene::Asked(_)) if self.others.is_empty() => {}
            _ => self.restart(Scene::Well).await?,
        }
        self.scene = Scene::Well;
        self.until_ok(Question::HELLO, Face::Grpc).await.map(|seen| seen.took)
    }

    pub(super) async fn until_ok(&self, question: Question, face: Face) -> anyhow::Result<CallOutcome> {
        let start = Instant::now();
        loop {
            let seen = question.ask(self.b.address(), face, None).await?;
            if seen.code == "OK" || start.elapsed() > RECOVERY {
                return Ok(CallOutcome { took: start.elapsed(), ..seen });
            }
        }
    }
}

/// Whether A is told from the start what other scenes ask for with each call: stock tonic passes nothing on, and among replicas
/// each would obey.
fn tells_a(kind: Kind, others: usize) -> bool {
    kind == Kind::Stock || others > 0
}

fn urls(a: &Seat, others: &[Child]) -> String {
    [a.url()].into_iter().chain(others.iter().map(Child::url)).collect::<Vec<_>>().join(",")
}

fn processes<'a>(a: &'a mut Seat, others: &'a mut [Child], b: &'a mut Child) -> Vec<(String, &'a mut Child)> {
    let first = if others.is_empty() { "A" } else { "A1" };
    let others = (2..).zip(others).map(|(number, other)| (format!("A{number}"), other));
    let a = a.service().map(|a| (first.to_owned(), a));
    a.into_iter().chain(others).chain([("B".to_owned(), b)]).collect()
}
