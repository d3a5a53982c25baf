//! Makes a failure happen, with real processes and hostile peers, and asks B meanwhile.

use std::{net::SocketAddr, time::Duration};

use anyhow::{Context as _, bail};
use hostile_peer::Peer;
use tokio::{net::TcpStream, time::Instant};

use super::{Face, Failure, Scene, Seen, Times};
use crate::{
    child::{Child, line_with, value},
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
    program: Program,
    kind: Kind,
    a: Seat,
    b: Child,
}

/// What stands in A's place.
enum Seat {
    Service(Box<Child>),
    Peer(Peer),
    Nobody,
}

/// Where nobody can be: the name is reserved for that (RFC 6761).
const NOBODY: &str = "http://nobody.invalid:8080";
/// A call that A never answers.
const KEEP_OPEN: Option<&str> = Some("keep-open");

impl Stage {
    /// Starts what the failure needs: A or a peer in its place, then B. Errors: something does not start.
    pub async fn set(program: Program, kind: Kind, times: Times, failure: &Failure) -> anyhow::Result<Stage> {
        let a = match failure.scene {
            Scene::Unresolved => Seat::Nobody,
            Scene::Peer(behaviour) => Seat::Peer(Peer::start(behaviour)?),
            _ => Seat::Service(Box::new(start_a(&program, 0).await?)),
        };
        let b = start_b(&program, kind, &times, &a.url(), failure.scene).await?;
        let mut stage = Stage { program, kind, a, b };
        stage.settle(failure.scene).await?;
        Ok(stage)
    }

    /// Where B is.
    pub fn b(&self) -> SocketAddr {
        self.b.address()
    }

    /// Waits until B is as it would be found by a caller who comes later.
    async fn settle(&mut self, scene: Scene) -> anyhow::Result<()> {
        match (self.kind, scene) {
            // The first call shall meet the first try to connect.
            (_, Scene::Peer(_) | Scene::Unresolved) => Ok(()),
            (Kind::Ours, _) => line_with(&mut self.b.log(), "state=ready").await.map(drop),
            (Kind::Stock, _) => {
                let hello = super::Question { msg: "hello", timeout: None };
                hello.ask(self.b(), Face::Grpc, None).await.map(drop)
            }
        }
    }

    /// Makes it happen, asks B on this face, and tells what came. Errors: it could not be done, or nothing came.
    pub async fn play(&mut self, failure: &Failure, face: Face, patience: Duration) -> anyhow::Result<Seen> {
        let behavior = match failure.scene {
            Scene::Asked(behavior) => Some(behavior),
            _ => None,
        };
        let (b, question) = (self.b(), failure.question);
        let ask = || question.ask_for(b, face, behavior, patience);
        match failure.scene {
            Scene::Well | Scene::Peer(_) | Scene::Asked(_) | Scene::Unresolved => {}
            Scene::Frozen => self.a()?.freeze()?,
            Scene::Killed => self.kill_a().await?,
            Scene::Back => return self.back(question, face).await,
            Scene::KilledDuringTheCall | Scene::TerminatedDuringTheCall | Scene::Draining => {
                return self.during_the_call(failure.scene, ask()).await;
            }
            Scene::Full => return self.full(question.ask(b, face, KEEP_OPEN), ask()).await,
            Scene::CallerLeaves => return self.caller_leaves(question.ask(b, face, KEEP_OPEN)).await,
        }
        ask().await
    }

    fn a(&mut self) -> anyhow::Result<&mut Child> {
        match &mut self.a {
            Seat::Service(a) => Ok(a),
            Seat::Peer(_) | Seat::Nobody => bail!("there is no A"),
        }
    }

    /// Kills A. Our B tells when it has noticed; a call that is quicker would be lost with the connection.
    async fn kill_a(&mut self) -> anyhow::Result<()> {
        let mut log = self.b.log_from_now();
        self.a()?.kill().await?;
        match self.kind {
            Kind::Ours => line_with(&mut log, "state=transient_failure").await.map(drop),
            Kind::Stock => Ok(()),
        }
    }

    /// A is killed and started again; how long until B gets through.
    async fn back(&mut self, question: super::Question, face: Face) -> anyhow::Result<Seen> {
        self.kill_a().await?;
        let port = self.a()?.address().port();
        self.a = Seat::Service(Box::new(start_a(&self.program, port).await?));
        let start = Instant::now();
        loop {
            let seen = question.ask(self.b(), face, None).await?;
            if seen.code == "OK" || start.elapsed() > Duration::from_secs(10) {
                return Ok(Seen { took: start.elapsed(), ..seen });
            }
        }
    }

    /// Something happens to A or B while A has the call.
    async fn during_the_call(&mut self, scene: Scene, call: impl Call) -> anyhow::Result<Seen> {
        self.a()?.freeze()?;
        let call = tokio::spawn(call);
        self.b_has_it().await?;
        let start = Instant::now();
        match scene {
            Scene::KilledDuringTheCall => self.a()?.kill().await?,
            Scene::TerminatedDuringTheCall => {
                self.a()?.terminate()?;
                self.a()?.thaw()?;
            }
            _ => {
                self.b.terminate()?;
                if self.kind == Kind::Ours {
                    line_with(&mut self.b.log(), "state=draining").await?;
                }
                self.a()?.thaw()?;
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
        let mut log = self.a()?.log_from_now();
        self.b_has_it().await?;
        let start = Instant::now();
        call.abort();
        let line = line_with(&mut log, "endpoint=/echo").await?;
        let word = |key| value(&line, key).unwrap_or_default().to_owned();
        let http = word("http=").parse().ok();
        Ok(Seen { code: word("code="), http, took: start.elapsed(), ..Seen::default() })
    }

    /// Returns once B has read what was sent to it before, and A has been sent it.
    ///
    /// Tasks run in turn, and so do a worker's sockets; B has one worker here. Whoever asks after a call is answered after
    /// the call has been read. The second time round, its handler has had its turn too.
    async fn b_has_it(&self) -> anyhow::Result<()> {
        for _ in 0..3 {
            tokio::task::yield_now().await;
            match self.kind {
                Kind::Ours => drop(http::ask(self.b(), &Ask::get("/health")).await?),
                Kind::Stock => drop(TcpStream::connect(self.b()).await?),
            }
        }
        Ok(())
    }
}

/// A call to B.
trait Call: Future<Output = anyhow::Result<Seen>> + Send + 'static {}

impl<F: Future<Output = anyhow::Result<Seen>> + Send + 'static> Call for F {}

impl Seat {
    fn url(&self) -> String {
        match self {
            Seat::Service(a) => a.url(),
            Seat::Peer(peer) => peer.url(),
            Seat::Nobody => NOBODY.to_owned(),
        }
    }
}

async fn start_a(program: &Program, port: u16) -> anyhow::Result<Child> {
    let listen = format!("127.0.0.1:{port}");
    Child::start(program, "service-a", &["--listen", &listen, "--fault-injection"]).await.context("A")
}

async fn start_b(program: &Program, kind: Kind, times: &Times, a: &str, scene: Scene) -> anyhow::Result<Child> {
    // A peer that answers no PING is given up by the keepalive; a cap below it would come first.
    let cap = if scene == Scene::Peer("no-ping") { Duration::from_secs(60) } else { times.cap };
    let (cap, connect) = (cap.as_millis().to_string(), times.connect.as_millis().to_string());
    let (cap_ms, connect_ms) = (format!("{cap}ms"), format!("{connect}ms"));
    let common = ["--listen", "127.0.0.1:0", "--service-a", a];
    let ours = ["--workers", "1", "--service-a-timeout", &cap_ms, "--service-a-connect-timeout", &connect_ms];
    let stock = ["--service-a-timeout-ms", &cap, "--service-a-connect-timeout-ms", &connect];
    let full: &[&str] = if scene == Scene::Full { &["--max-concurrent-calls", "1"] } else { &[] };
    match kind {
        Kind::Ours => Child::start(program, "service-b", &[&common[..], &ours, full].concat()).await,
        Kind::Stock => Child::start(program, "stock-tonic", &[&common[..], &stock].concat()).await,
    }
    .context("B")
}
