//! gRPC's TestService, for the interop clients of other languages: see `.ci/interop`.
//!
//!     cargo run -p service-runtime --features cli,gzip --example interop -- --max-message-size 4MiB
//!
//! And gRPC's interop cases through our channel, against the interop server of any language:
//!
//!     cargo run -p service-runtime --features cli,gzip --example interop -- call --server http://127.0.0.1:8092

#[path = "interop/client.rs"]
mod client;
#[path = "generated/interop.rs"]
mod interop;

use std::{pin::Pin, process::ExitCode, time::Duration};

use futures_util::{Stream, StreamExt as _, future::BoxFuture, stream};
use http::HeaderName;
use http_body_util::BodyExt as _;
use interop::{
    BoolValue, DESCRIPTORS, EchoStatus, Empty, Payload, ResponseParameters, SimpleRequest, SimpleResponse,
    StreamingInputCallRequest, StreamingInputCallResponse, StreamingOutputCallRequest, StreamingOutputCallResponse,
    test_service_server::{TestService, TestServiceServer},
};
use service_runtime::{Address, Identity, Server, Services, Shutdown, cli};
use tokio::time::sleep;
use tonic::{Code, Request, Response, Status, Streaming, body::Body, codec::CompressionEncoding};
use tower::{Layer, Service};

/// Metadata that is to come back before the answer, and after it.
const INITIAL: HeaderName = HeaderName::from_static("x-grpc-test-echo-initial");
const TRAILING: HeaderName = HeaderName::from_static("x-grpc-test-echo-trailing-bin");

struct Interop;

type Messages = Pin<Box<dyn Stream<Item = Result<StreamingOutputCallResponse, Status>> + Send>>;

fn payload(size: i32) -> Result<Option<Payload>, Status> {
    let size = usize::try_from(size).map_err(|_| Status::invalid_argument("a size below zero"))?;
    Ok(Some(Payload { r#type: 0, body: vec![0; size] }))
}

/// The failure that is wanted.
fn wanted(status: Option<EchoStatus>) -> Result<(), Status> {
    match status {
        Some(status) if status.code != 0 => Err(Status::new(Code::from(status.code), status.message)),
        _ => Ok(()),
    }
}

/// The messages that are asked for, one after the other.
fn messages(wanted: Vec<ResponseParameters>) -> impl Stream<Item = Result<StreamingOutputCallResponse, Status>> + Send {
    stream::iter(wanted).then(|wanted| async move {
        sleep(Duration::from_micros(wanted.interval_us.try_into().unwrap_or(0))).await;
        Ok(StreamingOutputCallResponse { payload: payload(wanted.size)? })
    })
}

#[tonic::async_trait]
impl TestService for Interop {
    async fn empty_call(&self, _: Request<Empty>) -> Result<Response<Empty>, Status> {
        Ok(Response::new(Empty {}))
    }

    async fn unary_call(&self, request: Request<SimpleRequest>) -> Result<Response<SimpleResponse>, Status> {
        let request = request.into_inner();
        wanted(request.response_status)?;
        let mut response = Response::new(SimpleResponse { payload: payload(request.response_size)? });
        if request.response_compressed == Some(BoolValue { value: false }) {
            response.disable_compression();
        }
        Ok(response)
    }

    type StreamingOutputCallStream = Messages;

    async fn streaming_output_call(
        &self,
        request: Request<StreamingOutputCallRequest>,
    ) -> Result<Response<Messages>, Status> {
        let request = request.into_inner();
        let end = stream::iter(wanted(request.response_status).err().map(Err));
        Ok(Response::new(Box::pin(messages(request.response_parameters).chain(end))))
    }

    async fn streaming_input_call(
        &self,
        request: Request<Streaming<StreamingInputCallRequest>>,
    ) -> Result<Response<StreamingInputCallResponse>, Status> {
        let (mut requests, mut size) = (request.into_inner(), 0);
        while let Some(request) = requests.message().await? {
            size += request.payload.map_or(0, |payload| payload.body.len());
        }
        let aggregated_payload_size = i32::try_from(size).map_err(|_| Status::out_of_range("2 GiB and more"))?;
        Ok(Response::new(StreamingInputCallResponse { aggregated_payload_size }))
    }

    type FullDuplexCallStream = Messages;

    async fn full_duplex_call(
        &self,
        request: Request<Streaming<StreamingOutputCallRequest>>,
    ) -> Result<Response<Messages>, Status> {
        let answers = request.into_inner().flat_map(|request| -> Messages {
            match request.and_then(|request| wanted(request.response_status).map(|()| request.response_parameters)) {
                Ok(wanted) => Box::pin(messages(wanted)),
                Err(status) => Box::pin(stream::iter([Err(status)])),
            }
        });
        Ok(Response::new(Box::pin(answers)))
    }

    async fn unimplemented_call(&self, _: Request<Empty>) -> Result<Response<Empty>, Status> {
        Err(Status::unimplemented("as its name says"))
    }
}

/// A layer, for tonic's handlers have no say in the trailers of an answer that is OK.
#[derive(Clone)]
struct EchoMetadata;

#[derive(Clone)]
struct EchoesMetadata<S>(S);

impl<S> Layer<S> for EchoMetadata {
    type Service = EchoesMetadata<S>;

    fn layer(&self, inner: S) -> Self::Service {
        EchoesMetadata(inner)
    }
}

impl<S> Service<http::Request<Body>> for EchoesMetadata<S>
where
    S: Service<http::Request<Body>, Response = http::Response<Body>, Future: Send + 'static>,
{
    type Response = http::Response<Body>;
    type Error = S::Error;
    type Future = BoxFuture<'static, Result<Self::Response, S::Error>>;

    fn poll_ready(&mut self, cx: &mut std::task::Context<'_>) -> std::task::Poll<Result<(), S::Error>> {
        self.0.poll_ready(cx)
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        let initial = request.headers().get(INITIAL).cloned();
        let trailing = request.headers().get(TRAILING).cloned();
        let answer = self.0.call(request);
        Box::pin(async move {
            let mut answer = answer.await?;
            answer.headers_mut().extend(initial.map(|value| (INITIAL, value)));
            Ok(answer.map(|body| {
                Body::new(body.map_frame(move |mut frame| {
                    if let Some(trailers) = frame.trailers_mut() {
                        trailers.extend(trailing.clone().map(|value| (TRAILING, value)));
                    }
                    frame
                }))
            }))
        })
    }
}

/// gRPC's TestService.
#[derive(clap::Parser)]
struct Args {
    /// Where to listen
    #[arg(long, default_value = "127.0.0.1:8092", value_parser = cli::address)]
    listen: Address,
    #[command(flatten)]
    server: cli::ServerFlags,
}

fn main() -> ExitCode {
    if std::env::args_os().nth(1).is_some_and(|first| first == "call") {
        return call();
    }
    let identity = Identity::new("interop", "grpc.testing");
    cli::run(&identity.clone(), "INTEROP", |args: Args, shutdown: Shutdown| async move {
        let listener = args.server.bind(args.listen)?;
        let services = |_: &_| {
            let service = TestServiceServer::new(Interop)
                .accept_compressed(CompressionEncoding::Gzip)
                .send_compressed(CompressionEncoding::Gzip)
                .max_decoding_message_size(usize::MAX);
            Services::new().add(service)
        };
        let server = Server::new(identity, DESCRIPTORS).config(args.server.into()).layer(EchoMetadata);
        server.serve(listener, services, shutdown).await
    })
}

fn call() -> ExitCode {
    let args = match cli::parse("INTEROP", std::env::args_os().skip(1)) {
        Ok(args) => args,
        Err(code) => return code,
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    match runtime.map_err(Into::into).and_then(|runtime| runtime.block_on(client::run(args))) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
