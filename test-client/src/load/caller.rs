//! One call of many: a text of its own, and what came of it in three words: code, hop, reason.

use std::{cell::Cell, time::Duration};

use clap::ValueEnum;
use echo_proto::{
    CallEchoRequest, EchoRequest, call_echo_service_client::CallEchoServiceClient,
    echo_service_client::EchoServiceClient,
};
use http::{HeaderMap, HeaderValue};
use service_runtime::{
    client::Checked,
    context::{BEHAVIOR_IGNORED, served_by},
    deadline::{self, Deadline},
    status::Cause,
};
use tonic::{Code, Request, Response, Status};

use super::{links::Links, outcome::Outcome};
use crate::{
    call::MAX_MESSAGE,
    failure::origin_of,
    options::{SERVICE_A, SERVICE_B, TEST_CLIENT},
};

/// How long the part of a text is that no other has: the run, a dash, the number.
pub const OWN_TEXT: usize = 24;

/// The calls that `load` can make.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Kind {
    /// Service A's Echo
    Echo,
    /// Service B's CallEcho
    CallEcho,
}

impl Kind {
    /// As on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Kind::Echo => "echo",
            Kind::CallEcho => "call-echo",
        }
    }

    /// Whom it calls.
    pub fn service(self) -> &'static str {
        match self {
            Kind::Echo => SERVICE_A,
            Kind::CallEcho => SERVICE_B,
        }
    }
}

/// What all calls of a thread have in common.
pub struct Caller {
    /// Where they go.
    pub links: Links,
    /// Which call it is.
    pub kind: Kind,
    /// The deadline of each.
    pub timeout: Duration,
    /// What goes out with each.
    pub metadata: HeaderMap,
    /// How long each message is.
    pub size: usize,
    /// What tells the texts of this run from those of another.
    pub run: u32,
}

/// What came of a call.
pub struct Answer {
    /// In three words.
    pub outcome: Outcome,
    /// The header `served-by`, where there was an answer that had one.
    pub served_by: Option<HeaderValue>,
    /// Whether the answer says that what `rpc-behavior` asks for was not done.
    pub ignores_behavior: bool,
    /// Whether there was a connection to send it on.
    pub sent: bool,
}

impl Caller {
    /// Makes call number `number`; it ends by its deadline.
    pub async fn call(&self, number: u64) -> Answer {
        let deadline = Deadline::after(self.timeout);
        let sent = Cell::new(false);
        match deadline::keep(Some(deadline), self.exchange(number, deadline, &sent)).await {
            Ok(answer) => answer,
            Err(deadline::Passed) if sent.get() => Answer::failed(own(Cause::Deadline)),
            Err(deadline::Passed) => {
                Answer::not_sent(Outcome::new(Code::DeadlineExceeded, TEST_CLIENT, "connect timeout"))
            }
        }
    }

    async fn exchange(&self, number: u64, deadline: Deadline, sent: &Cell<bool>) -> Answer {
        let msg = self.text(number);
        let mut refused = false;
        let reply = loop {
            let connection = match self.links.pick().await {
                Ok(connection) => connection,
                Err(cause) => return Answer::not_sent(own(cause)),
            };
            sent.set(true);
            let reply = self.send(Checked::new(connection.clone(), MAX_MESSAGE), msg.clone(), deadline).await;
            // What was never sent, or not looked at, goes over another connection: any gRPC client does that (gRFC A6).
            match reply.as_ref().err().map(Cause::of) {
                Some(Cause::NeverSent) => connection.gone().await,
                Some(Cause::GoingAway) if !std::mem::replace(&mut refused, true) => {}
                _ => break reply,
            }
        };
        match reply {
            Ok(reply) => {
                let outcome = if reply.get_ref() == &msg { Outcome::OK } else { Outcome::SWAPPED };
                Answer::ended(outcome, reply.metadata().as_ref())
            }
            Err(status) => Answer::ended(self.failed(&status), status.metadata().as_ref()),
        }
    }

    /// The text that came back; one that is not there is an empty one, which is no call's own.
    async fn send(&self, channel: Checked, msg: String, deadline: Deadline) -> Result<Response<String>, Status> {
        // The channel holds the limit; that of the generated code is 4 MiB.
        let any = usize::MAX;
        Ok(match self.kind {
            Kind::Echo => {
                let request = self.request(EchoRequest { msg }, deadline);
                let mut client = EchoServiceClient::new(channel).max_decoding_message_size(any);
                client.echo(request).await?.map(|reply| reply.echo)
            }
            Kind::CallEcho => {
                let request = self.request(CallEchoRequest { msg }, deadline);
                let mut client = CallEchoServiceClient::new(channel).max_decoding_message_size(any);
                let reply = client.call_echo(request).await?;
                reply.map(|reply| reply.service_a.unwrap_or_default().echo)
            }
        })
    }

    fn request<M>(&self, message: M, deadline: Deadline) -> Request<M> {
        let mut request = Request::new(message);
        deadline.set_on(&mut request);
        request.metadata_mut().as_mut().extend(self.metadata.clone());
        request
    }

    fn text(&self, number: u64) -> String {
        let own = format!("{:08x}-{number:015}", self.run);
        // Not by a width in the format: that is 65,535 at most, and panics above.
        format!("{own}{}", ".".repeat(self.size.saturating_sub(own.len())))
    }

    fn failed(&self, status: &Status) -> Outcome {
        let cause = Cause::of(status);
        let Cause::Answered(_) = cause else { return own(cause) };
        let origin = origin_of(status, self.kind.service());
        Outcome::new(cause.code(), &origin.hop, &origin.reason)
    }
}

impl Answer {
    fn ended(outcome: Outcome, metadata: &HeaderMap) -> Self {
        let ignores_behavior = metadata.contains_key(BEHAVIOR_IGNORED);
        Answer { outcome, served_by: served_by(metadata), ignores_behavior, sent: true }
    }

    fn failed(outcome: Outcome) -> Self {
        Self::ended(outcome, &HeaderMap::new())
    }

    fn not_sent(outcome: Outcome) -> Self {
        Answer { sent: false, ..Answer::failed(outcome) }
    }
}

/// A failure that the client itself decided; in place of a reason it has a word for each cause.
fn own(cause: Cause) -> Outcome {
    // tonic keeps a clock beside ours, on the same deadline: whichever is first, there was no answer.
    let cause = if cause == Cause::Deadline { Cause::Timeout } else { cause };
    Outcome::new(cause.code(), TEST_CLIENT, &cause.to_string())
}
