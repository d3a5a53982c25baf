//! This executable, and what it can be started as: a service or the client, each a real process of its own.

use std::{
    env,
    ffi::{OsStr, OsString},
    os::fd::OwnedFd,
    path::PathBuf,
    process::{ExitCode, Stdio},
};

use anyhow::Context as _;
use tokio::process::Command;

use crate::tie;

/// Flags of the services and the client come from the environment too; a demonstration must not depend on them.
const FLAGS_FROM_OUTSIDE: [&str; 5] = ["ECHO_A_", "ECHO_B_", "ECHO_CLIENT_", "RUST_LOG", "POD_NAME"];

/// The B to compare ours with.
pub const STOCK_TONIC: &str = "stock-tonic";

/// The executable that holds both services and the client.
#[derive(Clone, Debug)]
pub struct Program {
    executable: PathBuf,
    own_environment: bool,
    own_executables: bool,
    variables: Vec<(String, String)>,
    log_format: Option<&'static str>,
}

impl Program {
    /// The program that runs now. Errors: the system does not tell where it is.
    pub fn this() -> anyhow::Result<Self> {
        Ok(Program::at(env::current_exe().context("cannot find this program's own file")?))
    }

    /// The program in that file; for tests, whose own executable is another one.
    pub fn at(executable: impl Into<PathBuf>) -> Self {
        Program {
            executable: executable.into(),
            own_environment: false,
            own_executables: false,
            variables: Vec::new(),
            log_format: None,
        }
    }

    /// The same, started without the flags that the environment may hold.
    pub fn with_defaults(self) -> Self {
        Program { own_environment: true, ..self }
    }

    /// The same with these variables in its environment.
    pub fn with_variables(self, variables: &[(&str, &str)]) -> Self {
        let variables = variables.iter().map(|(name, value)| (String::from(*name), String::from(*value)));
        Program { variables: variables.collect(), ..self }
    }

    /// The same, where a role that has an executable of its own beside this one is started from that: what it takes of memory is
    /// then its own, and not that of the lab around it.
    pub fn with_own_executables(self) -> Self {
        Program { own_executables: true, ..self }
    }

    /// The same, where the services log in that format, whatever the environment says.
    pub fn with_log_format(self, format: &'static str) -> Self {
        Program { log_format: Some(format), ..self }
    }

    /// The command that starts the program as `role`, tied to this process, its standard output a pipe.
    pub fn command(&self, role: &str) -> Command {
        let (executable, words) = self.words(role);
        let mut command = Command::new(executable);
        command.args(words);
        if let (Some(format), "service-a" | "service-b") = (self.log_format, role) {
            command.args(["--log-format", format]);
        }
        self.prepare(&mut command);
        if role == STOCK_TONIC {
            // It panics in one of the rows, and says so at length.
            command.stderr(Stdio::null());
        }
        command
    }

    /// The same with a listening socket as its descriptor 3, as systemd starts a service: a shell moves it there from its standard error,
    /// which then goes where the log goes, and becomes the service.
    pub fn command_with_socket(&self, role: &str, socket: OwnedFd) -> Command {
        let (executable, words) = self.words(role);
        let mut command = Command::new("sh");
        command.args(["-c", "LISTEN_PID=$$ LISTEN_FDS=1 exec \"$0\" \"$@\" 3<&2 2>&1"]).arg(executable).args(words);
        self.prepare(&mut command);
        command.stderr(socket);
        command
    }

    /// The file to run, and the words before the flags.
    fn words(&self, role: &str) -> (PathBuf, Option<String>) {
        let own = self.executable.with_file_name(role);
        match self.own_executables && own.is_file() {
            true => (own, None),
            false => (self.executable.clone(), Some(role.to_owned())),
        }
    }

    fn prepare(&self, command: &mut Command) {
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).kill_on_drop(true);
        // Ctrl-C is for the lab, which passes it on once: at a second signal a service cuts the calls that it still has.
        command.process_group(0);
        command.env(tie::PARENT, std::process::id().to_string());
        let from_outside = |name: &OsStr| {
            let name = name.to_string_lossy();
            FLAGS_FROM_OUTSIDE.iter().any(|prefix| name.starts_with(prefix))
        };
        for (name, _) in env::vars_os().filter(|(name, _)| self.own_environment && from_outside(name)) {
            command.env_remove(name);
        }
        command.envs(self.variables.iter().map(|(name, value)| (name, value)));
    }
}

/// Is this process a service or the client, `argv` being the role and its command line? Runs it, if so.
pub fn run_as(argv: &[OsString]) -> Option<ExitCode> {
    let run: fn(Vec<OsString>) -> ExitCode = match argv.first()?.to_str()? {
        "service-a" => |argv| service_a::process::main(argv),
        "service-b" => |argv| service_b::process::main(argv),
        "test-client" => |argv| test_client::run(argv),
        STOCK_TONIC => |argv| stock_tonic::run(argv),
        _ => return None,
    };
    tie::to_parent();
    Some(run(argv.to_vec()))
}
