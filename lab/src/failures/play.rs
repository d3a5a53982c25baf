//! The scenes, played: what is done before or while B is asked.

use std::time::Duration;

use anyhow::bail;
use tokio::{net::TcpStream, time::Instant};

use super::{Face, Failure, Kind, Question, Scene, Seat, Seen, Stage};
use crate::{
    child::{Child, line_with, value},
    http::{self, Ask},
};

impl Stage {
    /// Makes it happen, asks B on this face, and tells what came. Errors: it could not be done, or nothing came.
    pub async fn play(&mut self, failure: &Failure, face: Face, patience: Duration) -> anyhow::Result<Seen> {
        self.settle().await?;
        let (b, question) = (self.b.address(), failure.question);
        let ask = question.ask_for(b, face, failure.scene.behavior(), patience);
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

    fn service_a(&mut self) -> anyhow::Result<&mut Child> {
        match &mut self.a {
            Seat::Service(a) => Ok(a),
            Seat::Peer(_) | Seat::Nobody => bail!("there is no A"),
        }
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
    async fn back(&mut self, question: Question, face: Face) -> anyhow::Result<Seen> {
        self.kill_a().await?;
        self.a = Seat::take(&self.program, self.kind, Scene::Back, self.ports[0]).await?;
        if let Seat::Service(a) = &mut self.a {
            (self.on_start)(a);
        }
        self.until_ok(question, face).await
    }

    /// Something happens to A or B while A has the call.
    async fn during_the_call(&mut self, scene: Scene, call: impl Call) -> anyhow::Result<Seen> {
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
        Ok(Seen { took: start.elapsed(), ..seen })
    }

    /// One call takes B's only place; the next is refused.
    async fn full(&mut self, first: impl Call, second: impl Call) -> anyhow::Result<Seen> {
        let first = tokio::spawn(first);
        self.b_has_it().await?;
        let seen = second.await;
        first.abort();
        seen
    }

    /// The caller leaves; A's log tells when its handler was cancelled.
    async fn caller_leaves(&mut self, call: impl Call) -> anyhow::Result<Seen> {
        let call = tokio::spawn(call);
        let mut log = self.service_a()?.log_from_now();
        self.b_has_it().await?;
        let start = Instant::now();
        call.abort();
        let line = line_with(&mut log, "code=CANCELLED").await?;
        let word = |key| value(&line, key).unwrap_or_default().to_owned();
        let http = word("http=").parse().ok();
        Ok(Seen { code: word("code="), http, took: start.elapsed(), ..Seen::default() })
    }

    /// Returns once B has read what was sent to it before, and A has been sent it.
    ///
    /// A worker's sockets have their turns, and so have its tasks. Whoever asks after a call is answered after the call has
    /// been read; the second time round, its handler has had its turn too.
    async fn b_has_it(&self) -> anyhow::Result<()> {
        for _ in 0..3 {
            tokio::task::yield_now().await;
            match self.kind {
                Kind::Ours => drop(http::ask_every_worker(self.b.address(), &Ask::get("/health")).await),
                Kind::Stock => drop(TcpStream::connect(self.b.address()).await?),
            }
        }
        Ok(())
    }
}

/// A call to B.
trait Call: Future<Output = anyhow::Result<Seen>> + Send + 'static {}

impl<F: Future<Output = anyhow::Result<Seen>> + Send + 'static> Call for F {}
