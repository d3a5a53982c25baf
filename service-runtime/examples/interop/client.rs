//! The cases of gRPC's interop clients, by name, through our channel. Source: grpc/grpc, `doc/interop-test-descriptions.md`.
//!
//! The channel tells a failure of the server as its caller may know it: INTERNAL, with the server's own code beside it
//! (`upstream_code`) and without the server's message. So a case that wants a code finds it there.

use std::{pin::Pin, time::Duration};

use anyhow::{Context as _, bail, ensure};
use futures_util::{Stream, StreamExt as _, stream};
use http::uri::PathAndQuery;
use service_runtime::{
    Identity, Peer,
    client::{MethodKind, PeerChannel, Target, Upstream, UpstreamConfig, WorkerUpstream},
    context::Context,
    deadline::Deadline,
    origin::Origin,
};
use tokio::sync::mpsc;
use tonic::{Code, Request, Status, client::Grpc, codec::CompressionEncoding::Gzip, metadata::MetadataMap};
use tonic_prost::ProstCodec;

use super::interop::{
    BoolValue, DESCRIPTORS, EchoStatus, Empty, Payload, ResponseParameters, SimpleRequest, StreamingInputCallRequest,
    StreamingOutputCallRequest, test_service_client::TestServiceClient,
};

/// What is sent and what is asked for, in bytes.
const SENT: [usize; 4] = [27_182, 8, 1_828, 45_904];
const ASKED: [i32; 4] = [31_415, 9, 2_653, 58_979];

const CASES: [&str; 14] = [
    "empty_unary",
    "large_unary",
    "client_streaming",
    "server_streaming",
    "ping_pong",
    "empty_stream",
    "timeout_on_sleeping_server",
    "cancel_after_begin",
    "cancel_after_first_response",
    "status_code_and_message",
    "special_status_message",
    "custom_metadata",
    "unimplemented_method",
    "unimplemented_service",
];

/// Calls a server of gRPC's TestService.
#[derive(clap::Parser)]
pub struct Args {
    /// Where it is
    #[arg(long)]
    server: Target,
    /// Send compressed messages, and take them
    #[arg(long)]
    gzip: bool,
    /// The cases by name; all of gRPC's without one
    cases: Vec<String>,
}

/// Plays the cases, and says of each how it went. Errors: some have failed.
pub async fn run(args: Args) -> anyhow::Result<()> {
    let peer = Peer::new("interop-server").descriptors(DESCRIPTORS);
    let mut config = UpstreamConfig::new(vec![args.server]);
    config.max_message_size = 4 << 20;
    let upstream = Upstream::new(peer, config)?.connect(&Identity::new("interop-client", "grpc.testing"));
    let all = || CASES.map(ToOwned::to_owned).to_vec();
    let (mut failed, cases) = (0, if args.cases.is_empty() { all() } else { args.cases });
    for case in cases {
        let calls = Calls { upstream: upstream.clone(), context: Context::new(), gzip: args.gzip };
        match calls.play(&case).await {
            Ok(()) => println!("ok      {case}"),
            Err(error) => {
                println!("FAILED  {case}: {error:#}");
                failed += 1;
            }
        }
    }
    ensure!(failed == 0, "{failed} cases failed");
    Ok(())
}

struct Calls {
    upstream: WorkerUpstream,
    context: Context,
    gzip: bool,
}

fn payload(size: usize) -> Option<Payload> {
    Some(Payload { r#type: 0, body: vec![0; size] })
}

fn asks(size: i32) -> StreamingOutputCallRequest {
    let response_parameters = vec![ResponseParameters { size, ..Default::default() }];
    StreamingOutputCallRequest { response_parameters, payload: payload(1), ..Default::default() }
}

fn has(payload: Option<Payload>, size: i32) -> anyhow::Result<()> {
    let length = payload.map_or(0, |payload| payload.body.len());
    ensure!(i32::try_from(length) == Ok(size), "{length} bytes where {size} are right");
    Ok(())
}

/// The server's own code, as the channel passes it on.
fn failed_with<T>(answer: Result<T, Status>, code: &str) -> anyhow::Result<()> {
    let Err(status) = answer else { bail!("OK where {code} is right") };
    let upstream_code = Origin::of(&status).and_then(|origin| origin.upstream_code);
    let is_right = status.code() == Code::Internal && upstream_code.as_deref() == Some(code);
    ensure!(is_right, "{status:?} where INTERNAL of the server's {code} is right");
    Ok(())
}

type Requests = Pin<Box<dyn Stream<Item = StreamingOutputCallRequest> + Send>>;

/// A request stream that has begun: a server may wait for its first message before it answers anything.
async fn begun(first: StreamingOutputCallRequest) -> (mpsc::Sender<StreamingOutputCallRequest>, Requests) {
    let (requests, receiver) = mpsc::channel(1);
    let _ = requests.send(first).await;
    let stream = stream::unfold(receiver, |mut receiver| async { Some((receiver.recv().await?, receiver)) });
    (requests, Box::pin(stream))
}

impl Calls {
    fn client(&self) -> TestServiceClient<PeerChannel> {
        let client = TestServiceClient::new(self.upstream.channel(&self.context));
        if self.gzip { client.send_compressed(Gzip).accept_compressed(Gzip) } else { client }
    }

    async fn play(self, case: &str) -> anyhow::Result<()> {
        match case {
            "empty_unary" => self.client().empty_call(Empty {}).await.map(|_| ()).map_err(Into::into),
            "large_unary" => self.large_unary(None).await,
            "client_streaming" => self.client_streaming().await,
            "server_streaming" => self.server_streaming(None).await,
            "ping_pong" => self.ping_pong().await,
            "empty_stream" => self.empty_stream().await,
            "timeout_on_sleeping_server" => self.timeout_on_sleeping_server().await,
            "cancel_after_begin" => self.cancel_after_begin().await,
            "cancel_after_first_response" => self.cancel_after_first_response().await,
            "status_code_and_message" => self.status_code_and_message().await,
            "special_status_message" => {
                self.fails("\t\ntest with whitespace\r\nand Unicode BMP ☺ and non-BMP 😈\t\n").await
            }
            "custom_metadata" => self.custom_metadata().await,
            "unimplemented_method" => failed_with(self.client().unimplemented_call(Empty {}).await, "UNIMPLEMENTED"),
            "unimplemented_service" => self.unimplemented_service().await,
            // With messages that are compressed, and ones that are not.
            "server_compressed_unary" => {
                self.large_unary(Some(true)).await?;
                self.large_unary(Some(false)).await
            }
            "server_compressed_streaming" => self.server_streaming(Some(true)).await,
            _ => bail!("there is no such case; there is {}", CASES.join(", ")),
        }
    }

    async fn large_unary(&self, compressed: Option<bool>) -> anyhow::Result<()> {
        let request = SimpleRequest {
            response_size: 314_159,
            payload: payload(271_828),
            response_compressed: compressed.map(|value| BoolValue { value }),
            ..Default::default()
        };
        has(self.client().unary_call(request).await?.into_inner().payload, 314_159)
    }

    async fn client_streaming(&self) -> anyhow::Result<()> {
        let requests = SENT.map(|size| StreamingInputCallRequest { payload: payload(size), ..Default::default() });
        let sum = self.client().streaming_input_call(stream::iter(requests)).await?.into_inner();
        ensure!(sum.aggregated_payload_size == 74_922, "{sum:?}");
        Ok(())
    }

    async fn server_streaming(&self, compressed: Option<bool>) -> anyhow::Result<()> {
        let compressed = compressed.map(|value| BoolValue { value });
        let response_parameters =
            ASKED.map(|size| ResponseParameters { size, compressed, ..Default::default() }).to_vec();
        let request = StreamingOutputCallRequest { response_parameters, ..Default::default() };
        let mut answers = self.client().streaming_output_call(request).await?.into_inner();
        for size in ASKED {
            has(answers.message().await?.context("it ends early")?.payload, size)?;
        }
        ensure!(answers.message().await?.is_none(), "it does not end");
        Ok(())
    }

    async fn ping_pong(&self) -> anyhow::Result<()> {
        let request = |at: usize| StreamingOutputCallRequest { payload: payload(SENT[at]), ..asks(ASKED[at]) };
        let (requests, stream) = begun(request(0)).await;
        let mut answers = self.client().full_duplex_call(stream).await?.into_inner();
        for (at, size) in ASKED.into_iter().enumerate() {
            has(answers.message().await?.context("it ends early")?.payload, size)?;
            if at + 1 < ASKED.len() {
                requests.send(request(at + 1)).await?;
            }
        }
        drop(requests);
        ensure!(answers.message().await?.is_none(), "it does not end");
        Ok(())
    }

    async fn empty_stream(&self) -> anyhow::Result<()> {
        let mut answers = self.client().full_duplex_call(stream::empty()).await?.into_inner();
        ensure!(answers.message().await?.is_none(), "an answer to nothing");
        Ok(())
    }

    async fn timeout_on_sleeping_server(self) -> anyhow::Result<()> {
        // gRPC's own clients give it 1 ms; of that a service keeps 5 ms back, and no call would go out.
        let context = self.context.clone().with_deadline(Deadline::after(Duration::from_millis(100)));
        let request = StreamingOutputCallRequest { payload: payload(27_182), ..Default::default() };
        let requests = stream::iter([request]).chain(stream::pending());
        let answer = match (Calls { context, ..self }).client().full_duplex_call(requests).await {
            Ok(answers) => answers.into_inner().message().await,
            Err(status) => Err(status),
        };
        let code = answer.err().map(|status| status.code());
        ensure!(code == Some(Code::DeadlineExceeded), "{code:?}");
        Ok(())
    }

    /// To cancel a call is to drop it: nothing is left of it here, and the request stream is dropped with it.
    async fn cancel_after_begin(&self) -> anyhow::Result<()> {
        let (requests, receiver) = mpsc::channel(1);
        let stream = stream::unfold(receiver, |mut receiver| async { Some((receiver.recv().await?, receiver)) });
        let mut client = self.client();
        let call = tokio::spawn(async move { client.streaming_input_call(stream).await });
        // Its request stream is polled: the call is on its way.
        requests.send(StreamingInputCallRequest { payload: payload(1), ..Default::default() }).await?;
        call.abort();
        ensure!(call.await.is_err_and(|error| error.is_cancelled()), "it had ended");
        requests.closed().await;
        Ok(())
    }

    async fn cancel_after_first_response(&self) -> anyhow::Result<()> {
        let (requests, stream) = begun(asks(31_415)).await;
        let mut answers = self.client().full_duplex_call(stream).await?.into_inner();
        has(answers.message().await?.context("it ends early")?.payload, 31_415)?;
        drop(answers);
        requests.closed().await;
        Ok(())
    }

    async fn fails(&self, message: &str) -> anyhow::Result<()> {
        let response_status = Some(EchoStatus { code: 2, message: message.to_owned() });
        let request = SimpleRequest { response_status, ..Default::default() };
        failed_with(self.client().unary_call(request).await, "UNKNOWN")
    }

    async fn status_code_and_message(&self) -> anyhow::Result<()> {
        self.fails("test status message").await?;
        let response_status = Some(EchoStatus { code: 2, message: "test status message".into() });
        let request = StreamingOutputCallRequest { response_status, ..Default::default() };
        let answer = match self.client().full_duplex_call(stream::iter([request])).await {
            Ok(answers) => answers.into_inner().message().await.map(drop),
            Err(status) => Err(status),
        };
        failed_with(answer, "UNKNOWN")
    }

    async fn custom_metadata(&self) -> anyhow::Result<()> {
        let mut request = Request::new(SimpleRequest { response_size: 1, payload: payload(1), ..Default::default() });
        *request.metadata_mut() = metadata()?;
        let answer = self.client().unary_call(request).await?;
        is_echoed(answer.metadata(), answer.metadata())?;

        let (requests, stream) = begun(asks(1)).await;
        let mut request = Request::new(stream);
        *request.metadata_mut() = metadata()?;
        let answer = self.client().full_duplex_call(request).await?;
        let initial = answer.metadata().clone();
        let mut answers = answer.into_inner();
        has(answers.message().await?.context("it ends early")?.payload, 1)?;
        drop(requests);
        ensure!(answers.message().await?.is_none(), "it does not end");
        is_echoed(&initial, &answers.trailers().await?.context("no trailers")?)
    }

    async fn unimplemented_service(&self) -> anyhow::Result<()> {
        let mut grpc = Grpc::new(self.upstream.channel(&self.context));
        grpc.ready().await?;
        let mut request = Request::new(Empty {});
        // No descriptor tells the channel what it is.
        request.extensions_mut().insert(MethodKind::UNARY);
        let path = PathAndQuery::from_static("/grpc.testing.UnimplementedService/UnimplementedCall");
        failed_with(grpc.unary::<_, Empty, _>(request, path, ProstCodec::default()).await, "UNIMPLEMENTED")
    }
}

const INITIAL: (&str, &str) = ("x-grpc-test-echo-initial", "test_initial_metadata_value");
const TRAILING: (&str, &[u8]) = ("x-grpc-test-echo-trailing-bin", b"\xab\xab\xab");

fn metadata() -> anyhow::Result<MetadataMap> {
    let mut metadata = MetadataMap::new();
    metadata.insert(INITIAL.0, INITIAL.1.parse()?);
    metadata.insert_bin(TRAILING.0, tonic::metadata::MetadataValue::from_bytes(TRAILING.1));
    Ok(metadata)
}

fn is_echoed(initial: &MetadataMap, trailing: &MetadataMap) -> anyhow::Result<()> {
    ensure!(initial.get(INITIAL.0).is_some_and(|value| value == INITIAL.1), "before the answer: {initial:?}");
    let value = trailing.get_bin(TRAILING.0).and_then(|value| value.to_bytes().ok());
    ensure!(value.as_deref() == Some(TRAILING.1), "after the answer: {trailing:?}");
    Ok(())
}
