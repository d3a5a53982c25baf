//! One call: connect, send, wait. All of it sits within one deadline, that of the `grpc-timeout` that goes out.

use std::{cell::Cell, time::Duration};

use clap::Subcommand;
use echo_proto::{
    CallEchoRequest, CallEchoResponse, EchoRequest, HealthRequest, call_echo_service_client::CallEchoServiceClient,
    echo_service_client::EchoServiceClient, health_service_client::HealthServiceClient,
};
use http::HeaderMap;
use serde_json::{Value, json};
use service_runtime::{
    client::{
        AnswerMetadata, Backoff, Checked, Heard, Sockets, SystemResolver,
        connection::{Connection, Opening},
        dial_any,
    },
    context::{PREVIOUS_ATTEMPTS, SENT_ATTEMPTS, served_by},
    deadline::{self, Deadline},
    status::Cause,
};
use tokio::time::{Instant, sleep};
use tonic::{Code, Request, Response, Status};

use crate::{
    failure::Failure,
    headers::MetadataFlags,
    options::{CallOptions, SERVICE_A, SERVICE_B},
};

/// How long to try to connect where the deadline is further away: gRPC's MIN_CONNECT_TIMEOUT.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(20);

/// The largest answer that is taken, in bytes. gRPC's default of 4 MiB is less than what a server may be told to take
/// (`--max-message-size`); without any limit, a hostile answer would fill the memory.
pub const MAX_MESSAGE: usize = 64 * 1024 * 1024;

/// The calls there are.
#[derive(Debug, Subcommand)]
pub enum Single {
    /// Ask service A how it is
    HealthA(MetadataFlags),
    /// Ask service B how it is
    HealthB(MetadataFlags),
    /// Have service A echo a message
    Echo(Message),
    /// Have service B ask service A to echo a message
    CallEcho(Message),
}

/// What is to be echoed.
#[derive(Debug, clap::Args)]
pub struct Message {
    /// The message; after `--` it may begin with a dash
    #[arg(value_name = "MESSAGE")]
    pub msg: String,

    #[command(flatten)]
    metadata: MetadataFlags,
}

/// What came of a call.
pub struct Outcome {
    /// The answer, or why there is none.
    pub result: Result<Answer, Failure>,
    /// The metadata that was sent; empty where nothing was.
    pub sent: HeaderMap,
    /// The metadata that came back, whatever came of the call.
    pub received: AnswerMetadata,
    /// How often the service was tried that was to answer in the end, where that is known.
    pub attempts: Option<u32>,
    /// From before connecting until all was known.
    pub latency: Duration,
    /// What the call was given.
    pub timeout: Duration,
}

/// An answer with code OK.
pub struct Answer {
    /// The response message in the lab's form.
    pub message: Value,
}

impl Single {
    /// The name of the service that it calls.
    pub fn service(&self) -> &'static str {
        match self {
            Single::HealthA(_) | Single::Echo(_) => SERVICE_A,
            Single::HealthB(_) | Single::CallEcho(_) => SERVICE_B,
        }
    }

    /// The metadata, to send and to expect, that was given after the command.
    pub fn metadata(&self) -> &MetadataFlags {
        match self {
            Single::HealthA(metadata) | Single::HealthB(metadata) => metadata,
            Single::Echo(message) | Single::CallEcho(message) => &message.metadata,
        }
    }
}

impl Outcome {
    /// The code of the call.
    pub fn code(&self) -> Code {
        self.result.as_ref().map_or_else(|failure| failure.code, |_| Code::Ok)
    }

    /// The failure, where it is one.
    pub fn failure(&self) -> Option<&Failure> {
        self.result.as_ref().err()
    }

    /// Who answered, last hop last.
    pub fn served_by(&self) -> Option<String> {
        let AnswerMetadata { headers, trailers } = &self.received;
        Some(served_by(headers).or_else(|| served_by(trailers))?.to_str().ok()?.to_owned())
    }
}

/// Makes the call.
pub async fn make(call: &Single, options: &CallOptions) -> Outcome {
    let started = Instant::now();
    let mut sent = HeaderMap::new();
    let metadata = options.metadata.clone();
    // A `grpc-timeout` given by hand also says how long to wait; one that cannot be read goes out as it is.
    let given = Deadline::read(&metadata).ok().flatten();
    let deadline = given.unwrap_or_else(|| Deadline::after(options.timeout));
    let waits = Cell::new(Waits::ToConnect(None));
    let heard = Heard::default();
    let out = Outgoing { metadata, deadline, sent: &mut sent, heard: heard.clone() };
    let exchange = exchange(call, options, out, &waits);
    let result = match deadline::keep(Some(deadline), exchange).await {
        Ok(result) => result,
        Err(deadline::Passed) if deadline.timeout().is_zero() => Err(Failure::too_late()),
        Err(deadline::Passed) => Err(match waits.get() {
            Waits::ToConnect(last) => Failure::never_connected(last, &options.called),
            Waits::ForAnAnswer => Failure::own(Cause::Deadline, &options.called),
        }),
    };
    let received = heard.metadata();
    let attempts = attempts(call, &result, &received);
    Outcome { result, sent, received, attempts, latency: started.elapsed(), timeout: deadline.timeout() }
}

/// By the word of the hop that decided a failure, or of B, or of a proxy that makes calls again (gRFC A6). What no hop passes on was
/// tried once, by the client.
fn attempts(call: &Single, result: &Result<Answer, Failure>, received: &AnswerMetadata) -> Option<u32> {
    let number = |name| received.value(&name)?.to_str().ok()?.parse::<u32>().ok();
    let of_failure = result.as_ref().err().and_then(|failure| failure.origin.attempts);
    let by_a_proxy = || Some(number(PREVIOUS_ATTEMPTS)?.saturating_add(1));
    let is_answered = !received.headers.is_empty() || !received.trailers.is_empty();
    let directly = || (is_answered && !matches!(call, Single::CallEcho(_))).then_some(1);
    of_failure.or_else(|| number(SENT_ATTEMPTS)).or_else(by_a_proxy).or_else(directly)
}

/// What a call waits for.
#[derive(Clone, Copy)]
enum Waits {
    /// There is no connection yet; why the last try failed, where one has.
    ToConnect(Option<Cause>),
    /// Somebody has taken the connection.
    ForAnAnswer,
}

async fn exchange(
    call: &Single,
    options: &CallOptions,
    out: Outgoing<'_>,
    waits: &Cell<Waits>,
) -> Result<Answer, Failure> {
    let connected = match options.wait_for_ready {
        false => connect(options, || waits.set(Waits::ForAnAnswer)).await,
        true => Ok(connected(options, waits).await),
    };
    let connection = connected.map_err(|cause| Failure::own(cause, &options.called))?;
    let channel = Checked::new(connection.clone(), MAX_MESSAGE).noting(out.heard.clone());
    let answer = send(call, channel, out).await;
    answer.map_err(|status| Failure::of(&status, &options.called))
}

/// Tries until there is a connection (gRPC's "wait for ready"); the deadline ends it.
async fn connected(options: &CallOptions, waits: &Cell<Waits>) -> Connection {
    let mut backoff = Backoff::default();
    loop {
        match connect(options, || waits.set(Waits::ForAnAnswer)).await {
            Ok(connection) => return connection,
            Err(cause) => waits.set(Waits::ToConnect(Some(cause))),
        }
        sleep(backoff.next_pause()).await;
    }
}

/// One try to connect, to whichever address of the target answers first; `dialled` is called once one has.
pub async fn connect(options: &CallOptions, dialled: impl FnOnce()) -> Result<Connection, Cause> {
    let dial = async { dial_any(&options.called.target, &SystemResolver, &Sockets).await.inspect(|_| dialled()) };
    Connection::open(dial, Opening::new(options.authority.clone(), CONNECT_TIMEOUT)).await
}

async fn send(call: &Single, channel: Checked, out: Outgoing<'_>) -> Result<Answer, Status> {
    // The channel holds the limit; that of the generated code is 4 MiB.
    let any = usize::MAX;
    Ok(match call {
        Single::HealthA(_) | Single::HealthB(_) => {
            let reply = HealthServiceClient::new(channel).check(out.request(HealthRequest {})).await?;
            Answer::of(reply, |reply| json!({"status": reply.status}))
        }
        Single::Echo(message) => {
            let request = out.request(EchoRequest { msg: message.msg.clone() });
            let reply = EchoServiceClient::new(channel).max_decoding_message_size(any).echo(request).await?;
            Answer::of(reply, |reply| json!({"echo": reply.echo}))
        }
        Single::CallEcho(message) => {
            let request = out.request(CallEchoRequest { msg: message.msg.clone() });
            let reply = CallEchoServiceClient::new(channel).max_decoding_message_size(any).call_echo(request).await?;
            Answer::of(reply, call_echo)
        }
    })
}

fn call_echo(reply: CallEchoResponse) -> Value {
    let service_a = reply.service_a.map(|reply| json!({"echo": reply.echo}));
    json!({"service_b": reply.service_b, "service_a": service_a})
}

impl Answer {
    fn of<M>(reply: Response<M>, message: impl FnOnce(M) -> Value) -> Self {
        Answer { message: message(reply.into_inner()) }
    }
}

/// What goes out with the request message.
struct Outgoing<'a> {
    metadata: HeaderMap,
    deadline: Deadline,
    /// Where to note what was sent, for a call that never returns.
    sent: &'a mut HeaderMap,
    /// Where to note what came back.
    heard: Heard,
}

impl Outgoing<'_> {
    fn request<M>(self, message: M) -> Request<M> {
        let mut request = Request::new(message);
        self.deadline.set_on(&mut request);
        let headers = request.metadata_mut().as_mut();
        // Replaces: a `grpc-timeout` of the user's own wins.
        headers.extend(self.metadata);
        self.sent.clone_from(headers);
        request
    }
}
