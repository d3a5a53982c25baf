//! The rows of the contract that need a real A with real signals: killed in the middle of a call,
//! frozen, back again. The drain has a file of its own, `drains`.

use std::time::{Duration, Instant};

use echo_proto::{
    CallEchoRequest, HealthRequest, call_echo_service_client::CallEchoServiceClient,
    health_service_client::HealthServiceClient,
};
use lab::{
    http::{self, Ask},
    pair::Pair,
    program::Program,
};
use service_runtime::origin::Origin;
use tonic::{Code, transport::Channel};

/// The contract's ε is 50 ms on an idle machine; here other tests run on the same two cores.
const SLACK: Duration = Duration::from_millis(450);

async fn pair() -> (Pair, Channel) {
    let pair = Pair::start(Program::at(env!("CARGO_BIN_EXE_lab")).with_defaults(), 0, 0).await.unwrap();
    pair.recovered().await.unwrap();
    let channel = Channel::from_shared(pair.b.url()).unwrap().connect().await.unwrap();
    (pair, channel)
}

/// A call that B has taken and waits for, because A is frozen.
async fn call_in_flight(channel: &Channel) -> tokio::task::JoinHandle<Result<String, tonic::Status>> {
    let mut client = CallEchoServiceClient::new(channel.clone());
    let call = tokio::spawn(async move {
        let response = client.call_echo(CallEchoRequest { msg: "hello".into() }).await?;
        Ok(response.into_inner().service_a.unwrap().echo)
    });
    // Lets the call go out first. Frames keep their order: when B answers this, it has read the call before it.
    tokio::task::yield_now().await;
    HealthServiceClient::new(channel.clone()).check(HealthRequest {}).await.unwrap();
    call
}

#[tokio::test]
async fn row_5_says_connection_lost_when_a_is_killed_in_the_middle_of_a_call() {
    let (mut pair, channel) = pair().await;
    pair.a.freeze().unwrap();
    let call = call_in_flight(&channel).await;
    let killed = Instant::now();
    pair.a.kill().await.unwrap();
    let status = call.await.unwrap().unwrap_err();
    assert!(killed.elapsed() <= SLACK, "{:?}", killed.elapsed());
    assert_eq!(status.code(), Code::Unavailable);
    let origin = Origin::of(&status).unwrap();
    assert_eq!((origin.hop.as_str(), origin.reason.as_str()), ("service-b", "SERVICE_A_CONNECTION_LOST"));
}

#[tokio::test]
async fn row_8_leaves_the_connection_whole_when_a_thaws_to_many_calls_that_were_given_up() {
    let (pair, _) = pair().await;
    pair.a.freeze().unwrap();
    for _ in 0..60 {
        let late =
            http::ask(pair.b.address(), &Ask::get("/call-echo?msg=hello").with("grpc-timeout", "20m")).await.unwrap();
        assert_eq!(late.status, 504, "{late}");
    }
    pair.a.thaw().unwrap();
    let thawed = http::ask(pair.b.address(), &Ask::get("/call-echo?msg=hello")).await.unwrap();
    assert_eq!(thawed.status, 200, "{thawed}");
}

#[tokio::test]
async fn row_12_gets_through_again_from_every_worker_when_a_is_back() {
    let (mut pair, _) = pair().await;
    for _ in 0..3 {
        pair.a.kill().await.unwrap();
        let down = http::ask(pair.b.address(), &Ask::get("/call-echo?msg=hello")).await.unwrap();
        assert_eq!((down.status, down.json()["code"].as_str()), (503, Some("UNAVAILABLE")), "{down}");
        pair.restart_a().await.unwrap();
        let took = pair.recovered().await.unwrap();
        assert!(took <= Duration::from_millis(1300) + SLACK, "{took:?}");
    }
}
