//! What is measured: five pairs of an A and a B, each as the people who would run it build and start it.

use std::{
    ffi::OsString,
    net::SocketAddr,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context as _, ensure};
use service_runtime::output::to_stderr;

use crate::{
    message,
    process::{self, Process, Tool},
};

/// A pair, by whose it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Subject {
    Ours,
    /// As tonic's guide has it, with Cargo's own release profile.
    Stock,
    /// The same on one thread, with mimalloc and this workspace's release profile.
    Tuned,
    /// Only h2, on one thread: the floor.
    Bare,
    /// grpc-go.
    Go,
}

/// One of the two services.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Service {
    A,
    B,
}

impl Service {
    /// Its method.
    pub fn method(self) -> &'static str {
        match self {
            Service::A => message::ECHO,
            Service::B => message::CALL_ECHO,
        }
    }
}

/// How a service is started.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Setting {
    pub workers: usize,
    /// With a line of the log for each call.
    pub log: bool,
    /// How many As a B has.
    pub replicas: usize,
}

/// One worker, and a log of what is broken only.
pub const PLAIN: Setting = Setting { workers: 1, log: false, replicas: 1 };

impl Subject {
    /// All of them, in the order of the table.
    pub const ALL: [Subject; 5] = [Subject::Ours, Subject::Stock, Subject::Tuned, Subject::Bare, Subject::Go];

    /// The head of its column.
    pub fn name(self) -> &'static str {
        match self {
            Subject::Ours => "ours",
            Subject::Stock => "stock tonic",
            Subject::Tuned => "tonic tuned",
            Subject::Bare => "bare h2",
            Subject::Go => "grpc-go",
        }
    }

    /// Can it be started this way? Only ours has a log; tuned and bare have one thread; Go and bare know one A.
    pub fn has(self, setting: Setting) -> bool {
        match self {
            Subject::Ours => true,
            Subject::Stock => !setting.log,
            Subject::Tuned => setting == Setting { replicas: setting.replicas, ..PLAIN },
            Subject::Go => setting == Setting { workers: setting.workers, ..PLAIN },
            Subject::Bare => setting == PLAIN,
        }
    }

    /// Starts its A, or with some `upstreams` its B.
    pub async fn start(
        self,
        service: Service,
        upstreams: &[SocketAddr],
        setting: Setting,
        tool: Option<(Tool, &Path)>,
    ) -> anyhow::Result<Process> {
        let workers = setting.workers.to_string();
        // Callgrind does not survive the signals by which Go takes a thread from a goroutine.
        let environment =
            [("TOKIO_WORKER_THREADS", &*workers), ("GOMAXPROCS", &*workers), ("GODEBUG", "asyncpreemptoff=1")];
        process::start(&self.command_line(service, upstreams, setting), &environment, tool).await
    }

    fn command_line(self, service: Service, upstreams: &[SocketAddr], setting: Setting) -> Vec<OsString> {
        let (program, word) = match (self, service) {
            (Subject::Ours, Service::A) => (folder("release").join("service-a"), None),
            (Subject::Ours, Service::B) => (folder("release").join("service-b"), None),
            (Subject::Stock, Service::A) => (folder("stock").join("stock-echo"), None),
            (Subject::Stock, Service::B) => (folder("stock").join("stock-tonic"), None),
            (Subject::Tuned, _) => (folder("release").join("tuned-tonic"), Some(["echo", "call-echo"])),
            (Subject::Bare, _) => (folder("release").join("bench-pair"), Some(["bare-echo", "bare-call-echo"])),
            (Subject::Go, _) => (folder("bench").join("grpc-go"), Some(["echo", "call-echo"])),
        };
        let mut line: Vec<OsString> = vec![program.into()];
        line.extend(word.map(|[a, b]| if service == Service::A { a.into() } else { b.into() }));
        let mut add = |words: &[&str]| line.extend(words.iter().map(OsString::from));
        if self != Subject::Bare {
            add(&["--listen", "127.0.0.1:0"]);
        }
        if self == Subject::Ours {
            let log = if setting.log { "info" } else { "warn" };
            add(&["--workers", &setting.workers.to_string(), "--log", log, "--max-message-size", "1MiB"]);
        }
        if service == Service::B {
            let urls: Vec<String> = upstreams.iter().map(|address| format!("http://{address}")).collect();
            add(&["--service-a", &urls.join(",")]);
            // Under a tool a call takes a hundred times as long: nothing may run out.
            match self {
                Subject::Ours => add(&["--service-a-timeout", "60s", "--service-a-connect-timeout", "60s"]),
                Subject::Stock | Subject::Tuned => {
                    add(&["--service-a-timeout-ms", "60000", "--service-a-connect-timeout-ms", "60000"]);
                }
                Subject::Bare | Subject::Go => {}
            }
        }
        line
    }
}

/// Builds what is not built yet. `None` with a sentence on standard error where Go is missing.
pub fn build(subjects: &[Subject]) -> anyhow::Result<Vec<Subject>> {
    let mut there = subjects.to_vec();
    if subjects.contains(&Subject::Ours) {
        cargo(&["--release", "--package", "service-a", "--package", "service-b"])?;
    }
    if subjects.contains(&Subject::Stock) {
        cargo(&["--profile", "stock", "--package", "stock-tonic", "--bin", "stock-tonic", "--bin", "stock-echo"])?;
    }
    if subjects.contains(&Subject::Tuned) {
        cargo(&["--release", "--package", "stock-tonic", "--bin", "tuned-tonic"])?;
    }
    if subjects.contains(&Subject::Go) && !go()? {
        there.retain(|subject| *subject != Subject::Go);
    }
    Ok(there)
}

fn cargo(arguments: &[&str]) -> anyhow::Result<()> {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or("cargo".into()));
    let built = command.args(["build", "--quiet"]).args(arguments).current_dir(root()).status();
    ensure!(built.context("cannot run cargo")?.success(), "cargo build {} failed", arguments.join(" "));
    Ok(())
}

fn go() -> anyhow::Result<bool> {
    let program = folder("bench").join("grpc-go");
    let mut command = Command::new("go");
    match command.args(["build", "-o"]).arg(program).arg(".").current_dir(root().join("lab/bench/go")).status() {
        Ok(built) => {
            ensure!(built.success(), "the Go pair in lab/bench/go does not build");
            Ok(true)
        }
        Err(_) => {
            let _ = to_stderr("grpc-go is left out: there is no Go on this machine");
            Ok(false)
        }
    }
}

/// A folder of what is built: that of this program is `release`.
fn folder(profile: &str) -> PathBuf {
    root().join("target").join(profile)
}

/// The workspace's.
pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).expect("the crate is in lab/bench")
}
