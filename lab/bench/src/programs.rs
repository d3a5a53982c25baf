//! Programs that have to be installed.

use std::process::{Command, Stdio};

use anyhow::ensure;

/// Is it on this machine?
pub fn has(program: &str) -> bool {
    let asked = Command::new(program).arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status();
    asked.is_ok_and(|status| status.success())
}

/// Is it an error that it is not there?
pub fn need(program: &str, why: &str) -> anyhow::Result<()> {
    ensure!(has(program), "{program} is missing, and {why}; on Debian: apt-get install {program}");
    Ok(())
}
