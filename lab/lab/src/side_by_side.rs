//! `lab side-by-side`: every row of the failure contract, asked of our B on both faces and of a stock tonic B, and judged twice: by
//! gRPC's own documents, and by our contract.

use std::{process::ExitCode, time::Duration};

use crate::{
    failures::{Bound, CallOutcome, Face, Failure, Kind, Stage, Times, table},
    print::print,
    program::Program,
    progress::{Progress, seconds},
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
/// What it takes to start and end the processes of one question.
const STAGE: Duration = Duration::from_millis(100);

/// The width of the columns, two spaces between two of them: 114 in all, for a terminal of 120.
const WIDTHS: [usize; 8] = [3, 24, 5, 18, 6, 4, 20, 20];
const TITLES: [&str; 8] = ["row", "failure", "B", "gRPC", "ms", "HTTP", "by gRPC's documents", "by ours"];

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
    let all: Vec<_> = table::FAILURES.iter().collect();
    let chosen = if args.only.is_empty() { all } else { args.only.clone() };
    let about = chosen.iter().map(|failure| takes(failure)).sum();
    print(&introduction(chosen.len(), about));
    print(&line(TITLES));
    let mut progress = Progress::new(chosen.len(), about);
    let (mut ours, mut stock) = (Tally::default(), Tally::default());
    for failure in &chosen {
        progress.next_takes(failure.slug, takes(failure));
        let rows = [
            ("ours", ask_ours(&program, failure).await, &mut ours),
            ("stock", ask_stock(&program, failure).await, &mut stock),
        ];
        progress.clear();
        for (whose, row, tally) in rows {
            tally.add(&row);
            print(&row.text(failure, whose));
        }
    }
    print(&format!(
        "\nBy gRPC's documents, where they say something:  ours {}  stock tonic {}\n",
        ours.documents(),
        stock.documents()
    ));
    print(&format!("By ours:  ours {}  stock tonic {}\n", ours.contract(), stock.contract()));
    Ok(ours.met == chosen.len())
}

fn introduction(failures: usize, about: Duration) -> String {
    let Times { cap, connect } = Times::SHORT;
    format!(
        "{failures} failures, three questions each, every one with processes of its own: about {}.\n\
         B's cap is {} ms here, its connect timeout {} ms. HTTP is ours alone. A ✗ tells what would have been right.\n\
         * where the contract departs from gRPC's own tables, on purpose; – where gRPC's documents say nothing.\n\n",
        seconds(about),
        cap.as_millis(),
        connect.as_millis(),
    )
}

/// What asking for it three times takes, about.
fn takes(failure: &Failure) -> Duration {
    let ours = match failure.bound {
        // Nothing but the end of it is slow.
        Bound::Within(_) => Duration::from_millis(20),
        bound => *bound.between(&Times::SHORT).end(),
    };
    let stock = match failure.slug {
        "a-half-open" => KEEPALIVE_TIMEOUT,
        // It never answers here.
        "a-stalls" | "a-endless" => ANSWER_TIMEOUT,
        _ => ours,
    };
    STAGE * 3 + ours * 2 + stock
}

fn line(cells: [&str; 8]) -> String {
    let cell = |(index, (cell, width)): (usize, (&str, usize))| match index {
        0 | 4 | 5 => format!("{cell:>width$}"),
        _ => format!("{cell:width$}"),
    };
    let cells: Vec<_> = cells.into_iter().zip(WIDTHS).enumerate().map(cell).collect();
    format!("{}\n", cells.join("  ").trim_end())
}

/// What came of one question, and whether it is right, by either measure.
struct Row {
    code: String,
    took: Option<Duration>,
    http: Option<String>,
    documents: Verdict,
    contract: Verdict,
}

enum Verdict {
    Met,
    /// What would have been right.
    Unmet(String),
    /// Nothing is said of it.
    Silent,
}

impl Verdict {
    fn text(&self) -> String {
        match self {
            Verdict::Met => "✓".to_owned(),
            Verdict::Unmet(expected) => format!("✗ {expected}"),
            Verdict::Silent => "–".to_owned(),
        }
    }
}

impl Row {
    fn text(&self, failure: &Failure, whose: &str) -> String {
        let took = self.took.map_or_else(String::new, |took| took.as_millis().to_string());
        let departs = if failure.departs_from_the_documents() { " *" } else { "" };
        line([
            &failure.row.to_string(),
            failure.slug,
            whose,
            &self.code,
            &took,
            self.http.as_deref().unwrap_or_default(),
            &self.documents.text(),
            &(self.contract.text() + departs),
        ])
    }
}

/// How many of the rows that are judged are right.
#[derive(Default)]
struct Tally {
    rows: usize,
    met: usize,
    judged_by_the_documents: usize,
    met_by_the_documents: usize,
}

impl Tally {
    fn add(&mut self, row: &Row) {
        self.rows += 1;
        self.met += usize::from(matches!(row.contract, Verdict::Met));
        self.judged_by_the_documents += usize::from(!matches!(row.documents, Verdict::Silent));
        self.met_by_the_documents += usize::from(matches!(row.documents, Verdict::Met));
    }

    fn documents(&self) -> String {
        format!("{} of {}", self.met_by_the_documents, self.judged_by_the_documents)
    }

    fn contract(&self) -> String {
        format!("{} of {}", self.met, self.rows)
    }
}

async fn ask_ours(program: &Program, failure: &Failure) -> Row {
    let grpc = ask(program, Kind::Ours, Face::Grpc, failure).await;
    let json = ask(program, Kind::Ours, Face::Json, failure).await;
    let unmet = [&grpc, &json].into_iter().find_map(|seen| match seen {
        Ok(seen) => failure.unmet(seen, &Times::SHORT, SLACK),
        Err(error) => Some(error.to_string()),
    });
    // What is unmet may be a sentence: the column has room for its first words.
    let contract = unmet.map_or(Verdict::Met, |unmet| Verdict::Unmet(first(unmet.trim_start_matches("expected "), 18)));
    let http = json.ok().and_then(|seen| seen.http).map(|http| http.to_string());
    Row { http, ..row(failure, &grpc, contract) }
}

/// Stock tonic says nothing of reasons and hops: its code and its time are what counts.
async fn ask_stock(program: &Program, failure: &Failure) -> Row {
    let seen = ask(program, Kind::Stock, Face::Grpc, failure).await;
    let contract = match &seen {
        Ok(seen) if seen.code != failure.expected.code => Verdict::Unmet(failure.expected.code.to_owned()),
        Ok(seen) if !failure.bound.holds(seen.took, &Times::SHORT, SLACK) => {
            let between = failure.bound.between(&Times::SHORT);
            let late = seen.took > *between.end();
            let (word, bound) = if late { ("within", between.end()) } else { ("not before", between.start()) };
            Verdict::Unmet(format!("{word} {} ms", bound.as_millis()))
        }
        Ok(_) => Verdict::Met,
        Err(_) => Verdict::Unmet(failure.expected.code.to_owned()),
    };
    row(failure, &seen, contract)
}

fn row(failure: &Failure, seen: &anyhow::Result<CallOutcome>, contract: Verdict) -> Row {
    let codes = failure.codes_by_the_documents();
    let documents = match (codes.first(), seen) {
        (None, _) => Verdict::Silent,
        (Some(_), Ok(seen)) if codes.contains(&seen.code.as_str()) => Verdict::Met,
        (Some(code), _) => Verdict::Unmet((*code).to_owned()),
    };
    match seen {
        Ok(seen) => Row { code: seen.code.clone(), took: Some(seen.took), http: None, documents, contract },
        Err(error) => {
            // After how long nothing came says the source above.
            let error = error.to_string();
            let what = if error.starts_with("no answer") { "no answer" } else { &error };
            Row { code: first(what, 18), took: None, http: None, documents, contract }
        }
    }
}

/// The text, cut to `most` characters.
fn first(text: &str, most: usize) -> String {
    match text.char_indices().nth(most) {
        Some(_) => text.chars().take(most - 1).chain(['…']).collect(),
        None => text.to_owned(),
    }
}

/// Plays one failure before one B, in processes of its own. Errors: no answer, or a broken one.
async fn ask(program: &Program, kind: Kind, face: Face, failure: &Failure) -> anyhow::Result<CallOutcome> {
    let within = if failure.slug == "a-half-open" { KEEPALIVE_TIMEOUT } else { ANSWER_TIMEOUT };
    let mut stage = Stage::set(program.clone(), kind, Times::SHORT, failure.scene, [0, 0]).await?;
    stage.play(failure, face, within).await
}
