//! What a call costs, counted by a tool: the same load once and twice, and the difference, so that start and end fall out.

use std::{
    fs,
    path::PathBuf,
    sync::atomic::{AtomicUsize, Ordering},
};

use anyhow::Context as _;
use futures_util::future::{try_join, try_join_all};

use crate::{
    callgrind::{self, Profile},
    load::{self, Shape},
    process::{Process, Tool},
    subject::{Service, Setting, Subject, root},
};

/// The instructions of one call, by function, and what it allocates.
pub async fn instructions(
    subject: Subject,
    service: Service,
    setting: Setting,
    shape: Shape,
) -> anyhow::Result<Profile> {
    let calls = calls(shape);
    let run = |calls| under(Tool::Callgrind, subject, service, setting, shape, calls);
    let (once, twice) = try_join(run(calls), run(2 * calls)).await?;
    Ok((callgrind::parse(&twice)? - callgrind::parse(&once)?).of_one(calls as f64))
}

/// The system calls of one call.
pub async fn system_calls(subject: Subject, service: Service, shape: Shape) -> anyhow::Result<f64> {
    // Few a call, and how few depends on how calls fall together: more of them than instructions need.
    let calls = 5 * calls(shape);
    let run = |calls| under(Tool::Strace, subject, service, crate::subject::PLAIN, shape, calls);
    let (once, twice) = try_join(run(calls), run(2 * calls)).await?;
    Ok((total(&twice)? - total(&once)?) / calls as f64)
}

/// Four for each that is in flight at a time: how calls fall together into packets and wake-ups differs from run to run, and with fewer that
/// moved a CallEcho's instructions by 2.5 %. At least 600: a connection's own cost is then below a hundredth.
fn calls(shape: Shape) -> usize {
    (4 * shape.connections * shape.streams).max(600)
}

/// The As of a B, and none of an A.
pub async fn upstreams(subject: Subject, service: Service, setting: Setting) -> anyhow::Result<Vec<Process>> {
    let count = if service == Service::A { 0 } else { setting.replicas };
    try_join_all((0..count).map(|_| subject.start(Service::A, &[], Setting { log: false, ..setting }, None))).await
}

/// Runs a service under a tool, has it answer `calls` calls, and returns what the tool has written.
async fn under(
    tool: Tool,
    subject: Subject,
    service: Service,
    setting: Setting,
    shape: Shape,
    calls: usize,
) -> anyhow::Result<String> {
    let upstreams = upstreams(subject, service, setting).await?;
    let addresses: Vec<_> = upstreams.iter().map(|a| a.address).collect();
    let file = scratch()?;
    let process = subject.start(service, &addresses, setting, Some((tool, &file))).await?;
    load::run(process.address, service.method(), shape, calls).await?;
    process.stop().await?;
    let written = fs::read_to_string(&file).context("the tool has written nothing")?;
    fs::remove_file(file)?;
    for a in upstreams {
        a.stop().await?;
    }
    Ok(written)
}

/// A file of this process alone.
fn scratch() -> anyhow::Result<PathBuf> {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    let folder = root().join("target/bench");
    fs::create_dir_all(&folder)?;
    Ok(folder.join(format!("{}.{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed))))
}

/// The number of calls in the last line of `strace -c`: share, seconds, microseconds a call, calls, perhaps errors, `total`.
fn total(summary: &str) -> anyhow::Result<f64> {
    let line = summary.lines().find(|line| line.ends_with(" total")).context("strace wrote no total")?;
    Ok(line.split_whitespace().nth(3).context("strace wrote no number of calls")?.parse()?)
}

#[cfg(test)]
mod tests {
    #[test]
    fn reads_the_number_of_system_calls_with_errors_and_without() {
        assert_eq!(super::total("100.00    0.000000           0        29         1 total\n").unwrap(), 29.0);
        assert_eq!(super::total("100.00    0.004000           7       512           total\n").unwrap(), 512.0);
    }
}
