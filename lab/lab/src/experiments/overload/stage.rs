//! A service under an open loop, and what must hold of it.

use std::time::Duration;

use anyhow::{Context as _, ensure};
use tokio::{task::spawn_blocking, time::sleep};

use super::{
    offer::{Connections, Outcome, Pace},
    wire::Target,
};
use crate::{
    child::Child,
    grpc::{CALL_ECHO, ECHO},
    http::{self, Ask},
    print::print,
    program::Program,
    usage,
};

/// 3,200 calls at a time: more than a service takes by default.
const CONNECTIONS: usize = 32;
/// What each call is given.
const TIMEOUT: &str = "500m";
/// The same in milliseconds.
pub const DEADLINE_MS: f64 = 500.0;

/// The two calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Service {
    /// A, called directly.
    A,
    /// B, with an A behind it that is fast.
    B,
}

/// Running services.
pub struct Stage {
    service: Service,
    /// The one that is called.
    pub called: Child,
    _behind: Option<Child>,
}

impl Stage {
    /// Starts what is called, with `flags`, and what it needs. Errors: it does not start.
    pub async fn start(program: &Program, service: Service, flags: &[&str]) -> anyhow::Result<Stage> {
        let quiet = ["--log", "warn"];
        let stage = match service {
            Service::A => {
                let called = Child::start_on_free_port(program, "service-a", flags).await?;
                Stage { service, called, _behind: None }
            }
            Service::B => {
                let a = Child::start_on_free_port(program, "service-a", &quiet).await?;
                let to_a = ["--service-a", &a.url()];
                let called = Child::start_on_free_port(program, "service-b", &[&to_a, flags].concat()).await?;
                Stage { service, called, _behind: Some(a) }
            }
        };
        // The first calls make what is made once.
        stage.offer(Pace::Closed(4), Duration::from_millis(500)).await?;
        Ok(stage)
    }

    /// Makes calls, and says what came of them. Errors: a connection is over.
    pub async fn offer(&self, pace: Pace, duration: Duration) -> anyhow::Result<Outcome> {
        let target = Target { address: self.called.address(), path: self.path(), timeout: TIMEOUT };
        let offer = spawn_blocking(move || Connections::new(&target, CONNECTIONS)?.offer(pace, duration));
        offer.await?.context("a connection of the open loop is over")
    }

    /// The same as a line of the table, with the CPU time that a call cost the service.
    pub async fn show(&self, name: &str, pace: Pace, duration: Duration) -> anyhow::Result<Outcome> {
        let pid = self.called.pid().context("it has ended")?;
        let before = usage::cpu(pid)?;
        let outcome = self.offer(pace, duration).await?;
        let cpu = usage::cpu(pid)? - before;
        #[expect(clippy::cast_precision_loss, reason = "a figure")]
        let micros = cpu.as_secs_f64() * 1e6 / outcome.offered as f64;
        print(&format!(
            "{name:12} {:>8.0} {:>8.0}   {:>7.1} {:>7.1}   {:>7.1} {:>7.1}   {micros:>6.1}\n",
            outcome.made(),
            outcome.goodput(),
            outcome.answered.percentile(0.5),
            outcome.answered.percentile(0.99),
            outcome.refused.percentile(0.5),
            outcome.refused.percentile(0.99),
        ));
        Ok(outcome)
    }

    /// Asks beside the open loop, as anybody would, until `done`: an answer is there, or says that there are too many calls.
    pub async fn ask_beside<T>(&self, done: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<T> {
        let mut done = std::pin::pin!(done);
        loop {
            tokio::select! {
                outcome = &mut done => return outcome,
                () = sleep(Duration::from_millis(50)) => self.ask().await?,
            }
        }
    }

    async fn ask(&self) -> anyhow::Result<()> {
        let path = if self.service == Service::A { "/echo?msg=hello" } else { "/call-echo?msg=hello" };
        let reply = http::ask(self.called.address(), &Ask::get(path)).await?;
        let refused = reply.status == 429 && reply.json()["reason"] == "OVERLOADED";
        ensure!(reply.status == 200 || refused, "beside the open loop came {reply}");
        Ok(())
    }

    fn path(&self) -> &'static str {
        match self.service {
            Service::A => ECHO,
            Service::B => CALL_ECHO,
        }
    }
}

/// Prints the headline of what a stage shows.
pub fn headline(of: &str) {
    print(&format!("\n{of}\n"));
    print("              calls/s    go well   p50 ms     p99   refused     p99   CPU µs/call\n");
}
