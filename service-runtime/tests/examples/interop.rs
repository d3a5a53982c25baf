//! `examples/interop.rs`: what of gRPC's TestService other languages ask is asked by `.ci/interop`; here, that it runs.

use std::{
    process::Command,
    sync::{
        Arc,
        atomic::{AtomicU8, Ordering},
    },
};

use http_body_util::BodyExt as _;
use proto::{
    BoolValue, EchoStatus, Payload, ResponseParameters, SimpleRequest, StreamingOutputCallRequest,
    test_service_client::TestServiceClient,
};
use tonic::{Code, Request, body::Body, codec::CompressionEncoding, transport::Channel};
use tower::ServiceExt as _;

use crate::process::{Example, program};

#[path = "../../examples/generated/interop.rs"]
mod proto;

fn start() -> Example {
    Example::start("interop", &["--listen", "127.0.0.1:0", "--max-message-size", "4MiB"])
}

async fn connect(example: &Example) -> Channel {
    Channel::from_shared(format!("http://{}", example.address)).unwrap().connect().await.unwrap()
}

#[tokio::test]
async fn answers_with_sizes_statuses_and_metadata_as_asked_compressed_or_not() {
    let example = start();
    let plain = TestServiceClient::new(connect(&example).await).accept_compressed(CompressionEncoding::Gzip);
    for mut client in [plain.clone(), plain.send_compressed(CompressionEncoding::Gzip)] {
        let payload = Payload { r#type: 0, body: vec![0; 271_828] };
        let wanted = SimpleRequest { response_size: 314_159, payload: Some(payload), ..Default::default() };
        let mut request = Request::new(wanted);
        request.metadata_mut().insert("x-grpc-test-echo-initial", "initial".parse().unwrap());
        let answer = client.unary_call(request).await.unwrap();
        assert_eq!(answer.metadata().get("x-grpc-test-echo-initial").unwrap(), "initial");
        assert_eq!(answer.into_inner().payload.unwrap().body.len(), 314_159);

        let response_status = Some(EchoStatus { code: 2, message: "\t\ntest with whitespace\r\n☺".into() });
        let failed = client.unary_call(SimpleRequest { response_status, ..Default::default() }).await.unwrap_err();
        assert_eq!((failed.code(), failed.message()), (Code::Unknown, "\t\ntest with whitespace\r\n☺"));

        let sizes = [31_415, 9, 2_653, 58_979];
        let response_parameters = sizes.map(|size| ResponseParameters { size, ..Default::default() }).to_vec();
        let wanted = StreamingOutputCallRequest { response_parameters, ..Default::default() };
        let mut answers = client.streaming_output_call(wanted).await.unwrap().into_inner();
        for size in sizes {
            let body = answers.message().await.unwrap().unwrap().payload.unwrap().body;
            assert_eq!(i32::try_from(body.len()), Ok(size));
        }
        assert!(answers.message().await.unwrap().is_none());
    }
}

#[tokio::test]
async fn compresses_an_answer_unless_its_caller_wants_it_plain() {
    let example = start();
    // The byte before a message that says whether it is compressed: the client that tonic generates keeps it to itself.
    let flag = Arc::new(AtomicU8::new(u8::MAX));
    let seen = flag.clone();
    let channel = connect(&example).await.map_response(move |answer: http::Response<Body>| {
        let mut is_first = true;
        answer.map(|body| {
            Body::new(body.map_frame(move |frame| {
                if let Some(data) = frame.data_ref().filter(|_| std::mem::take(&mut is_first)) {
                    seen.store(data[0], Ordering::Relaxed);
                }
                frame
            }))
        })
    });
    let mut client = TestServiceClient::new(channel).accept_compressed(CompressionEncoding::Gzip);
    for (value, expected) in [(true, 1), (false, 0)] {
        let response_compressed = Some(BoolValue { value });
        let request = SimpleRequest { response_size: 1_000, response_compressed, ..Default::default() };
        let answer = client.unary_call(request).await.unwrap().into_inner();
        assert_eq!(answer.payload.unwrap().body, [0; 1_000]);
        assert_eq!(flag.swap(u8::MAX, Ordering::Relaxed), expected, "response_compressed: {value}");
    }
}

/// What the example's client says of its cases at that server, and whether all went well.
fn called(address: &str, more: &[&str]) -> (String, bool) {
    let server = format!("http://{address}");
    let call = Command::new(program("interop")).args(["call", "--server", &server]).args(more).output().unwrap();
    (String::from_utf8(call.stdout).unwrap(), call.status.success())
}

#[test]
fn plays_the_cases_of_grpcs_interop_clients_compressed_or_not() {
    let example = start();
    for more in [&[][..], &["--gzip"]] {
        let (said, is_well) = called(&example.address, more);
        assert!(is_well && said.lines().count() == 14 && said.lines().all(|line| line.starts_with("ok ")), "{said}");
    }
    let (said, is_well) =
        called(&example.address, &["--gzip", "server_compressed_unary", "server_compressed_streaming"]);
    assert!(is_well, "{said}");
}

#[test]
fn says_which_case_has_failed() {
    let hello = Example::start("hello", &["--listen", "127.0.0.1:0"]);
    let (said, is_well) = called(&hello.address, &["empty_unary", "unimplemented_method", "no_such_case"]);
    let said: Vec<&str> = said.lines().map(|line| line.split(':').next().unwrap()).collect();
    assert_eq!(said, ["FAILED  empty_unary", "ok      unimplemented_method", "FAILED  no_such_case"]);
    assert!(!is_well);
}
