//! How `lab break` reaches a running `lab up`: a line over a socket in a folder that is the user's alone, and what is told
//! comes back the same way.

use std::{fs, os::unix::fs::DirBuilderExt, path::PathBuf, time::Duration};

use anyhow::Context as _;
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::{UnixListener, UnixStream},
    time::timeout,
};

use crate::{
    failures::{Failure, Stage, show, table},
    print::print,
};

/// What is sent last: whether everything came as expected.
const MET: &str = "+";
const UNMET: &str = "-";

/// How long is waited for the line of a request, which is sent at once.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(1);

/// Where a running pair takes requests; gone when it is dropped.
pub struct ControlSocket {
    listener: UnixListener,
    path: PathBuf,
}

/// What `lab break` wants to have broken.
pub struct BreakRequest {
    failure: &'static Failure,
    hold: bool,
    stream: BufReader<UnixStream>,
}

fn path(port_b: u16) -> PathBuf {
    let folder = format!("echo-lab-{}", rustix::process::getuid().as_raw());
    std::env::temp_dir().join(folder).join(format!("{port_b}.sock"))
}

impl ControlSocket {
    /// Listens for the pair whose B has this port. Errors: the folder for temporary files cannot be written.
    pub fn open(port_b: u16) -> anyhow::Result<ControlSocket> {
        let path = path(port_b);
        let folder = path.parent().context("a path with a folder")?;
        fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
        // The port is ours, so the pair that left the socket there is gone.
        let _ = fs::remove_file(&path);
        Ok(ControlSocket { listener: UnixListener::bind(&path)?, path })
    }

    /// The next `lab break`. Dropped meanwhile, it loses none.
    pub async fn next(&self) -> UnixStream {
        loop {
            if let Ok((stream, _)) = self.listener.accept().await {
                return stream;
            }
        }
    }
}

impl Drop for ControlSocket {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.path);
    }
}

impl BreakRequest {
    /// Reads `a-frozen hold`; `None` if it comes too late or cannot be understood.
    pub async fn read(stream: UnixStream) -> Option<BreakRequest> {
        let mut stream = BufReader::new(stream);
        let mut line = String::new();
        timeout(REQUEST_TIMEOUT, stream.read_line(&mut line)).await.ok()?.ok()?;
        let mut words = line.split_whitespace();
        let failure = table::find(words.next()?).ok()?;
        Some(BreakRequest { failure, hold: words.next() == Some("hold"), stream })
    }

    /// Plays it on the running pair. However it ends, the pair is healed.
    pub async fn play(self, stage: &mut Stage) -> anyhow::Result<()> {
        let (mut from, to) = self.stream.into_inner().into_split();
        // A few short lines: they fit into the socket, whether they are read or not.
        let tell = |text: &str| drop(to.try_write(text.as_bytes()));
        let mut nothing = [0];
        let played = tokio::select! {
            played = show::play(stage, self.failure, self.hold, tell) => played,
            // `lab break` has ended.
            _ = from.read(&mut nothing) => return stage.heal().await.map(drop),
        };
        match played {
            Ok(met) => tell(if met { MET } else { UNMET }),
            Err(error) => {
                tell(&format!("error: {error:#}\n{UNMET}"));
                stage.heal().await?;
            }
        }
        Ok(())
    }
}

/// Has the running pair break something, and prints what it tells; `None` if no pair runs there.
///
/// Errors: the pair ended meanwhile.
pub async fn ask(port_b: u16, slug: &str, hold: bool) -> anyhow::Result<Option<bool>> {
    let Ok(mut stream) = UnixStream::connect(path(port_b)).await else {
        return Ok(None);
    };
    stream.write_all(format!("{slug}{}\n", if hold { " hold" } else { "" }).as_bytes()).await?;
    let mut stream = BufReader::new(stream);
    let mut line = String::new();
    loop {
        line.clear();
        stream.read_line(&mut line).await?;
        match line.as_str() {
            "" => anyhow::bail!("lab up has ended"),
            MET => return Ok(Some(true)),
            UNMET => return Ok(Some(false)),
            line => print(line),
        }
    }
}
