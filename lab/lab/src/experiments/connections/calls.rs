//! What callers can make a process hold: calls that they begin and do not finish, and answers that they do not take.

use std::time::Duration;

use anyhow::Context as _;
use futures_util::future::join_all;

use super::cost::{left, tell};
use crate::{
    child::Child,
    print::print,
    raw::{ConnectionConfig, RawConnection},
    usage::peak_memory_kb,
};

/// Connections, and calls that each begins at once; a service of ours allows 100.
const CONNECTIONS: usize = 50;
const BEGUN: usize = 1000;
/// Calls whose answers are not read, on each connection, and the length of each.
const UNREAD: usize = 100;
const LENGTH: usize = 8 * 1024;
/// All of these answers are there by then.
const ANSWERED: Duration = Duration::from_secs(5);

/// Calls that are begun, and never finished: the most memory that it took.
pub async fn only_begun(b: &Child) -> anyhow::Result<u64> {
    let mut callers = connect(b, ConnectionConfig::DEFAULT).await?;
    let begun = callers.iter_mut().map(async |caller| {
        caller.only_begin("service-b", BEGUN).await?;
        caller.heard().await
    });
    // One that is closed for it is no error.
    let closed = join_all(begun).await.iter().filter(|begun| begun.is_err()).count();
    let refused: usize = callers.iter().map(RawConnection::resets).sum();
    print(&format!(
        "  {CONNECTIONS} connections begin {BEGUN} calls each: {refused} refused, {closed} connections closed\n"
    ));
    tell("with them", b)?;
    drop(callers);
    left(b).await?;
    tell("after they have left", b)?;
    peak_memory_kb(b.pid().context("B has ended")?)
}

/// Answers that are not read.
pub async fn unread(b: &Child) -> anyhow::Result<()> {
    let mut callers = connect(b, ConnectionConfig { window: 0, pause: None, ..ConnectionConfig::DEFAULT }).await?;
    let text = "x".repeat(LENGTH);
    for caller in &mut callers {
        for _ in 0..UNREAD {
            caller.call("service-b", &text, &[]).await?;
        }
        // One connection after the other: none of the calls is refused for too many at once.
        caller.heard().await?;
    }
    join_all(callers.iter_mut().map(|caller| caller.read_for(ANSWERED))).await;
    print(&format!("  {CONNECTIONS} connections leave {UNREAD} answers of {} KiB each unread\n", LENGTH / 1024));
    tell("with them", b)?;
    drop(callers);
    left(b).await?;
    tell("after they have left", b)
}

async fn connect(b: &Child, config: ConnectionConfig) -> anyhow::Result<Vec<RawConnection>> {
    let mut callers = Vec::new();
    for _ in 0..CONNECTIONS {
        let mut caller = RawConnection::connect(b.address(), config).await?;
        // Its SETTINGS are known, and acknowledged.
        caller.heard().await?;
        callers.push(caller);
    }
    Ok(callers)
}
