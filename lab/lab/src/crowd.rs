//! Fifty calls at once on one HTTP/2 connection, each with a text of its own.

use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use echo_proto::{
    CallEchoRequest, HealthRequest, call_echo_service_client::CallEchoServiceClient,
    health_service_client::HealthServiceClient,
};
use futures_util::future::join_all;
use tokio::{task::JoinHandle, time::timeout};
use tonic::{
    Response, Status,
    transport::{Channel, Endpoint},
};

/// How many make a crowd; B takes 100 streams on one connection.
pub const CROWD: usize = 50;
/// How long is waited for each step: the connection, a health check, and all the answers.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(10);

/// Fifty calls on their way.
pub struct Crowd {
    calls: JoinHandle<Vec<Result<String, Status>>>,
    start: Instant,
}

/// What became of them.
pub struct Outcome {
    /// How many got their own text.
    pub own_text: usize,
    /// The first that did not: what it got instead.
    pub failure: Option<String>,
    /// From the first call to the last answer.
    pub took: Duration,
}

impl Crowd {
    /// Sends the calls to B at `url` and returns once B has read them all. Errors: B does not answer.
    pub async fn send(url: &str) -> anyhow::Result<Crowd> {
        let endpoint = Endpoint::try_from(url.to_owned())?.connect_timeout(ANSWER_TIMEOUT);
        let channel = endpoint.connect().await.with_context(|| format!("cannot connect to {url}"))?;
        check(&channel).await?;
        let start = Instant::now();
        let calls = tokio::spawn(join_all((0..CROWD).map(|number| call(channel.clone(), format!("hello-{number}")))));
        // Tasks run in turn, and so do frames: a health check behind the crowd is answered after the crowd has been read. The
        // second time round, B's handlers have had their turn too, and A has been asked.
        for _ in 0..2 {
            tokio::task::yield_now().await;
            check(&channel).await?;
        }
        Ok(Crowd { calls, start })
    }

    /// Waits for all the answers. Errors: they have not all come within 10 s.
    pub async fn answers(self) -> anyhow::Result<Outcome> {
        let answers = timeout(ANSWER_TIMEOUT, self.calls).await.context("the calls are not over")??;
        let own = |(number, answer): (usize, &Result<String, Status>)| match answer {
            Ok(text) if *text == format!("hello-{number}") => None,
            Ok(text) => Some(format!("hello-{number} got {text}")),
            Err(status) => Some(format!("hello-{number} got {:?}: {}", status.code(), status.message())),
        };
        let failures: Vec<String> = answers.iter().enumerate().filter_map(own).collect();
        Ok(Outcome {
            own_text: answers.len() - failures.len(),
            failure: failures.into_iter().next(),
            took: self.start.elapsed(),
        })
    }
}

async fn call(channel: Channel, msg: String) -> Result<String, Status> {
    let answer = CallEchoServiceClient::new(channel).call_echo(CallEchoRequest { msg }).await;
    answer.map(Response::into_inner).map(|answer| answer.service_a.unwrap_or_default().echo)
}

async fn check(channel: &Channel) -> anyhow::Result<()> {
    let mut health = HealthServiceClient::new(channel.clone());
    let answer =
        timeout(ANSWER_TIMEOUT, health.check(HealthRequest {})).await.context("no answer to a health check")??;
    ensure!(answer.get_ref().status == "ok", "B is not healthy");
    Ok(())
}
