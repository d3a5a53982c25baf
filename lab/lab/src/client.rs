//! The real client as a child process, and what its `--output json` says.

use std::time::Duration;

use anyhow::Context as _;
use serde_json::Value;
use tokio::time::timeout;

use crate::pair::Pair;

/// How long the client may take to end; its own deadline is 5 s.
const CLIENT_TIMEOUT: Duration = Duration::from_secs(15);

/// What the client says of a call.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The code's name, such as `UNAVAILABLE`.
    pub code: String,
    /// Who decided it: `service-a`, `service-b` or `test-client`.
    pub hop: Option<String>,
    /// Why, such as `SERVICE_A_TIMEOUT`.
    pub reason: Option<String>,
    /// The answer, if there is one.
    pub response: Option<Value>,
    /// How long the call took, by the client's clock.
    pub took: Duration,
}

/// Runs the client with `arguments` against the pair. Errors: it does not end, or says nothing that can be read.
pub async fn run(pair: &Pair, arguments: &[&str]) -> anyhow::Result<Answer> {
    let mut command = pair.program.command("test-client");
    command.args(["--service-a", &pair.a.url(), "--service-b", &pair.b.url(), "--output", "json"]).args(arguments);
    command.stderr(std::process::Stdio::piped());
    // Waiting would close the standard input, which ties the client to the lab.
    let mut process = command.spawn().context("cannot start test-client")?;
    let _tie = process.stdin.take();
    let output = timeout(CLIENT_TIMEOUT, process.wait_with_output()).await.context("test-client does not end")??;
    let said = String::from_utf8_lossy(&output.stdout);
    let object: Value = serde_json::from_str(&said)
        .with_context(|| format!("test-client printed no JSON: {}", String::from_utf8_lossy(&output.stderr).trim()))?;
    read(&object).with_context(|| format!("test-client printed something else: {}", said.trim()))
}

fn read(object: &Value) -> Option<Answer> {
    let text = |value: &Value| value.as_str().map(str::to_owned);
    Some(Answer {
        code: text(&object["code"])?,
        hop: text(&object["origin"]["hop"]),
        reason: text(&object["origin"]["reason"]),
        response: Some(&object["response"]).filter(|response| !response.is_null()).cloned(),
        took: Duration::from_secs_f64(object["latency_ms"].as_f64()? / 1000.0),
    })
}

/// The command that a user would type.
pub fn typed(arguments: &[&str]) -> String {
    let words: Vec<String> = arguments.iter().map(|word| quoted(word)).collect();
    format!("cargo test-client {}", words.join(" "))
}

fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_alphanumeric() || "-_.:/".contains(c);
    match word.len() {
        0 => "''".into(),
        1..200 if word.chars().all(plain) => word.into(),
        1..200 => format!("'{word}'"),
        long => format!("\"$(head -c {long} /dev/zero | tr '\\0' x)\""),
    }
}
