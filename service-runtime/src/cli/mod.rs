//! From the command line and the environment to a running process, and the one sentence that says what is wrong with them.

mod flags;

use std::{
    env::{self, VarError},
    ffi::{OsStr, OsString},
    io::{self, ErrorKind as IoErrorKind, Write as _},
    num::IntErrorKind,
    process::ExitCode,
    time::Duration,
};

use clap::{ArgAction, Args as _, Command, FromArgMatches as _, builder::FalseyValueParser, error::ErrorKind};

use crate::{
    address::Address,
    deadline::FOREVER,
    identity::{Identity, Peer},
    output, process,
    shutdown::Shutdown,
    telemetry,
};

pub use flags::LogFlags;
#[cfg(feature = "server")]
pub use flags::ServerFlags;
#[cfg(feature = "client")]
pub use flags::UpstreamFlags;

/// Runs a service process: reads its flags `A` and those of the log, installs log and signals, and starts it.
///
/// The only function that reads the command line or installs anything global; call it from a `main.rs`. Each flag is also an
/// environment variable that begins with `env_prefix`, such as `ECHO_A`; an empty one is as good as none. Exit codes: 0 after a drain, 1 when the service cannot
/// start, 2 for a wrong flag; the last two with one sentence on standard error.
pub fn run<A, F>(identity: &Identity, env_prefix: &str, start: impl FnOnce(A, Shutdown) -> F) -> ExitCode
where
    A: clap::Parser,
    F: Future<Output = anyhow::Result<()>>,
{
    run_with(identity, env_prefix, std::env::args_os(), start)
}

/// The same with a command line of its own: for a program that holds several services.
pub fn run_with<A, F>(
    identity: &Identity,
    env_prefix: &str,
    argv: impl IntoIterator<Item = OsString>,
    start: impl FnOnce(A, Shutdown) -> F,
) -> ExitCode
where
    A: clap::Parser,
    F: Future<Output = anyhow::Result<()>>,
{
    // Before anything is allocated: what reading the flags takes would be in huge pages, 2 MiB more for as long as the process lives.
    process::use_small_pages();
    // Before there are threads: it unsets variables of the environment.
    #[cfg(feature = "server")]
    crate::server::look_for_inherited();
    let command = LogFlags::augment_args(named_after(A::command(), identity.behind()));
    let parsed = parse_as(command, env_prefix, argv, |matches| {
        let log = LogFlags::from_arg_matches_mut(matches)?;
        let args = A::from_arg_matches_mut(matches)?;
        let wrong = |sentence| clap::Error::raw(ErrorKind::InvalidValue, sentence);
        // Read where the name of the process is made; here is where a mistake can still be told.
        variable("POD_NAME").map_err(wrong)?;
        Ok((log.or_rust_log().map_err(wrong)?, args))
    });
    match parsed {
        Ok((log, args)) => ended(|| start_process(identity, log, |shutdown| start(args, shutdown))),
        Err(code) => code,
    }
}

fn start_process<F>(identity: &Identity, log: LogFlags, start: impl FnOnce(Shutdown) -> F) -> anyhow::Result<()>
where
    F: Future<Output = anyhow::Result<()>>,
{
    let _flush_at_exit = telemetry::install(identity.log_name(), &log.into())?;
    process::raise_descriptor_limit();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        process::survive_full_files()?;
        start(Shutdown::on_signals()?).await
    })
}

fn ended(run: impl FnOnce() -> anyhow::Result<()>) -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            output::complain(&format!("{error:#}"));
            ExitCode::FAILURE
        }
    }
}

/// Reads a command line and the environment variables `<PREFIX>_<FLAG>`.
///
/// When there is nothing to run, because of `--help` or a mistake, it has printed what there is to say, and the error is
/// the exit code.
pub fn parse<A: clap::Parser>(env_prefix: &str, argv: impl IntoIterator<Item = OsString>) -> Result<A, ExitCode> {
    parse_as(A::command(), env_prefix, argv, A::from_arg_matches_mut)
}

fn parse_as<T>(
    command: Command,
    env_prefix: &str,
    argv: impl IntoIterator<Item = OsString>,
    read: impl FnOnce(&mut clap::ArgMatches) -> Result<T, clap::Error>,
) -> Result<T, ExitCode> {
    let command = with_environment(command, env_prefix);
    let variables: Vec<OsString> =
        command.get_arguments().filter_map(|arg| arg.get_env()).map(OsStr::to_owned).collect();
    let parsed = command.try_get_matches_from(argv).and_then(|mut matches| read(&mut matches));
    parsed.map_err(|error| match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion | ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => {
            print(&error)
        }
        kind => {
            // clap says that something is not UTF-8, and not what.
            let of_a_variable = variables.iter().filter_map(|name| variable(name.to_str()?).err()).next();
            let of_a_variable = of_a_variable.filter(|_| kind == ErrorKind::InvalidUtf8);
            let sentence = of_a_variable.map_or_else(|| one_sentence(&error), |sentence| format!("error: {sentence}"));
            let _ = output::to_stderr(&sentence);
            ExitCode::from(2)
        }
    })
}

/// Prints what was asked for, with clap's colours on a terminal. Exit code 0, 1 where that could not be written, 2 where it was not
/// asked for but is all that there is to say.
fn print(error: &clap::Error) -> ExitCode {
    match error.print().and_then(|()| io::stdout().flush()) {
        _ if error.use_stderr() => ExitCode::from(2),
        Err(unwritten) if unwritten.kind() != IoErrorKind::BrokenPipe => {
            output::complain(&output::unwritten(&unwritten, "standard output").to_string());
            ExitCode::FAILURE
        }
        _ => ExitCode::SUCCESS,
    }
}

/// Calls the flags of [`UpstreamFlags`] after the peer: `--peer-timeout` → `--service-a-timeout`, in their help texts too.
fn named_after(command: Command, peer: Option<&Peer>) -> Command {
    let Some(peer) = peer else { return command };
    let named = |text: &str| text.replace("the peer", peer.title()).replace("--peer", &format!("--{}", peer.name()));
    command.mut_args(|arg| {
        let long = arg.get_long().and_then(|long| long.strip_prefix("peer"));
        let long = long.map(|rest| format!("{}{rest}", peer.name()));
        let help = arg.get_help().map(|help| named(&help.to_string()));
        let heading = arg.get_help_heading().map(named);
        let arg = help.into_iter().fold(arg, clap::Arg::help);
        let arg = heading.into_iter().fold(arg, clap::Arg::help_heading);
        long.into_iter().fold(arg, clap::Arg::long)
    })
}

/// Gives every flag its environment variable: `--drain-timeout` → `ECHO_A_DRAIN_TIMEOUT`.
fn with_environment(command: Command, prefix: &str) -> Command {
    let also = format!(
        "Every flag is also an environment variable: --some-flag is {prefix}_SOME_FLAG. The flag wins; an empty variable is none.\n\
         A DURATION is written 300ms, 2s, 1m or 1h, and is at most 365d; a SIZE 64KiB, below 4GiB."
    );
    command.after_help(also).mut_args(|arg| {
        let Some(long) = arg.get_long() else { return arg };
        let name = format!("{prefix}_{}", long.to_uppercase().replace('-', "_"));
        let arg = if is_empty(&name) { arg } else { arg.env(name).hide_env(true) };
        match arg.get_action() {
            ArgAction::SetTrue => arg.value_parser(FalseyValueParser::new()),
            _ => arg,
        }
    })
}

/// Set to nothing, as compose files and manifests do where they have no value.
fn is_empty(variable: &str) -> bool {
    env::var_os(variable).is_some_and(|value| value.is_empty())
}

/// An environment variable; `None` where it is not set or empty. Errors: the sentence that it is not UTF-8.
fn variable(name: &str) -> Result<Option<String>, String> {
    match env::var(name) {
        Ok(value) => Ok(Some(value).filter(|value| !value.is_empty())),
        Err(VarError::NotPresent) => Ok(None),
        Err(VarError::NotUnicode(value)) => {
            Err(format!("the environment variable {name} is not UTF-8: expected text, not {value:?}"))
        }
    }
}

/// clap says in a paragraph what can be said in a sentence: what is wrong, then what would be right.
fn one_sentence(error: &clap::Error) -> String {
    let text = error.render().to_string();
    let lines = text.lines().map(str::trim).take_while(|line| !line.starts_with("Usage:"));
    let parts: Vec<&str> = lines.filter(|line| !line.is_empty() && !line.starts_with("For more")).collect();
    let sentence = parts.join("; ").replace(":; ", ": ").replace("; tip: ", "; ").replace("; [", " [");
    if [": expected", "similar", "[possible"].iter().any(|hint| sentence.contains(hint)) {
        sentence
    } else {
        format!("{sentence}; --help tells what there is")
    }
}

/// A duration such as `300ms`, `2s` or `1m`, at most a year, for clap.
pub fn duration(text: &str) -> Result<Duration, String> {
    match humantime::parse_duration(text) {
        Ok(duration) if duration <= FOREVER => Ok(duration),
        // With too many digits for its unit it is still a duration.
        Ok(_) | Err(humantime::DurationError::NumberOverflow) => Err("expected a duration of at most 365d".into()),
        Err(_) => Err("expected a duration such as 300ms, 2s or 1m".into()),
    }
}

/// A duration above zero, for clap.
pub fn positive_duration(text: &str) -> Result<Duration, String> {
    duration(text).and_then(|duration| match duration.is_zero() {
        true => Err("expected a duration above zero, such as 300ms, 2s or 1m".into()),
        false => Ok(duration),
    })
}

/// An address to listen on, for clap: `127.0.0.1:8080` or `unix:/run/a.sock`.
pub fn address(text: &str) -> Result<Address, String> {
    text.parse()
}

/// A size in bytes such as `64KiB`, at most 4 GiB less one, for clap.
pub fn size(text: &str) -> Result<usize, String> {
    let size = text.parse::<bytesize::ByteSize>().ok().and_then(|size| u32::try_from(size.as_u64()).ok());
    size.and_then(|size| usize::try_from(size).ok()).ok_or_else(|| "expected a size such as 64KiB, below 4GiB".into())
}

/// A whole number from 1, for clap.
pub fn count(text: &str) -> Result<usize, String> {
    count_to(text, usize::MAX)
}

/// A whole number from 1 to `most`, for clap: where each one of them costs memory from the start.
pub fn count_to(text: &str, most: usize) -> Result<usize, String> {
    match text.parse::<usize>() {
        Ok(n) if (1..=most).contains(&n) => Ok(n),
        Ok(n) if n > most => Err(format!("expected a whole number from 1 to {most}")),
        Err(error) if *error.kind() == IntErrorKind::PosOverflow => {
            Err(format!("expected a whole number from 1 to {most}"))
        }
        _ => Err("expected a whole number from 1".into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, clap::Parser)]
    struct Args {
        #[arg(long, value_parser = duration, default_value = "2s")]
        drain_timeout: Duration,
        #[arg(long)]
        reuse_port: bool,
    }

    fn mistake(argv: &[&str]) -> String {
        let command = with_environment(<Args as clap::CommandFactory>::command(), "NOBODY");
        one_sentence(&command.try_get_matches_from(argv).unwrap_err())
    }

    #[test]
    fn says_in_one_sentence_what_is_wrong_and_what_would_be_right() {
        assert_eq!(
            mistake(&["x", "--drain-timeout", "soon"]),
            "error: invalid value 'soon' for '--drain-timeout <DRAIN_TIMEOUT>': expected a duration such as 300ms, 2s or 1m"
        );
        assert_eq!(
            mistake(&["x", "--drain-timeou", "1s"]),
            "error: unexpected argument '--drain-timeou' found; a similar argument exists: '--drain-timeout'"
        );
        assert_eq!(mistake(&["x", "y"]), "error: unexpected argument 'y' found; --help tells what there is");
    }

    #[test]
    fn names_an_environment_variable_for_every_flag() {
        let command = with_environment(<Args as clap::CommandFactory>::command(), "ECHO_A");
        let names: Vec<_> = command.get_arguments().filter_map(|arg| arg.get_env()).collect();
        assert_eq!(names, ["ECHO_A_DRAIN_TIMEOUT", "ECHO_A_REUSE_PORT"]);
    }

    #[test]
    fn reads_durations_sizes_and_counts() {
        assert_eq!(duration("300ms"), Ok(Duration::from_millis(300)));
        assert_eq!(size("64KiB"), Ok(65_536));
        assert_eq!(count("3"), Ok(3));
        for bad in ["", "abc", "-1", "5GiB"] {
            assert!(size(bad).is_err(), "{bad}");
        }
        assert!(count("0").is_err() && duration("1").is_err());
    }

    #[test]
    fn says_of_a_number_that_is_too_large_what_the_largest_is() {
        assert_eq!((duration("365d"), duration("525600m")), (Ok(FOREVER), Ok(FOREVER)));
        for large in ["366d", "18446744073709551615s", "99999999999999999999s", "31536001s", "999999999999y"] {
            assert_eq!(duration(large), Err("expected a duration of at most 365d".into()), "{large}");
            assert_eq!(positive_duration(large), duration(large));
        }
        assert_eq!((count("18446744073709551615"), count_to("1024", 1024)), (Ok(usize::MAX), Ok(1024)));
        assert_eq!(count_to("1025", 1024), Err("expected a whole number from 1 to 1024".into()));
        let most = format!("expected a whole number from 1 to {}", usize::MAX);
        assert_eq!(
            (count("99999999999999999999"), count("-1")),
            (Err(most), Err("expected a whole number from 1".into()))
        );
    }
}
