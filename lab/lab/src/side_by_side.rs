//! `lab side-by-side`: every row of the failure contract, asked of our B on both faces and of a stock tonic B.

use std::{fmt::Write as _, process::ExitCode, time::Duration};

use crate::{
    failures::{CallOutcome, Face, Failure, Kind, Stage, Times, table},
    markdown::line,
    print::print,
    program::Program,
    signals::Signals,
};

/// Which rows.
#[derive(Debug, clap::Args)]
#[group(id = "side-by-side")]
pub struct Args {
    /// Only these failures, such as a-frozen,a-killed
    #[arg(long, value_name = "FAILURE", value_delimiter = ',', value_parser = table::find)]
    only: Vec<&'static Failure>,
}

/// What a debug build on a machine that does something else adds to the contract's bounds.
const SLACK: Duration = Duration::from_millis(50);
/// How long an answer is waited for: longer than every bound but the keepalive's, which is 13 s here.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(5);
const KEEPALIVE_TIMEOUT: Duration = Duration::from_secs(16);

/// How wide the columns of the table are.
const WIDTHS: [usize; 7] = [3, 24, 42, 23, 46, 34, 34];

/// One of the three that are asked.
const ASKED: [(&str, Kind, Face); 3] = [
    ("ours, gRPC", Kind::Ours, Face::Grpc),
    ("ours, JSON", Kind::Ours, Face::Json),
    ("stock tonic", Kind::Stock, Face::Grpc),
];

/// Prints a table. Exit code 0 if ours did as the contract says in every row, else 1; 130 after Ctrl-C.
///
/// Errors: this program cannot find itself.
pub async fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let mut signals = Signals::new()?;
    tokio::select! {
        met = compare(args) => Ok(if met? { ExitCode::SUCCESS } else { ExitCode::FAILURE }),
        code = signals.next() => Ok(ExitCode::from(code)),
    }
}

async fn compare(args: &Args) -> anyhow::Result<bool> {
    let program = Program::this()?.with_defaults();
    let Times { cap, connect } = Times::SHORT;
    let all: Vec<_> = table::FAILURES.iter().collect();
    let chosen = if args.only.is_empty() { all } else { args.only.clone() };
    print(&format!("B's cap is {} ms here, its connect timeout {} ms.\n\n", cap.as_millis(), connect.as_millis()));
    print(&line(["row", "failure", "expected", "within", ASKED[0].0, ASKED[1].0, ASKED[2].0], &WIDTHS));
    print(&line(["--:", ":--", ":--", ":--", ":--", ":--", ":--"], &WIDTHS));
    let mut met = [0; ASKED.len()];
    for failure in &chosen {
        let mut cells =
            vec![failure.row.to_string(), failure.slug.into(), expected(failure), failure.bound.to_string()];
        for (asked, (_, kind, face)) in ASKED.into_iter().enumerate() {
            let (as_expected, cell) = ask(&program, kind, face, failure).await;
            met[asked] += usize::from(as_expected);
            cells.push(cell);
        }
        print(&line(cells.iter().map(String::as_str), &WIDTHS));
    }
    let mut summary = format!("\nAs the contract says, of {}:", chosen.len());
    for ((name, ..), met) in ASKED.iter().zip(met) {
        let _ = write!(summary, "  {name} {met}");
    }
    print(&(summary + "\n"));
    Ok(met[0] == chosen.len() && met[1] == chosen.len())
}

/// Plays one failure before one B, in processes of its own; whether it came as expected, and what came.
async fn ask(program: &Program, kind: Kind, face: Face, failure: &Failure) -> (bool, String) {
    let within = if failure.slug == "a-half-open" { KEEPALIVE_TIMEOUT } else { ANSWER_TIMEOUT };
    let played = async {
        let mut stage = Stage::set(program.clone(), kind, Times::SHORT, failure.scene, [0, 0]).await?;
        stage.play(failure, face, within).await
    };
    match played.await {
        Ok(seen) => {
            let unmet = failure.unmet(&seen, &Times::SHORT, SLACK);
            // Stock tonic says nothing of reasons and hops: its code and its time are what counts.
            let as_expected = match kind {
                Kind::Ours => unmet.is_none(),
                Kind::Stock => {
                    seen.code == failure.expected.code && failure.bound.holds(seen.took, &Times::SHORT, SLACK)
                }
            };
            (as_expected, format!("{} {}", if as_expected { '✓' } else { '✗' }, describe(&seen, kind)))
        }
        Err(error) => (false, format!("✗ {error}")),
    }
}

fn describe(seen: &CallOutcome, kind: Kind) -> String {
    let code = seen.http.map_or_else(|| seen.code.clone(), |http| http.to_string());
    let why = if kind == Kind::Stock { "" } else { seen.reason.as_str() };
    let words = [code.as_str(), why].join(" ");
    format!("{}, {} ms", words.trim_end(), seen.took.as_millis())
}

fn expected(failure: &Failure) -> String {
    let expected = failure.expected;
    format!("{} {} {}", expected.code, expected.http, expected.reason).trim_end().to_owned()
}
