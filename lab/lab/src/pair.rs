//! A, and the B that calls it.

use std::{
    net::{Ipv4Addr, SocketAddr},
    time::Duration,
};

use anyhow::bail;
use tokio::time::{Instant, sleep};

use crate::{
    child::Child,
    http::{self, Ask},
    program::Program,
};

/// B answers OK again at most 1.3 s and a connect after A is back (docs/contract.md, row 12); this is far beyond.
const RECOVERY: Duration = Duration::from_secs(10);

/// Both services, running.
pub struct Pair {
    /// What they are started from.
    pub program: Program,
    /// Service A.
    pub a: Child,
    /// Service B.
    pub b: Child,
    /// What both are given when they are started again.
    pub flags: &'static [&'static str],
}

impl Pair {
    /// Starts A, then B; port 0 takes a free one. Errors: a service did not start.
    pub async fn start(program: Program, port_a: u16, port_b: u16) -> anyhow::Result<Pair> {
        let flags = &[];
        let a = Child::start_at(&program, "service-a", (Ipv4Addr::LOCALHOST, port_a).into(), flags).await?;
        let b = start_b(&program, (Ipv4Addr::LOCALHOST, port_b).into(), &a.url(), flags).await?;
        Ok(Pair { program, a, b, flags })
    }

    /// Ends A, however it is, and starts it again on the same port.
    pub async fn restart_a(&mut self) -> anyhow::Result<()> {
        self.a.kill().await?;
        self.a = Child::start_at(&self.program, "service-a", self.a.address(), self.flags).await?;
        Ok(())
    }

    /// Ends B, however it is, and starts it again on the same port.
    pub async fn restart_b(&mut self) -> anyhow::Result<()> {
        self.b.kill().await?;
        self.b = start_b(&self.program, self.b.address(), &self.a.url(), self.flags).await?;
        Ok(())
    }

    /// Waits until B gets through to A again, and says how long that took. Errors: never, within 10 s.
    pub async fn recovered(&self) -> anyhow::Result<Duration> {
        let start = Instant::now();
        while start.elapsed() < RECOVERY {
            if self.every_worker_gets_through().await {
                return Ok(start.elapsed());
            }
            sleep(Duration::from_millis(5)).await;
        }
        bail!("B does not get through to A")
    }

    /// Each worker of B has its own connection to A.
    async fn every_worker_gets_through(&self) -> bool {
        let answers = http::ask_every_worker(self.b.address(), &Ask::get("/call-echo?msg=hello")).await;
        answers.iter().all(|answer| answer.as_ref().is_ok_and(|answer| answer.status == 200))
    }
}

async fn start_b(program: &Program, listen: SocketAddr, service_a: &str, flags: &[&str]) -> anyhow::Result<Child> {
    Child::start_at(program, "service-b", listen, &[&["--service-a", service_a], flags].concat()).await
}
