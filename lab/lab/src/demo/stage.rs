//! What a suite plays on: the pair, the report, and one function for each kind of step.

use std::net::SocketAddr;

use super::{
    expect::{Expect, Facts},
    report::Report,
};
use crate::{
    child::line_with,
    client,
    http::{self, Ask},
    pair::Pair,
};

/// The pair and the report.
pub struct Stage {
    /// The services. A suite leaves them running.
    pub pair: Pair,
    /// What has come so far.
    pub report: Report,
}

/// The default ports, for the commands that a user would type.
const PORT_A: u16 = 8080;
const PORT_B: u16 = 8081;

impl Stage {
    /// Tells who plays, and how to read the rest.
    pub fn header(&self) {
        let Pair { a, b, .. } = &self.pair;
        self.report
            .say("caller ─▶ B ─▶ A      A echoes. B asks A, and says what became of it, whatever becomes of A.\n");
        self.report.say(format_args!("A  {}   pid {}", a.url(), a.pid().unwrap_or_default()));
        self.report.say(format_args!("B  {}   pid {}", b.url(), b.pid().unwrap_or_default()));
        self.report.say("\nThese are real processes on free ports. The commands name the default ports, 8080 and 8081, as you would");
        self.report
            .say("type them; $A and $B are the process ids. `cargo lab up` runs the pair for you to try the same.");
    }

    /// Tells what is done to the pair; nothing is checked.
    pub fn act(&self, command: &str, why: &str) {
        self.report.command(command, why);
    }

    /// Runs the client.
    pub async fn client(&mut self, arguments: &[&str], why: &str, expected: &Expect) {
        self.report.command(&client::typed(arguments), why);
        let came = client::run(&self.pair, arguments).await;
        self.report.result(expected, came.map(Facts::from));
    }

    /// Asks A over plain HTTP.
    pub async fn curl_a(&mut self, ask: Ask, why: &str, expected: &Expect) {
        self.curl(self.pair.a.address(), PORT_A, &ask, why, expected).await;
    }

    /// Asks B over plain HTTP.
    pub async fn curl_b(&mut self, ask: Ask, why: &str, expected: &Expect) {
        self.curl(self.pair.b.address(), PORT_B, &ask, why, expected).await;
    }

    async fn curl(&mut self, to: SocketAddr, port: u16, ask: &Ask, why: &str, expected: &Expect) {
        self.report.command(&ask.curl(port), why);
        let came = http::ask(to, ask).await;
        self.report.result(expected, came.map(Facts::from));
    }

    /// Kills A, and waits until B has noticed: a call that is quicker would be lost with the connection, and told so.
    pub async fn kill_a(&mut self, why: &str) -> anyhow::Result<()> {
        self.act("kill -9 $A", why);
        let mut log = self.pair.b.log_from_now();
        self.pair.a.kill().await?;
        line_with(&mut log, "state=transient_failure").await.map(drop)
    }

    /// Starts A again on its port and waits until B gets through to it; checks nothing.
    pub async fn bring_a_back(&mut self) -> anyhow::Result<()> {
        self.act("cargo service-a", "A is back on its port");
        self.pair.restart_a().await?;
        self.pair.recovered().await.map(drop)
    }
}
