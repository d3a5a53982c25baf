//! `lab attack`: does to a server what no client should, and tells what it did.

use std::{fmt::Write as _, net::SocketAddr, process::ExitCode, time::Duration};

use futures_util::future::join_all;
use hostile_peer::{
    cli::loopback,
    client::{Reaction, Target, groups},
    listing,
};
use service_runtime::output::complain;

use super::{
    case::Case,
    describe::describe,
    drains::{DRAINS, Drain},
    servers::{Servers, whose},
    table,
};
use crate::{markdown::line, print::print, program::Program, progress::Progress, signals::Signals};

/// What to do, and to whom.
#[derive(Debug, clap::Args)]
#[group(id = "attack")]
pub struct Args {
    /// Only these attacks, such as timeout-abc ping-flood; all of them if none is named
    #[arg(value_name = "ATTACK", value_parser = find)]
    attacks: Vec<Row>,

    /// An A or a B that runs already, on this machine only; without it A, B and a stock tonic B are started
    #[arg(long, value_name = "ADDRESS", value_parser = loopback)]
    target: Option<SocketAddr>,

    /// Show every attack there is
    #[arg(long, conflicts_with_all = ["attacks", "target"])]
    list: bool,
}

/// A line of the table.
#[derive(Clone, Copy, Debug)]
enum Row {
    Attack(&'static Case),
    Drain(&'static Drain),
}

fn find(name: &str) -> Result<Row, String> {
    let drain = DRAINS.iter().find(|drain| drain.name == name);
    drain.map_or_else(|| table::find(name).map(Row::Attack), |drain| Ok(Row::Drain(drain)))
}

impl Args {
    /// The attacks that are named; if nothing is, all that `suit`.
    fn cases(&self, suit: impl Fn(&Case) -> bool) -> Vec<&'static Case> {
        match self.attacks.is_empty() {
            true => table::CASES.iter().filter(|case| suit(case)).collect(),
            false => self
                .attacks
                .iter()
                .filter_map(|row| if let Row::Attack(case) = row { Some(*case) } else { None })
                .collect(),
        }
    }

    /// The drains that are named; if nothing is, all.
    fn drains(&self) -> Vec<&'static Drain> {
        if self.attacks.is_empty() { DRAINS.iter().collect() } else { self.named_drains() }
    }

    fn named_drains(&self) -> Vec<&'static Drain> {
        self.attacks.iter().filter_map(|row| if let Row::Drain(drain) = row { Some(*drain) } else { None }).collect()
    }
}

/// Prints a table. Exit code 0 if everything of ours was as expected, else 1; 130 after Ctrl-C.
///
/// Errors: a service does not start, or nothing of ours listens at the target.
pub async fn run(args: &Args) -> anyhow::Result<ExitCode> {
    if args.list {
        print(&list());
        return Ok(ExitCode::SUCCESS);
    }
    if let (Some(_), [drain, ..]) = (args.target, &args.named_drains()[..]) {
        complain(&format!("'{}' ends its server; without --target it starts one of its own", drain.name));
        return Ok(ExitCode::from(2));
    }
    let mut signals = Signals::new()?;
    tokio::select! {
        met = attack(args) => Ok(if met? { ExitCode::SUCCESS } else { ExitCode::FAILURE }),
        code = signals.next() => Ok(ExitCode::from(code)),
    }
}

async fn attack(args: &Args) -> anyhow::Result<bool> {
    match args.target {
        Some(address) => {
            // How many connections that server lets in, it alone knows.
            let cases = args.cases(|case| !case.is_about_connections());
            let target = whose(address).await?;
            let mut table = Table::begin(&[SEEN], cases.len(), waits(&cases));
            table.attacks(&cases, |_| vec![target.clone()]).await?;
            Ok(table.end())
        }
        None => {
            let program = Program::this()?.with_defaults();
            let servers = Servers::start(&program).await?;
            let targets = |case: &Case| servers.ours(case).into_iter().chain([servers.stock()]).collect();
            let (cases, drains) = (args.cases(|_| true), args.drains());
            let mut table = Table::begin(&[A, B, STOCK], cases.len() + drains.len(), waits(&cases));
            table.attacks(&cases, targets).await?;
            table.drains(&drains, &program).await?;
            Ok(table.end())
        }
    }
}

fn waits(cases: &[&Case]) -> bool {
    cases.iter().any(|case| case.waits())
}

/// What is printed, line by line.
struct Table {
    columns: &'static [Column],
    /// What was not as expected, of each column.
    unmet: Vec<Vec<&'static str>>,
    progress: Progress,
}

/// What a peer is given to finish what it has begun.
const LONGEST_STALL: Duration = Duration::from_secs(10);
/// Everything, done to three servers; most of it is waiting, side by side.
const EVERYTHING: Duration = Duration::from_secs(40);

impl Table {
    /// For a table of `lines` attacks, and the time that they take: a share of the whole table's; where one of them `waits` for the server to
    /// give up, at least that long.
    fn begin(columns: &'static [Column], lines: usize, waits: bool) -> Self {
        let everything = u32::try_from(table::CASES.len() + DRAINS.len()).unwrap_or(u32::MAX);
        let share = EVERYTHING / everything * u32::try_from(lines).unwrap_or(u32::MAX);
        let about = if waits { share.max(LONGEST_STALL) } else { share };
        print(&line(["attack", "server", "what it did"], &WIDTHS));
        print(&line([":--"; 3], &WIDTHS));
        Table { columns, unmet: vec![Vec::new(); columns.len()], progress: Progress::new(lines, about) }
    }

    /// Attacks every target, and prints a line each.
    async fn attacks(&mut self, cases: &[&'static Case], targets: impl Fn(&Case) -> Vec<Target>) -> anyhow::Result<()> {
        // Those that take long begin now, side by side, and are waited for in their turn.
        let begin = |case: &&'static Case| {
            let case = *case;
            let targets = targets(case);
            case.waits().then(|| tokio::spawn(async move { attack_all(case, &targets).await }))
        };
        let begun: Vec<_> = cases.iter().map(begin).collect();
        for (case, begun) in cases.iter().zip(begun) {
            self.progress.next(case.name);
            let seen = match begun {
                Some(begun) => begun.await?,
                None => attack_all(case, &targets(case)).await,
            };
            let cells = self.columns.iter().zip(&seen).map(|(column, seen)| column.judge(case, seen.as_ref()));
            self.line(case.name, &case.expected.to_string(), cells.collect());
        }
        Ok(())
    }

    /// Ends servers in every state, side by side, and prints a line each.
    async fn drains(&mut self, drains: &[&'static Drain], program: &Program) -> anyhow::Result<()> {
        let all = join_all(drains.iter().map(|drain| drain.run(program))).await;
        for (drain, seen) in drains.iter().zip(all) {
            self.progress.next(drain.name);
            self.line(
                drain.name,
                &drain.to_string(),
                seen?.iter().map(|outcome| drain.judge(outcome.as_ref())).collect(),
            );
        }
        Ok(())
    }

    fn line(&mut self, name: &'static str, expected: &str, cells: Vec<(char, String)>) {
        self.progress.clear();
        print(&line([name, "expected", &format!("  {expected}")], &WIDTHS));
        for (((mark, cell), column), unmet) in cells.into_iter().zip(self.columns).zip(&mut self.unmet) {
            unmet.extend((mark == '✗').then_some(name));
            print(&line([name, column.title, &format!("{mark} {cell}")], &WIDTHS));
        }
    }

    /// True if all of ours did as expected.
    fn end(self) -> bool {
        print(&summary(self.columns, &self.unmet));
        self.columns.iter().zip(&self.unmet).all(|(column, unmet)| column.is_stock || unmet.is_empty())
    }
}

/// All targets at once.
async fn attack_all(case: &Case, targets: &[Target]) -> Vec<anyhow::Result<Reaction>> {
    join_all(targets.iter().map(|target| case.run(target))).await
}

/// One server among those that are compared.
struct Column {
    title: &'static str,
    is_stock: bool,
}

const SEEN: Column = Column { title: "seen", is_stock: false };
const A: Column = Column { title: "A", is_stock: false };
const B: Column = Column { title: "B", is_stock: false };
const STOCK: Column = Column { title: "stock tonic", is_stock: true };

impl Column {
    /// Whether it was as expected, and what was seen. Stock tonic tells no reasons, and some things it does not claim to do.
    fn judge(&self, case: &Case, seen: Result<&Reaction, &anyhow::Error>) -> (char, String) {
        let expected = if self.is_stock { case.expected.without_reasons() } else { case.expected };
        match seen {
            Err(error) => ('✗', format!("{error:#}")),
            Ok(seen) if self.is_stock && case.is_beyond_stock() => ('–', describe(seen)),
            Ok(seen) => (if expected.unmet(seen).is_none() { '✓' } else { '✗' }, describe(seen)),
        }
    }
}

fn summary(columns: &[Column], unmet: &[Vec<&str>]) -> String {
    let mut summary = String::from("\nNot as expected:");
    for (column, unmet) in columns.iter().zip(unmet) {
        let _ = match unmet.len() {
            0 => write!(summary, "  {} none", column.title),
            count if column.is_stock => write!(summary, "  {} {count}", column.title),
            count => write!(summary, "  {} {count} ({})", column.title, unmet.join(" ")),
        };
    }
    summary + "\n"
}

/// How wide the columns of the table are: 107 with their lines, for a terminal of 120.
const WIDTHS: [usize; 3] = [28, 11, 58];

/// Every attack, in groups, with its sentence.
fn list() -> String {
    let width = listing::width(groups());
    let mut list = listing::text(groups(), width);
    let _ = writeln!(list, "SIGTERM, where the server has:");
    for Drain { name, does, .. } in DRAINS {
        let _ = writeln!(list, "  {name:width$}  {does}");
    }
    list
}
