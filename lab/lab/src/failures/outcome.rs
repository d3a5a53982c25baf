//! What a caller of B got, on either face.

use std::{fmt, net::SocketAddr, time::Duration};

use http::HeaderMap;
use service_runtime::{origin::Origin, status::code_name};

use crate::{
    grpc::{self, GrpcClient},
    http::{self as plain, Ask},
};

/// How B is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Face {
    /// gRPC, as raw HTTP/2.
    Grpc,
    /// `GET /call-echo`, as curl does it.
    Json,
}

impl fmt::Display for Face {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Face::Grpc => "gRPC",
            Face::Json => "JSON",
        })
    }
}

/// What B is asked.
#[derive(Clone, Copy, Debug)]
pub struct Question {
    /// The message.
    pub msg: &'static str,
    /// `grpc-timeout`, as it goes out.
    pub timeout: Option<&'static str>,
}

/// What a caller got.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CallOutcome {
    /// The name of gRPC's code.
    pub code: String,
    /// The HTTP status; none over gRPC.
    pub http: Option<u16>,
    /// The reason; empty where none was given.
    pub reason: String,
    /// The hop that decided; empty where none was named.
    pub hop: String,
    /// The details, or A's own code.
    pub details: Option<String>,
    /// The sentence, or the text that came back.
    pub text: String,
    /// `grpc-retry-pushback-ms`.
    pub pushback: Option<String>,
    /// How often A was tried; only gRPC tells.
    pub attempts: Option<u32>,
    /// How long it took.
    pub took: Duration,
}

/// How long an answer is waited for.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(30);

impl Question {
    /// A call that goes well where nothing is wrong.
    pub const HELLO: Question = Question { msg: "hello", timeout: None };

    /// Asks B on a connection of its own. Errors: no whole answer.
    pub async fn ask(self, b: SocketAddr, face: Face, behavior: Option<&'static str>) -> anyhow::Result<CallOutcome> {
        self.ask_for(b, face, behavior, ANSWER_TIMEOUT).await
    }

    /// The same; waits at most `within` for the answer.
    pub async fn ask_for(
        self,
        b: SocketAddr,
        face: Face,
        behavior: Option<&'static str>,
        within: Duration,
    ) -> anyhow::Result<CallOutcome> {
        let timeout = self.timeout.map(|timeout| ("grpc-timeout", timeout));
        let behavior = behavior.map(|behavior| ("rpc-behavior", behavior));
        let headers: Vec<_> = timeout.into_iter().chain(behavior).collect();
        match face {
            Face::Grpc => {
                let caller = GrpcClient::connect(b, within).await?;
                Ok(CallOutcome::of_grpc(caller.call_echo(self.msg, &headers, within).await?))
            }
            Face::Json => {
                let path = if self.msg.is_empty() { "/call-echo" } else { "/call-echo?msg=hello" };
                let ask = Ask { headers, ..Ask::get(path) };
                Ok(CallOutcome::of_json(&plain::ask_for(b, &ask, within).await?))
            }
        }
    }
}

impl Question {
    /// Asks over a connection that is there. Errors: no whole answer within `within`.
    pub async fn ask_on(self, caller: &GrpcClient, within: Duration) -> anyhow::Result<CallOutcome> {
        let timeout = self.timeout.map(|timeout| ("grpc-timeout", timeout));
        let headers: Vec<_> = timeout.into_iter().collect();
        Ok(CallOutcome::of_grpc(caller.call_echo(self.msg, &headers, within).await?))
    }
}

impl CallOutcome {
    fn of_grpc(reply: grpc::Reply) -> Self {
        let grpc::Reply { status, headers, echo, took } = reply;
        let origin = Origin::of(&status).unwrap_or_default();
        CallOutcome {
            code: code_name(status.code()).into(),
            http: None,
            details: origin.details.or(origin.upstream_code),
            reason: origin.reason,
            hop: origin.hop,
            text: echo.unwrap_or_else(|| status.message().into()),
            pushback: pushback(&headers),
            attempts: origin.attempts,
            took,
        }
    }

    fn of_json(reply: &plain::Reply) -> Self {
        let body = reply.json();
        let word = |value: &serde_json::Value| value.as_str().unwrap_or_default().to_owned();
        let ok = reply.status == 200;
        CallOutcome {
            code: if ok { "OK".into() } else { word(&body["code"]) },
            http: Some(reply.status),
            reason: word(&body["reason"]),
            hop: String::new(),
            details: body["details"].as_str().map(str::to_owned),
            text: word(if ok { &body["service_a"]["echo"] } else { &body["error"] }),
            pushback: pushback(&reply.headers),
            attempts: None,
            took: reply.took,
        }
    }
}

fn pushback(headers: &HeaderMap) -> Option<String> {
    headers.get("grpc-retry-pushback-ms").and_then(|value| value.to_str().ok()).map(str::to_owned)
}

impl fmt::Display for CallOutcome {
    /// `503 · UNAVAILABLE · from service-b · SERVICE_A_TIMEOUT · no answer · 2002 ms`; what is not known is left out.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let hop = (!self.hop.is_empty()).then(|| format!("from {}", self.hop));
        let reason = (!self.reason.is_empty()).then(|| self.reason.clone());
        let http = self.http.map(|http| http.to_string());
        let words = [http, Some(self.code.clone()), hop, reason, self.details.clone()];
        let words: Vec<_> = words.into_iter().flatten().collect();
        write!(f, "{} · {} ms", words.join(" · "), self.took.as_millis())
    }
}
