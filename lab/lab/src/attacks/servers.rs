//! Whom to attack: A, B and a stock tonic B, or one that runs already.

use std::{net::SocketAddr, time::Duration};

use anyhow::{Context as _, bail};
use hostile_peer::client::{Attack, Target};

use super::case::Case;
use crate::{
    child::Child,
    grpc::{CALL_ECHO, ECHO},
    program::{Program, STOCK_TONIC},
};

/// How many connections are let in where their number is attacked.
pub const LIMIT: &str = "8";

/// What A and B are asked when they are asked well: the gRPC method and the plain path.
const A: (&str, &str) = (ECHO, "/echo");
const B: (&str, &str) = (CALL_ECHO, "/call-echo");

/// A, B, and a B as tonic's own guide has it, each with a narrow twin that lets few connections in.
pub struct Servers {
    a: Child,
    b: Child,
    stock: Child,
    narrow_a: Child,
    narrow_b: Child,
}

impl Servers {
    /// Starts all. Errors: one does not start.
    pub async fn start(program: &Program) -> anyhow::Result<Self> {
        let a = Child::start_on_free_port(program, "service-a", &[]).await?;
        let to_a = ["--service-a", &a.url()];
        let b = Child::start_on_free_port(program, "service-b", &to_a).await?;
        let stock = Child::start_on_free_port(program, STOCK_TONIC, &to_a).await?;
        let narrow_a = Child::start_on_free_port(program, "service-a", &["--max-connections", LIMIT]).await?;
        let narrow_b =
            Child::start_on_free_port(program, "service-b", &[&to_a[..], &["--max-connections", LIMIT]].concat())
                .await?;
        Ok(Servers { a, b, stock, narrow_a, narrow_b })
    }

    /// Our A and our B, as targets of that attack.
    pub fn ours(&self, case: &Case) -> [Target; 2] {
        let [a, b] = if case.is_about_connections() { [&self.narrow_a, &self.narrow_b] } else { [&self.a, &self.b] };
        [target(a.address(), A), target(b.address(), B)]
    }

    /// The stock tonic B. It has no limit of connections.
    pub fn stock(&self) -> Target {
        target(self.stock.address(), B)
    }

    /// Every process, to see that it still runs.
    pub fn children(&mut self) -> [&mut Child; 5] {
        [&mut self.a, &mut self.b, &mut self.stock, &mut self.narrow_a, &mut self.narrow_b]
    }
}

fn target(address: SocketAddr, (method, path): (&str, &str)) -> Target {
    Target::new(address, method, path)
}

/// How long the answer to a good call is waited for.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(5);

/// Whether an A or a B listens there: it is asked. Errors: neither does.
pub async fn whose(address: SocketAddr) -> anyhow::Result<Target> {
    let good: Attack = "good-call".parse()?;
    for face in [A, B] {
        let target = target(address, face);
        let seen =
            good.run_for(&target, ANSWER_TIMEOUT).await.with_context(|| format!("cannot connect to {address}"))?;
        let knows = seen.answer.is_some_and(|answer| answer.grpc_status().is_some_and(|status| status != 12));
        if knows {
            return Ok(target);
        }
    }
    bail!("neither service A nor service B answers at {address}")
}
