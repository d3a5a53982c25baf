//! `cargo bench-pair`: which figures there are, measured one after the other.

use std::{collections::BTreeMap, fs, path::Path, path::PathBuf};

use anyhow::Context as _;
use service_runtime::output::{to_stderr, to_stdout};

use crate::{
    load::Shape,
    native::{self, MANY, ONE},
    parts, programs,
    subject::{self, PLAIN, Service, Setting, Subject, root},
    table::{self, Row},
    tools,
};

/// The flags of the table.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Also larger messages, two workers, other numbers of connections and calls in flight, replicas: half an hour instead of five minutes
    #[arg(long)]
    full: bool,
    /// The figures as JSON into this file
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Where B's instructions go, as a picture into this file
    #[arg(long, value_name = "FILE")]
    svg: Option<PathBuf>,
    /// Renew the table in docs/performance.md and its picture
    #[arg(long)]
    write: bool,
}

/// What is measured so far.
struct Measured {
    subjects: Vec<Subject>,
    rows: Vec<Row>,
    picture: String,
}

/// Measures everything and prints the table.
pub async fn run(args: &Args) -> anyhow::Result<()> {
    programs::need("valgrind", "the instructions of a call are what this is for")?;
    let subjects = subject::build(&Subject::ALL)?;
    let mut measured = Measured { subjects, rows: Vec::new(), picture: String::new() };
    for service in [Service::A, Service::B] {
        for (measure, setting, shape) in shapes(args.full) {
            // How many As there are is nothing to an A.
            if service == Service::B || setting.replicas == 1 {
                measured.count(service, measure, setting, shape).await?;
            }
        }
        measured.count_system_calls(service).await?;
        measured.clock(service).await?;
        measured.weigh(service).await?;
    }
    measured.give(args)
}

/// What is counted by callgrind: its name, how the service is started, how it is called.
fn shapes(full: bool) -> Vec<(&'static str, Setting, Shape)> {
    let mut shapes = vec![
        ("instructions, 10 × 50 of 64 B", PLAIN, MANY),
        ("… with a deadline", PLAIN, Shape { deadline: true, ..MANY }),
        ("… with a line of the log", Setting { log: true, ..PLAIN }, MANY),
        ("… one call at a time", PLAIN, ONE),
    ];
    if full {
        shapes.extend([
            ("… messages of 1 KiB", PLAIN, Shape { size: 1 << 10, ..MANY }),
            // Not fifty at once: under callgrind a request of fifty would not be there whole within its 10 s.
            ("… 10 × 5 messages of 64 KiB", PLAIN, Shape { size: 1 << 16, streams: 5, ..MANY }),
            ("… two workers", Setting { workers: 2, ..PLAIN }, MANY),
            ("… 10 × 5 calls", PLAIN, Shape { streams: 5, ..MANY }),
            ("… 1 × 50 calls", PLAIN, Shape { connections: 1, ..MANY }),
            ("… 100 × 5 calls", PLAIN, Shape { connections: 100, streams: 5, ..MANY }),
            ("… 3 replicas of A", Setting { replicas: 3, ..PLAIN }, MANY),
            ("… 10 replicas of A", Setting { replicas: 10, ..PLAIN }, MANY),
        ]);
    }
    shapes
}

impl Measured {
    fn add(&mut self, service: Service, measure: &str, unit: &'static str, values: BTreeMap<Subject, f64>) {
        self.rows.push(Row { service, measure: measure.to_owned(), unit, values });
    }

    async fn count(&mut self, service: Service, measure: &str, setting: Setting, shape: Shape) -> anyhow::Result<()> {
        let mut profiles = BTreeMap::new();
        for subject in self.subjects.iter().filter(|subject| subject.has(setting)) {
            let _ = to_stderr(&format!("{service:?}, {measure}: {}", subject.name()));
            profiles.insert(*subject, tools::instructions(*subject, service, setting, shape).await?);
        }
        let instructions = profiles.iter().map(|(subject, profile)| (*subject, profile.instructions()));
        self.add(service, measure, "", instructions.collect());
        if (setting, shape) == (PLAIN, MANY) {
            // Go's allocator is its runtime's own, and has none of the names that are counted.
            let others = profiles.iter().filter(|(subject, _)| **subject != Subject::Go);
            self.add(
                service,
                "allocations, 10 × 50",
                "",
                others.map(|(subject, it)| (*subject, it.allocations)).collect(),
            );
            let ours = profiles.get(&Subject::Ours).context("ours was not measured")?;
            self.picture = parts::picture("A CallEcho on B", ours);
        }
        Ok(())
    }

    async fn count_system_calls(&mut self, service: Service) -> anyhow::Result<()> {
        if !programs::has("strace") {
            let _ = to_stderr("system calls are left out: there is no strace on this machine");
            return Ok(());
        }
        for (measure, shape) in [("system calls, 10 × 50", MANY), ("system calls, one at a time", ONE)] {
            let mut values = BTreeMap::new();
            for subject in &self.subjects {
                let _ = to_stderr(&format!("{service:?}, {measure}: {}", subject.name()));
                values.insert(*subject, tools::system_calls(*subject, service, shape).await?);
            }
            self.add(service, measure, "", values);
        }
        Ok(())
    }

    async fn clock(&mut self, service: Service) -> anyhow::Result<()> {
        let _ = to_stderr(&format!("{service:?}, by the clock"));
        let speeds = native::speeds(&self.subjects, service).await?;
        let mut add = |measure: &str, unit, value: fn(&native::Speed) -> f64| {
            let values = self.subjects.iter().copied().zip(speeds.iter().map(value)).collect();
            self.rows.push(Row { service, measure: measure.to_owned(), unit, values });
        };
        add("CPU time, 10 × 50", "µs", |speed| speed.cpu_us);
        add("calls a second, 10 × 50", "", |speed| speed.calls_per_second);
        add("p50, one at a time", "µs", |speed| speed.p50_us);
        add("p99, one at a time", "µs", |speed| speed.p99_us);
        Ok(())
    }

    async fn weigh(&mut self, service: Service) -> anyhow::Result<()> {
        let mut memories = BTreeMap::new();
        for subject in &self.subjects {
            let _ = to_stderr(&format!("{service:?}, memory: {}", subject.name()));
            memories.insert(*subject, native::memory(*subject, service).await?);
        }
        let each =
            |value: fn(&native::Memory) -> f64| memories.iter().map(|(subject, it)| (*subject, value(it))).collect();
        self.add(service, "memory, idle", "KiB", each(|memory| memory.idle));
        self.add(service, "memory, 1,000 calls in flight", "KiB", each(|memory| memory.in_flight));
        self.add(service, "memory of an idle connection", "KiB", each(|memory| memory.connection));
        Ok(())
    }

    fn give(&self, args: &Args) -> anyhow::Result<()> {
        let table = table::markdown(&self.rows, &self.subjects);
        to_stdout(&table)?;
        if let Some(file) = &args.json {
            write(file, &format!("{:#}\n", table::json(&self.rows)))?;
        }
        if let Some(file) = &args.svg {
            write(file, &self.picture)?;
        }
        if args.write {
            let page = root().join("docs/performance.md");
            let before = fs::read_to_string(&page).with_context(|| format!("cannot read {}", page.display()))?;
            write(&page, &table::renewed(&before, &table).context("docs/performance.md has no place for a table")?)?;
            write(&root().join("docs/performance.svg"), &self.picture)?;
        }
        Ok(())
    }
}

fn write(file: &Path, text: &str) -> anyhow::Result<()> {
    fs::write(file, text).with_context(|| format!("cannot write {}", file.display()))
}
