//! The scenes, played: what is done before or while B is asked.

use std::time::Duration;

use anyhow::Context as _;
use futures_util::future::select_ok;
use tokio::time::{Instant, sleep};

use super::{
    cast::{Kind, Seat},
    failure::Failure,
    outcome::{CallOutcome, Face, Question},
    scene::Scene,
    stage::Stage,
};
use crate::{
    child::{Child, line_with, value},
    http::{self, Ask},
};

/// Two for each worker of a small machine's B, and each round meets every replica.
const ROUNDS: usize = 8;

/// What A logs of a call whose caller has left, in every format.
const CALLER_IS_GONE: &str = "the caller went away before the answer was complete";

impl Stage {
    /// Makes it happen, asks B on this face, and tells what came. Errors: it could not be done, or nothing came.
    pub async fn play(&mut self, failure: &Failure, face: Face, within: Duration) -> anyhow::Result<CallOutcome> {
        self.settle().await?;
        let b = self.b.address();
        let question = failure.question;
        let ask = question.ask_for(b, face, self.behavior_to_ask_for(failure.scene), within);
        match failure.scene {
            Scene::Well | Scene::Peer(_) | Scene::Asked(_) | Scene::Unresolved => {}
            Scene::Frozen => self.service_a()?.freeze()?,
            Scene::Killed => self.kill_a().await?,
            Scene::Back => return self.back(question, face).await,
            Scene::KilledDuringTheCall | Scene::TerminatedDuringTheCall | Scene::Draining => {
                return self.during_the_call(failure.scene, ask).await;
            }
            Scene::Full => return self.full(question.ask(b, face, failure.scene.behavior()), ask).await,
            Scene::CallerLeaves => return self.caller_leaves(ask).await,
        }
        ask.await
    }

    /// The same, and asks on where it lasts and other replicas of A are well: until a call fails, or each replica has been asked
    /// by each worker of B. How many calls that took, and what the last one got.
    pub async fn play_on(
        &mut self,
        failure: &Failure,
        face: Face,
        within: Duration,
    ) -> anyhow::Result<(usize, CallOutcome)> {
        let mut seen = self.play(failure, face, within).await?;
        let mut calls = 1;
        let enough = if failure.scene.lasts() { ROUNDS * self.others.len() } else { 0 };
        while seen.code == "OK" && calls < enough {
            seen = failure.question.ask_for(self.b.address(), face, None, within).await?;
            calls += 1;
        }
        Ok((calls, seen))
    }

    fn service_a(&mut self) -> anyhow::Result<&mut Child> {
        self.a.service().context("there is no A")
    }

    /// Kills A. Our B tells when it has noticed; a call that is quicker would be lost with the connection.
    async fn kill_a(&mut self) -> anyhow::Result<()> {
        let mut log = self.b.log_from_now();
        self.service_a()?.kill().await?;
        match self.kind {
            Kind::Ours => line_with(&mut log, "state=transient_failure").await.map(drop),
            Kind::Stock => Ok(()),
        }
    }

    /// A is killed and started again; how long until B gets through.
    async fn back(&mut self, question: Question, face: Face) -> anyhow::Result<CallOutcome> {
        self.kill_a().await?;
        self.a = Seat::take(&self.program, Scene::Back, self.ports[0], false).await?;
        self.tell_of_a();
        self.until_ok(question, face).await
    }

    /// Something happens to A or B while A has the call.
    async fn during_the_call(&mut self, scene: Scene, call: impl Call) -> anyhow::Result<CallOutcome> {
        self.service_a()?.freeze()?;
        let call = tokio::spawn(call);
        self.b_has_it().await?;
        let start = Instant::now();
        match scene {
            Scene::KilledDuringTheCall => self.service_a()?.kill().await?,
            Scene::TerminatedDuringTheCall => {
                self.service_a()?.terminate()?;
                self.service_a()?.thaw()?;
            }
            _ => {
                let mut log = self.b.log_from_now();
                self.b.terminate()?;
                if self.kind == Kind::Ours {
                    line_with(&mut log, "state=draining").await?;
                }
                self.service_a()?.thaw()?;
            }
        }
        let seen = call.await??;
        Ok(CallOutcome { took: start.elapsed(), ..seen })
    }

    /// One call takes B's only place; the next is refused.
    async fn full(&mut self, first: impl Call, second: impl Call) -> anyhow::Result<CallOutcome> {
        let first = tokio::spawn(first);
        self.b_has_it().await?;
        let seen = second.await;
        first.abort();
        seen
    }

    /// The caller leaves; A's log tells when its handler was cancelled.
    async fn caller_leaves(&mut self, call: impl Call) -> anyhow::Result<CallOutcome> {
        let call = tokio::spawn(call);
        let mut logs = vec![self.service_a()?.log_from_now()];
        logs.extend(self.others.iter().map(Child::log_from_now));
        self.b_has_it().await?;
        let start = Instant::now();
        call.abort();
        let lines = logs.iter_mut().map(|log| Box::pin(line_with(log, CALLER_IS_GONE)));
        let (line, _) = select_ok(lines).await?;
        // A log of the lab's five fields has no code: there the sentence, which is CANCELLED's alone, says it.
        let code = value(&line, "code=").unwrap_or("CANCELLED").to_owned();
        let http = value(&line, "http=").and_then(|http| http.parse().ok());
        Ok(CallOutcome { code, http, took: start.elapsed(), ..CallOutcome::default() })
    }

    /// Returns once B has read what was sent to it before, and A has been sent it.
    ///
    /// A worker's sockets have their turns, and so have its tasks. A health check behind a call is answered after the call has
    /// been read; the second time round, its handler has had its turn too.
    async fn b_has_it(&self) -> anyhow::Result<()> {
        if self.kind == Kind::Stock {
            // It has no order that could be relied upon. Nothing is asserted of it, so a while will do.
            sleep(Duration::from_millis(50)).await;
            return Ok(());
        }
        for _ in 0..3 {
            tokio::task::yield_now().await;
            http::ask_every_worker(self.b.address(), &Ask::get("/health")).await;
        }
        Ok(())
    }
}

/// A call to B.
trait Call: Future<Output = anyhow::Result<CallOutcome>> + Send + 'static {}

impl<F: Future<Output = anyhow::Result<CallOutcome>> + Send + 'static> Call for F {}
