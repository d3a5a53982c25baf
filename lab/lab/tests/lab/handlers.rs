//! Handlers that nobody should write: what one does to its own call, and what it does not do to anything else.

use std::{
    net::SocketAddr,
    thread,
    time::{Duration, Instant},
};

use echo_proto::{
    EchoRequest, EchoResponse, Health,
    echo_service_server::{EchoService, EchoServiceServer},
    health_service_server::HealthServiceServer,
};
use lab::http::{self, Ask};
use service_runtime::{ServerConfig, Services, Shutdown, server, shutdown::Trigger};
use tokio::{sync::oneshot, task::JoinHandle};
use tonic::{Request, Response, Status};

/// Does what the message says.
struct Bad;

#[tonic::async_trait]
impl EchoService for Bad {
    async fn echo(&self, request: Request<EchoRequest>) -> Result<Response<EchoResponse>, Status> {
        match request.into_inner().msg.as_str() {
            "panic" => panic!("as asked"),
            "block" => thread::sleep(BLOCKED),
            _ => {}
        }
        Ok(Response::new(EchoResponse { echo: "done".into() }))
    }
}

/// Longer than any drain of these tests.
const BLOCKED: Duration = Duration::from_secs(5);
const DRAIN: Duration = Duration::from_millis(500);

/// A server with that handler and one worker, in this process.
fn start() -> (SocketAddr, Trigger, JoinHandle<anyhow::Result<()>>) {
    let mut config = ServerConfig::default();
    config.workers = Some(1);
    config.drain_timeout = DRAIN;
    let listener = server::bind(([127, 0, 0, 1], 0).into(), false).unwrap();
    let (address, (trigger, shutdown)) = (listener.address().unwrap().tcp().unwrap(), Shutdown::new());
    let services = |worker: &server::Worker| {
        Services::new().add(EchoServiceServer::new(Bad)).add(HealthServiceServer::new(Health(worker.serving())))
    };
    (address, trigger, tokio::spawn(service_a::server().config(config).serve(listener, services, shutdown)))
}

#[tokio::test]
async fn a_panic_is_its_own_calls_failure_and_nobody_elses() {
    let (address, _trigger, _served) = start();
    let failed = http::ask(address, &Ask::get("/echo?msg=panic")).await.unwrap();
    assert_eq!((failed.status, failed.json()["code"].as_str()), (500, Some("UNKNOWN")), "{failed:?}");
    let next = http::ask(address, &Ask::get("/echo?msg=hello")).await.unwrap();
    assert_eq!(next.status, 200, "{next:?}");
}

#[tokio::test]
async fn a_handler_that_blocks_its_thread_does_not_hold_the_exit_back() {
    let (address, trigger, served) = start();
    let (sent, is_sent) = oneshot::channel();
    let blocked = tokio::spawn(async move {
        sent.send(()).unwrap();
        http::ask(address, &Ask::get("/echo?msg=block")).await
    });
    is_sent.await.unwrap();
    // Another call tells when the worker is blocked: it is not answered any more.
    let answer_timeout = Duration::from_millis(200);
    while tokio::time::timeout(answer_timeout, http::ask(address, &Ask::get("/echo?msg=hello"))).await.is_ok() {}
    let began = Instant::now();
    trigger.ask();
    served.await.unwrap().unwrap();
    // The contract's 250 ms, and as much for a busy machine; far below what the handler still has to sleep.
    assert!(began.elapsed() < DRAIN + Duration::from_millis(500), "{:?}", began.elapsed());
    blocked.abort();
}
