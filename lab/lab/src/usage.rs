//! What a process takes of its machine, as Linux counts it.

use std::{fs, time::Duration};

use anyhow::Context as _;

/// Linux counts CPU time in hundredths of a second, whatever its clock does.
const TICK: Duration = Duration::from_millis(10);

/// The CPU time it has had, its own and the system's for it; to the hundredth of a second.
pub fn cpu(pid: u32) -> anyhow::Result<Duration> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).context("no /proc here: this wants Linux")?;
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    let field = |index: usize| fields.get(index).and_then(|field| field.parse::<u32>().ok());
    field(11).zip(field(12)).map(|(user, system)| TICK * (user + system)).context("an unknown /proc/<pid>/stat")
}

/// The memory it has, in kB.
pub fn memory_kb(pid: u32) -> anyhow::Result<u64> {
    status(pid, "VmRSS:")
}

/// The most memory that it ever had, in kB.
pub fn peak_memory_kb(pid: u32) -> anyhow::Result<u64> {
    status(pid, "VmHWM:")
}

fn status(pid: u32, key: &str) -> anyhow::Result<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).context("no /proc here: this wants Linux")?;
    let line = status.lines().find_map(|line| line.strip_prefix(key)).with_context(|| format!("no {key}"))?;
    line.trim().trim_end_matches(" kB").parse().with_context(|| format!("an unknown {key}"))
}

/// The files and sockets it has open.
pub fn descriptors(pid: u32) -> anyhow::Result<usize> {
    Ok(fs::read_dir(format!("/proc/{pid}/fd")).context("no /proc here: this wants Linux")?.count())
}
