//! The pair, or what is left of it: set, changed and healed.

use std::{process::ExitStatus, time::Duration};

use anyhow::ensure;
use tokio::time::Instant;

use super::{Face, Question, Scene, Seat, Seen, Times, cast::start_b};
use crate::{
    child::Child,
    http::{self, Ask},
    program::Program,
};

/// Whose B is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Ours.
    Ours,
    /// tonic's guide's (`bench/stock-tonic`).
    Stock,
}

/// A and B, or what stands in A's place.
pub struct Stage {
    pub(super) program: Program,
    pub(super) kind: Kind,
    pub(super) times: Times,
    pub(super) scene: Scene,
    pub(super) ports: [u16; 2],
    pub(super) a: Seat,
    pub(super) b: Child,
    pub(super) on_start: Box<dyn Fn(&mut Child)>,
}

const HELLO: Question = Question { msg: "hello", timeout: None };
/// Row 12 says 1.3 s and a connect; what is not back by then will not come.
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
        let a = Seat::take(&program, kind, scene, ports[0]).await?;
        let b = start_b(&program, kind, &times, &a.url(), scene, ports[1]).await?;
        let ports = [a.address().map_or(ports[0], |a| a.port()), b.address().port()];
        Ok(Stage { program, kind, times, scene, ports, a, b, on_start: Box::new(|_| {}) })
    }

    /// Sets another scene on the same ports, if it is one that A and B have to be started for. Errors: something does not
    /// start.
    pub async fn change(&mut self, scene: Scene) -> anyhow::Result<()> {
        if scene.is_set_from_the_start() || self.a.pid().is_none() || self.b.pid().is_none() {
            return self.restart(scene).await;
        }
        self.scene = scene;
        Ok(())
    }

    async fn restart(&mut self, scene: Scene) -> anyhow::Result<()> {
        self.b.kill().await?;
        if let Seat::Service(a) = &mut self.a {
            a.kill().await?;
        }
        self.a = Seat::Nobody;
        self.a = Seat::take(&self.program, self.kind, scene, self.ports[0]).await?;
        self.b = start_b(&self.program, self.kind, &self.times, &self.a.url(), scene, self.ports[1]).await?;
        self.scene = scene;
        self.tell_of_children();
        Ok(())
    }

    /// Calls `on_start` with A and B as they are, and with each of them that is started later.
    pub fn on_start(&mut self, on_start: impl Fn(&mut Child) + 'static) {
        self.on_start = Box::new(on_start);
        self.tell_of_children();
    }

    fn tell_of_children(&mut self) {
        if let Seat::Service(a) = &mut self.a {
            (self.on_start)(a);
        }
        (self.on_start)(&mut self.b);
    }

    /// Waits until A or B ends by itself, whose end has not been told yet; says which, and how.
    pub async fn ended(&mut self, told: [bool; 2]) -> (&'static str, Option<ExitStatus>) {
        let Stage { a, b, .. } = self;
        let a = async {
            match a {
                Seat::Service(a) if !told[0] => a.ended().await,
                _ => std::future::pending().await,
            }
        };
        tokio::select! {
            status = a => ("A", status),
            status = b.ended(), if !told[1] => ("B", status),
        }
    }

    /// A, if it is there, and B.
    pub fn into_children(self) -> Vec<Child> {
        let a = match self.a {
            Seat::Service(a) => Some(*a),
            Seat::Peer(_) | Seat::Nobody => None,
        };
        a.into_iter().chain([self.b]).collect()
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
        let meets_the_first_try = matches!(self.scene, Scene::Peer(_) | Scene::Unresolved);
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
            Kind::Stock => HELLO.ask(b, Face::Grpc, None).await.is_ok_and(|seen| seen.code == "OK"),
        }
    }

    /// Puts things right, and asks B until it is OK; how long that took. Errors: it never is.
    pub async fn heal(&mut self) -> anyhow::Result<Duration> {
        match (&mut self.a, self.scene) {
            (Seat::Service(a), Scene::Frozen) => a.thaw()?,
            // The next question is a good one.
            (_, Scene::Well | Scene::Asked(_) | Scene::CallerLeaves) => {}
            _ => self.restart(Scene::Well).await?,
        }
        self.scene = Scene::Well;
        self.until_ok(HELLO, Face::Grpc).await.map(|seen| seen.took)
    }

    pub(super) async fn until_ok(&self, question: Question, face: Face) -> anyhow::Result<Seen> {
        let start = Instant::now();
        loop {
            let seen = question.ask(self.b.address(), face, None).await?;
            if seen.code == "OK" || start.elapsed() > RECOVERY {
                return Ok(Seen { took: start.elapsed(), ..seen });
            }
        }
    }
}
