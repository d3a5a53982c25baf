//! Makes a failure happen, with real processes and hostile peers, and asks B meanwhile.

use std::{net::SocketAddr, time::Duration};

use anyhow::{Context as _, bail, ensure};
use hostile_peer::Peer;
use tokio::{net::TcpStream, time::Instant};

use super::{Face, Failure, Question, Scene, Seen, Times};
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
    times: Times,
    scene: Scene,
    ports: [u16; 2],
    a: Seat,
    b: Child,
}

/// What stands in A's place.
pub enum Seat {
    /// A itself.
    Service(Box<Child>),
    /// A hostile peer.
    Peer(Peer),
    /// Nothing; B is told a name that has no address.
    Nobody,
}

/// Where nobody can be: the name is reserved for that (RFC 6761).
const NOBODY: &str = "http://nobody.invalid:8080";
/// A call that A never answers.
const KEEP_OPEN: Option<&str> = Some("keep-open");
const HELLO: Question = Question { msg: "hello", timeout: None };
/// Row 12 says 1.3 s and a connect; what is not back by then will not come.
const RECOVERY: Duration = Duration::from_secs(15);

impl Stage {
    /// Starts what the scene needs, A or what stands in its place and then B; ports of 0 are free ones.
    ///
    /// Errors: something does not start.
    pub async fn set(program: Program, kind: Kind, times: Times, scene: Scene, ports: [u16; 2]) -> anyhow::Result<Stage> {
        let a = Seat::take(&program, scene, ports[0]).await?;
        let b = start_b(&program, kind, &times, &a.url(), scene, ports[1]).await?;
        let ports = [a.address().map_or(ports[0], |a| a.port()), b.address().port()];
        let mut stage = Stage { program, kind, times, scene, ports, a, b };
        stage.settle().await?;
        Ok(stage)
    }

    /// Sets another scene on the same ports. Errors: something does not start.
    pub async fn change(&mut self, scene: Scene) -> anyhow::Result<()> {
        self.b.kill().await?;
        if let Seat::Service(a) = &mut self.a {
            a.kill().await?;
        }
        self.a = Seat::Nobody;
        self.a = Seat::take(&self.program, scene, self.ports[0]).await?;
        self.b = start_b(&self.program, self.kind, &self.times, &self.a.url(), scene, self.ports[1]).await?;
        self.scene = scene;
        self.settle().await
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
    async fn settle(&mut self) -> anyhow::Result<()> {
        let start = Instant::now();
        // Otherwise the first call shall meet the first try to connect.
        while !matches!(self.scene, Scene::Peer(_) | Scene::Unresolved) && !self.gets_through().await {
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

    /// Makes it happen, asks B on this face, and tells what came. Errors: it could not be done, or nothing came.
    pub async fn play(&mut self, failure: &Failure, face: Face, patience: Duration) -> anyhow::Result<Seen> {
        let behavior = match failure.scene {
            Scene::Asked(behavior) => Some(behavior),
            _ => None,
        };
        let (b, question) = (self.b.address(), failure.question);
        let ask = question.ask_for(b, face, behavior, patience);
        let never_answered = question.ask(b, face, KEEP_OPEN);
        match failure.scene {
            Scene::Well | Scene::Peer(_) | Scene::Asked(_) | Scene::Unresolved => {}
            Scene::Frozen => self.service_a()?.freeze()?,
            Scene::Killed => self.kill_a().await?,
            Scene::Back => return self.back(question, face).await,
            Scene::KilledDuringTheCall | Scene::TerminatedDuringTheCall | Scene::Draining => {
                return self.during_the_call(failure.scene, ask).await;
            }
            Scene::Full => return self.full(never_answered, ask).await,
            Scene::CallerLeaves => return self.caller_leaves(never_answered).await,
        }
        ask.await
    }

    /// Puts things right, and asks B until it is OK; how long that took. Errors: it never is.
    pub async fn heal(&mut self) -> anyhow::Result<Duration> {
        match (&mut self.a, self.scene) {
            (Seat::Peer(peer), _) => peer.behave("echo")?,
            (Seat::Service(a), Scene::Frozen) => a.thaw()?,
            // The next question is a good one.
            (_, Scene::Well | Scene::Asked(_) | Scene::Full | Scene::CallerLeaves) => {}
            _ => self.change(Scene::Well).await?,
        }
        self.until_ok(HELLO, Face::Grpc).await.map(|seen| seen.took)
    }

    async fn until_ok(&self, question: Question, face: Face) -> anyhow::Result<Seen> {
        let start = Instant::now();
        loop {
            let seen = question.ask(self.b.address(), face, None).await?;
            if seen.code == "OK" || start.elapsed() > RECOVERY {
                return Ok(Seen { took: start.elapsed(), ..seen });
            }
        }
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
        self.a = Seat::take(&self.program, Scene::Back, self.ports[0]).await?;
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
        let line = line_with(&mut log, "endpoint=/echo").await?;
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

impl Seat {
    async fn take(program: &Program, scene: Scene, port: u16) -> anyhow::Result<Seat> {
        let listen = SocketAddr::from(([127, 0, 0, 1], port));
        Ok(match scene {
            Scene::Unresolved => Seat::Nobody,
            Scene::Peer(behaviour) => Seat::Peer(Peer::listen(behaviour.parse()?, listen)?),
            _ => {
                let flags = ["--listen", &listen.to_string(), "--fault-injection"];
                Seat::Service(Box::new(Child::start(program, "service-a", &flags).await.context("A")?))
            }
        })
    }

    fn address(&self) -> Option<SocketAddr> {
        match self {
            Seat::Service(a) => Some(a.address()),
            Seat::Peer(peer) => Some(peer.address()),
            Seat::Nobody => None,
        }
    }

    /// Where B looks for A.
    pub fn url(&self) -> String {
        self.address().map_or_else(|| NOBODY.to_owned(), |address| format!("http://{address}"))
    }
}

async fn start_b(
    program: &Program,
    kind: Kind,
    times: &Times,
    a: &str,
    scene: Scene,
    port: u16,
) -> anyhow::Result<Child> {
    // A peer that answers no PING is given up by the keepalive; a cap below it would come first.
    let cap = if scene == Scene::Peer("no-ping") { Duration::from_secs(60) } else { times.cap };
    let (cap, connect) = (cap.as_millis().to_string(), times.connect.as_millis().to_string());
    let (cap_ms, connect_ms, listen) = (format!("{cap}ms"), format!("{connect}ms"), format!("127.0.0.1:{port}"));
    let common = ["--listen", &listen, "--service-a", a];
    let ours = ["--fault-injection", "--service-a-timeout", &cap_ms];
    let connect_flag = ["--service-a-connect-timeout", &connect_ms];
    let stock = ["--service-a-timeout-ms", &cap, "--service-a-connect-timeout-ms", &connect];
    let full: &[&str] = if scene == Scene::Full { &["--max-concurrent-calls", "1"] } else { &[] };
    match kind {
        Kind::Ours => Child::start(program, "service-b", &[&common[..], &ours, &connect_flag, full].concat()).await,
        Kind::Stock => Child::start(program, "stock-tonic", &[&common[..], &stock].concat()).await,
    }
    .context("B")
}
