//! How `lab break` reaches a running `lab up`: a line over a socket in a folder that is the user's alone, and what is told
//! comes back the same way.

use std::{
    env, fs, future, io,
    os::unix::fs::{DirBuilderExt, MetadataExt as _},
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::anyhow;
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

/// Where the socket may lie, best first; `lab up` takes the first that it can use, `lab break` looks into each.
///
/// More than one, for a folder for temporary files may be read-only, missing, or longer than the 107 bytes (103 on macOS) that the
/// system allows for the whole path of a socket.
fn folders() -> Vec<PathBuf> {
    let runtime = env::var_os("XDG_RUNTIME_DIR").filter(|folder| !folder.is_empty()).map(PathBuf::from);
    let mut folders: Vec<PathBuf> = Vec::new();
    for folder in [Some(env::temp_dir()), runtime, Some("/tmp".into())].into_iter().flatten() {
        let own = folder.join(format!("echo-lab-{}", rustix::process::getuid().as_raw()));
        if !folders.contains(&own) {
            folders.push(own);
        }
    }
    folders
}

fn socket_in(folder: &Path, port_b: u16) -> PathBuf {
    folder.join(format!("{port_b}.sock"))
}

/// Others could listen, or ask, where the folder is not the user's alone.
fn is_own(folder: &Path) -> bool {
    let own = |folder: fs::Metadata| {
        folder.is_dir() && folder.uid() == rustix::process::getuid().as_raw() && folder.mode() & 0o077 == 0
    };
    fs::symlink_metadata(folder).is_ok_and(own)
}

fn listen_in(folder: &Path, port_b: u16) -> io::Result<ControlSocket> {
    match fs::DirBuilder::new().mode(0o700).create(folder) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
        _ if !is_own(folder) => return Err(io::Error::other("it is not this user's alone")),
        _ => {}
    }
    let path = socket_in(folder, port_b);
    // The port is ours, so the pair that left the socket there is gone.
    let _ = fs::remove_file(&path);
    Ok(ControlSocket { listener: UnixListener::bind(&path)?, path })
}

impl ControlSocket {
    /// Listens for the pair whose B has this port. Errors: no folder can be used; one line that says why.
    pub fn open(port_b: u16) -> anyhow::Result<ControlSocket> {
        Self::open_in(&folders(), port_b)
    }

    fn open_in(folders: &[PathBuf], port_b: u16) -> anyhow::Result<ControlSocket> {
        let mut refusals = Vec::new();
        for folder in folders {
            match listen_in(folder, port_b) {
                Ok(socket) => return Ok(socket),
                Err(error) => refusals.push(format!("{}: {error}", folder.display())),
            }
        }
        Err(anyhow!("no folder for its socket ({})", refusals.join("; ")))
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

/// The next `lab break`; never one where there is no socket.
pub async fn next_request(socket: Option<&ControlSocket>) -> UnixStream {
    match socket {
        Some(socket) => socket.next().await,
        None => future::pending().await,
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
    let Some(mut stream) = connect(port_b).await else {
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

async fn connect(port_b: u16) -> Option<UnixStream> {
    for folder in folders().iter().filter(|folder| is_own(folder)) {
        if let Ok(stream) = UnixStream::connect(socket_in(folder, port_b)).await {
            return Some(stream);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn takes_the_first_folder_that_it_can_use_and_says_why_it_can_use_none() {
        let mine = env::temp_dir().join(format!("lab-control-{}", std::process::id()));
        let too_long = env::temp_dir().join("x".repeat(120));
        let missing = mine.join("missing").join("folder");
        let shared = env::temp_dir();
        let unusable = [PathBuf::from("/dev/null/folder"), too_long.clone(), missing, shared];
        let refusal = ControlSocket::open_in(&unusable, 1).err().unwrap().to_string();
        assert!(refusal.starts_with("no folder for its socket (/dev/null/folder: Not a directory"), "{refusal}");
        assert!(refusal.contains("SUN_LEN") && refusal.contains("not this user's alone"), "{refusal}");
        assert_eq!(refusal.lines().count(), 1);

        let one_can_be_used = [&unusable[..], std::slice::from_ref(&mine)].concat();
        let socket = ControlSocket::open_in(&one_can_be_used, 1).unwrap();
        assert_eq!(socket.path, mine.join("1.sock"));
        drop(socket);
        assert!(!mine.join("1.sock").exists());
        fs::remove_dir(&mine).unwrap();
        fs::remove_dir(&too_long).unwrap();
    }
}
