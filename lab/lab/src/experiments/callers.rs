//! Callers of a B, ours or stock tonic's: many at once, and what came of their calls.

use std::{collections::BTreeMap, fmt, time::Duration};

use futures_util::future::join_all;

use crate::{
    child::Child,
    failures::{CallOutcome, Question},
    grpc::GrpcClient,
    program::{Program, STOCK_TONIC},
};

/// Whose B is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Whose {
    /// Ours, by the contract.
    Ours,
    /// tonic's guide's.
    Stock,
}

/// Both, ours first.
pub const BOTH: [Whose; 2] = [Whose::Ours, Whose::Stock];

/// B takes this number of calls at once on a connection.
const STREAMS: usize = 100;
/// Enough to reach every worker of B on a small machine.
const CONNECTIONS: usize = 4;
/// Longer than any deadline here: a call that has no answer then hangs.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(15);

impl Whose {
    /// Starts B, quiet, before A at `a`, with this cap on a call to A; `flags` are for ours alone. Errors: it does not start.
    pub async fn start(self, program: &Program, a: &str, cap: Duration, flags: &[&str]) -> anyhow::Result<Child> {
        let cap = cap.as_millis().to_string();
        let cap_ms = format!("{cap}ms");
        let to_a = ["--service-a", a];
        match self {
            Whose::Ours => {
                let flags = [&to_a[..], &["--log", "warn", "--service-a-timeout", &cap_ms], flags].concat();
                Child::start_on_free_port(program, "service-b", &flags).await
            }
            Whose::Stock => {
                let flags = [&to_a[..], &["--service-a-timeout-ms", &cap]].concat();
                Child::start_on_free_port(program, STOCK_TONIC, &flags).await
            }
        }
    }
}

impl fmt::Display for Whose {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if *self == Whose::Ours { "ours" } else { "stock tonic" })
    }
}

/// Callers with connections to B.
pub struct Callers(Vec<GrpcClient>);

impl Callers {
    /// Connects, for that number of calls at once. Errors: B does not take a connection.
    pub async fn connect(b: &Child, at_once: usize) -> anyhow::Result<Self> {
        let connections = at_once.div_ceil(STREAMS).max(CONNECTIONS);
        let connections = (0..connections).map(|_| GrpcClient::connect(b.address(), ANSWER_TIMEOUT));
        Ok(Callers(join_all(connections).await.into_iter().collect::<anyhow::Result<_>>()?))
    }

    /// Makes one call on one of the connections.
    pub async fn call(&self, number: usize, question: Question) -> anyhow::Result<CallOutcome> {
        self.call_for(number, question, ANSWER_TIMEOUT).await
    }

    /// The same; waits at most `within` for the answer.
    pub async fn call_for(&self, number: usize, question: Question, within: Duration) -> anyhow::Result<CallOutcome> {
        question.ask_on(&self.0[number % self.0.len()], within).await
    }

    /// Makes that number of calls at once.
    pub async fn all_at_once(&self, calls: usize, question: Question) -> Answers {
        let calls = (0..calls).map(|number| self.call(number, question));
        join_all(calls).await.into_iter().fold(Answers::default(), Answers::and)
    }
}

/// What came of many calls.
#[derive(Debug, Default)]
pub struct Answers {
    /// All of them, in no order; one without an answer is none.
    all: Vec<CallOutcome>,
    hang: usize,
}

impl Answers {
    /// These, and one more.
    pub fn and(mut self, answer: anyhow::Result<CallOutcome>) -> Self {
        self.add(answer);
        self
    }

    /// One more.
    pub fn add(&mut self, answer: anyhow::Result<CallOutcome>) {
        match answer {
            Ok(answer) => self.all.push(answer),
            Err(_) => self.hang += 1,
        }
    }

    /// How many there are.
    pub fn calls(&self) -> usize {
        self.all.len() + self.hang
    }

    /// How many did not go well.
    pub fn failed(&self) -> usize {
        self.calls() - self.count("OK", "")
    }

    /// How many ended with this code and reason.
    pub fn count(&self, code: &str, reason: &str) -> usize {
        self.all.iter().filter(|answer| (&*answer.code, &*answer.reason) == (code, reason)).count()
    }

    /// How many were answered within that time.
    pub fn within(&self, bound: Duration) -> usize {
        self.all.iter().filter(|answer| answer.took <= bound).count()
    }

    /// The longest that one took.
    pub fn slowest(&self) -> Duration {
        self.all.iter().map(|answer| answer.took).max().unwrap_or_default()
    }

    /// All of those that were answered.
    pub fn all(&self) -> &[CallOutcome] {
        &self.all
    }
}

impl fmt::Display for Answers {
    /// ` 800 | 792 | 2013 | 8 UNAVAILABLE SERVICE_A_TIMEOUT`: calls, OK, the slowest in milliseconds, and what the others got.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut failures = BTreeMap::<String, usize>::new();
        for CallOutcome { code, reason, .. } in self.all.iter().filter(|answer| answer.code != "OK") {
            *failures.entry(format!("{code} {reason}").trim_end().to_owned()).or_default() += 1;
        }
        if self.hang > 0 {
            failures.insert("without an answer".into(), self.hang);
        }
        let failures: Vec<String> = failures.iter().map(|(what, count)| format!("{count} {what}")).collect();
        let ok = self.count("OK", "");
        write!(f, "{:>5} | {ok:>5} | {:>6} | {}", self.calls(), self.slowest().as_millis(), failures.join(", "))
    }
}
