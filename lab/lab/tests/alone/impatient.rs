//! Callers whose calls end before their answers come, thousands of them: it costs nobody a connection.

use std::time::Duration;

use futures_util::future::join_all;
use lab::{
    child::Child,
    failures::Question,
    grpc,
    program::Program,
    raw::{ConnectionConfig, RawConnection},
};
use tokio::time::sleep;

const ANSWERED_WITHIN: Duration = Duration::from_secs(10);
/// The calls at once that A and B allow on one connection.
const STREAMS: usize = 100;

async fn start(service: &'static str, flags: &[&str]) -> Child {
    let program = Program::at(env!("CARGO_BIN_EXE_lab")).with_defaults();
    let common = ["--listen", "127.0.0.1:0", "--fault-injection"];
    Child::start(&program, service, &[&common, flags].concat()).await.unwrap()
}

/// B gives its calls up at the same moment at which A does, so that thousands of A's answers come too late.
#[tokio::test]
async fn short_deadlines_do_not_cost_b_its_connections() {
    const CALLERS: usize = 200;
    const CALLS: usize = 40;
    let a = start("service-a", &["--rpc-behavior", "sleep-1"]).await;
    let b = start("service-b", &["--service-a", &a.url()]).await;
    let connections = join_all((0..4).map(|_| grpc::GrpcClient::connect(b.address(), ANSWERED_WITHIN))).await;
    let connections: Vec<_> = connections.into_iter().map(Result::unwrap).collect();
    let calls = connections.iter().cycle().take(CALLERS).map(async |connection| {
        for _ in 0..CALLS {
            let seen =
                Question { msg: "hello", timeout: Some("50m") }.ask_on(connection, ANSWERED_WITHIN).await.unwrap();
            assert_eq!((&*seen.code, &*seen.reason), ("DEADLINE_EXCEEDED", "DEADLINE_EXCEEDED"), "{seen:?}");
        }
    });
    join_all(calls).await;
}

/// Three times as many as a flood may have; but each of them held its place for a while.
#[tokio::test]
async fn a_caller_who_gives_up_what_takes_long_is_no_attacker() {
    let a = start("service-a", &[]).await;
    let b = start("service-b", &["--service-a", &a.url()]).await;
    for process in [&a, &b] {
        let mut caller = RawConnection::connect(process.address(), ConnectionConfig::DEFAULT).await.unwrap();
        for _ in 0..60 {
            for _ in 0..STREAMS {
                caller.call(process.name(), "hello", &[("rpc-behavior", "sleep-10")]).await.unwrap();
            }
            caller.heard().await.unwrap();
            // How long each is under way; half as much again as the 10 ms after which a server counts a cancelled call as no flood.
            sleep(Duration::from_millis(15)).await;
            for _ in 0..STREAMS {
                caller.cancel().await.unwrap();
            }
        }
        caller.call(process.name(), "hello", &[]).await.unwrap();
        caller.answered().await.unwrap();
        let ended = caller.ended(Duration::ZERO).await;
        assert!(ended.goaways.is_empty() && ended.calls[0].is_whole(), "{}: {ended:?}", process.name());
    }
}
