//! `examples/interop.rs`: what of gRPC's TestService other languages ask is asked by `.ci/interop`; here, that it runs.

use proto::{
    EchoStatus, Payload, ResponseParameters, SimpleRequest, StreamingOutputCallRequest,
    test_service_client::TestServiceClient,
};
use tonic::{Code, Request, codec::CompressionEncoding, transport::Channel};

use crate::process::Example;

#[path = "../../examples/generated/interop.rs"]
mod proto;

async fn client(example: &Example) -> TestServiceClient<Channel> {
    let channel = Channel::from_shared(format!("http://{}", example.address)).unwrap().connect().await.unwrap();
    TestServiceClient::new(channel).accept_compressed(CompressionEncoding::Gzip)
}

#[tokio::test]
async fn answers_with_sizes_statuses_and_metadata_as_asked_compressed_or_not() {
    let example = Example::start("interop", &["--listen", "127.0.0.1:0", "--max-message-size", "4MiB"]);
    let plain = client(&example).await;
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
