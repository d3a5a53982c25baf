//! A service as a process, by itself or under a tool, and what Linux says of it.

use std::{ffi::OsString, fs, net::SocketAddr, path::Path, process::Stdio, time::Duration};

use anyhow::Context as _;
use rustix::process::{Pid, Signal, kill_process};
use tokio::{
    io::{AsyncBufReadExt as _, BufReader},
    process::{Child, Command},
    time::timeout,
};

/// Valgrind takes its time to start, a busy machine too.
const PATIENCE: Duration = Duration::from_secs(60);

/// What a service runs under.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Tool {
    /// Counts instructions, by function.
    Callgrind,
    /// Counts system calls.
    Strace,
}

/// A service that listens.
pub struct Process {
    child: Child,
    /// The service's own, also where a tool has started it.
    pub pid: u32,
    pub address: SocketAddr,
}

/// Starts a command line, perhaps under a tool that writes into a file, and waits until it says where it listens. It ends with what is returned.
pub async fn start(
    argv: &[OsString],
    environment: &[(&str, &str)],
    tool: Option<(Tool, &Path)>,
) -> anyhow::Result<Process> {
    let mut whole = tool.map(prefix).unwrap_or_default();
    whole.extend_from_slice(argv);
    let (program, arguments) = whole.split_first().context("no program")?;
    let mut command = Command::new(program);
    // Flags from outside would make it another service than the one that is measured.
    let from_outside = |name: &str| name.starts_with("ECHO_") || name == "RUST_LOG";
    for (name, _) in std::env::vars_os().filter(|(name, _)| from_outside(&name.to_string_lossy())) {
        command.env_remove(name);
    }
    command.args(arguments).envs(environment.iter().copied()).stdin(Stdio::null());
    command.stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
    let mut child = command.spawn().with_context(|| format!("cannot start {}", program.display()))?;
    let said = timeout(PATIENCE, listening(&mut child)).await;
    let address = said.unwrap_or_else(|_| Err(anyhow::anyhow!("it says nothing"))).with_context(|| {
        format!("{} does not say where it listens", argv.first().map(|program| program.display()).expect("a program"))
    })?;
    let own = child.id().context("it has ended")?;
    let pid = if matches!(tool, Some((Tool::Strace, _))) { only_child_of(own)? } else { own };
    Ok(Process { child, pid, address })
}

impl Process {
    /// Asks it to end, and waits until it has, and its tool too.
    pub async fn stop(mut self) -> anyhow::Result<()> {
        let pid = i32::try_from(self.pid).ok().and_then(Pid::from_raw).context("no pid")?;
        kill_process(pid, Signal::TERM)?;
        timeout(PATIENCE, self.child.wait()).await.context("it does not end")??;
        Ok(())
    }

    /// The CPU time it has had, of all its threads.
    pub fn cpu(&self) -> anyhow::Result<Duration> {
        let mut sum = 0;
        for thread in fs::read_dir(format!("/proc/{}/task", self.pid))? {
            let stat = fs::read_to_string(thread?.path().join("schedstat"))?;
            sum += stat.split(' ').next().context("an empty schedstat")?.parse::<u64>()?;
        }
        Ok(Duration::from_nanos(sum))
    }

    /// The memory it has, in KiB.
    pub fn memory_kib(&self) -> anyhow::Result<f64> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.pid))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("no VmRSS")?;
        Ok(line.trim().trim_end_matches(" kB").parse()?)
    }
}

fn prefix((tool, file): (Tool, &Path)) -> Vec<OsString> {
    let (words, output) = match tool {
        Tool::Callgrind => (
            &[
                "valgrind",
                "--quiet",
                "--tool=callgrind",
                "--compress-strings=no",
                "--compress-pos=no",
                "--dump-line=no",
            ][..],
            [OsString::from("--callgrind-out-file="), file.into()].into_iter().collect(),
        ),
        Tool::Strace => (&["strace", "-f", "-c", "-o"][..], file.into()),
    };
    words.iter().map(OsString::from).chain([output]).collect()
}

/// Reads standard output up to the address, and lets the rest go by; of a child that ends instead, its last words.
async fn listening(child: &mut Child) -> anyhow::Result<SocketAddr> {
    let mut lines = BufReader::new(child.stdout.take().context("a pipe")?).lines();
    let mut errors = BufReader::new(child.stderr.take().context("a pipe")?);
    while let Some(line) = lines.next_line().await? {
        if let Some((_, address)) = line.split_once("listening=http://") {
            tokio::spawn(async move { tokio::io::copy(&mut lines.into_inner(), &mut tokio::io::sink()).await });
            tokio::spawn(async move { tokio::io::copy(&mut errors, &mut tokio::io::sink()).await });
            return Ok(address.split_whitespace().next().unwrap_or_default().parse()?);
        }
    }
    let mut words = String::new();
    tokio::io::AsyncReadExt::read_to_string(&mut errors, &mut words).await?;
    anyhow::bail!("it ended: {}", words.trim())
}

fn only_child_of(pid: u32) -> anyhow::Result<u32> {
    let children = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children"))?;
    Ok(children.split_whitespace().next().context("strace has started nothing")?.parse()?)
}
