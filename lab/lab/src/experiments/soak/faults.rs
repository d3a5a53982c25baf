//! Every kind of bad call and bad peer, one after the other, for as long as they are let.

use std::time::Duration;

use anyhow::Context as _;
use futures_util::future::join_all;
use hostile_peer::frame;
use tokio::{io::AsyncWriteExt, net::TcpStream, time::sleep};

use crate::{
    child::Child,
    http::{self, Ask},
    raw::{ConnectionConfig, RawConnection, opening},
};

/// Between two rounds of them.
const PAUSE: Duration = Duration::from_millis(100);
/// Calls at once: more than the service takes, over as many connections as that needs.
const CROWD: usize = 100;

/// Goes on until it is dropped. Errors: a service takes no connection.
pub async fn go_on(b: &Child, a: &Child) -> anyhow::Result<bool> {
    for round in 0_u64.. {
        for service in [b, a] {
            cancels(service).await.context("cancels")?;
            leaves(service).await.context("leaves")?;
            asks_badly(service).await.context("asks badly")?;
            talks_nonsense(service).await.context("talks nonsense")?;
            reads_slowly(service).await.context("reads slowly")?;
            if round.is_multiple_of(50) {
                comes_in_a_crowd(service).await.context("comes in a crowd")?;
            }
        }
        sleep(PAUSE).await;
    }
    Ok(true)
}

/// Cancels ten calls, one after the other, that would have taken long; behind them one is answered.
async fn cancels(service: &Child) -> anyhow::Result<()> {
    let mut caller = RawConnection::connect(service.address(), ConnectionConfig::DEFAULT).await?;
    for _ in 0..10 {
        caller.call(service.name(), "cancelled", &[("rpc-behavior", "sleep-10")]).await?;
        caller.cancel().await?;
    }
    caller.heard().await?;
    caller.call(service.name(), "hello", &[]).await?;
    // Whatever the answer: another one may be in the way of it.
    let _ = caller.answered().await;
    Ok(())
}

/// Goes away in the middle of calls: with a FIN, and with what has come unread, which makes it a reset.
async fn leaves(service: &Child) -> anyhow::Result<()> {
    for behavior in ["sleep-10", "sleep-0"] {
        let mut caller = RawConnection::connect(service.address(), ConnectionConfig::DEFAULT).await?;
        caller.heard().await?;
        caller.call(service.name(), "left", &[("rpc-behavior", behavior)]).await?;
        caller.only_begin(service.name(), 3).await?;
    }
    drop(TcpStream::connect(service.address()).await?);
    Ok(())
}

/// Requests that are refused, on both faces.
async fn asks_badly(service: &Child) -> anyhow::Result<()> {
    let asks = [
        Ask::get("/nowhere"),
        Ask::get("/health").with("grpc-timeout", "abc"),
        Ask::post("/health"),
        Ask::get("/call-echo?msg=%zz"),
        Ask::get("/call-echo?msg=hello").with("grpc-timeout", "1n"),
        Ask::get("/call-echo?msg=hello").with("rpc-behavior", "error-code-5"),
        Ask::get("/call-echo?msg=hello"),
    ];
    for ask in asks {
        http::ask(service.address(), &ask).await?;
    }
    let mut caller = RawConnection::connect(service.address(), ConnectionConfig::DEFAULT).await?;
    for timeout in ["abc", "1n", "20m"] {
        let headers = [("grpc-timeout", timeout), ("rpc-behavior", "sleep-1")];
        caller.call(service.name(), "late", &headers).await?;
    }
    // More than a window has room for before the peer's SETTINGS have come, and been acknowledged.
    caller.heard().await?;
    caller.call(service.name(), &"long".repeat(20_000), &[]).await?;
    caller.answered().await
}

/// What is no HTTP, and what is HTTP/2 and breaks it.
async fn talks_nonsense(service: &Child) -> anyhow::Result<()> {
    let mut broken = opening(65_535);
    frame::put(&mut broken, frame::DATA, 0, 0, b"on no stream");
    let tls = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03".as_slice();
    for said in [tls, b"hello?\r\n\r\n", &frame::PREFACE[..9], &broken] {
        let mut stream = TcpStream::connect(service.address()).await?;
        stream.write_all(said).await?;
    }
    Ok(())
}

/// Takes a long answer in small steps, and leaves in the middle of another.
async fn reads_slowly(service: &Child) -> anyhow::Result<()> {
    for pause in [Some(Duration::from_millis(1)), None] {
        let mut caller = RawConnection::connect(
            service.address(),
            ConnectionConfig { window: 1000, pause, ..ConnectionConfig::DEFAULT },
        )
        .await?;
        caller.call(service.name(), &"long".repeat(2_000), &[]).await?;
        match pause {
            Some(_) => caller.answered().await.unwrap_or_default(),
            None => caller.heard().await?,
        }
    }
    Ok(())
}

/// More calls at once than the service takes.
async fn comes_in_a_crowd(service: &Child) -> anyhow::Result<()> {
    let crowds = (0..3).map(async |_| {
        let mut caller = RawConnection::connect(service.address(), ConnectionConfig::DEFAULT).await?;
        for _ in 0..CROWD {
            caller.call(service.name(), "crowd", &[("rpc-behavior", "sleep-100ms")]).await?;
        }
        caller.answered().await
    });
    join_all(crowds).await.into_iter().collect()
}
