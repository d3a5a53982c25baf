//! `cargo bench-pair`: which figures there are, measured one after the other.

use std::{collections::BTreeMap, fs, path::PathBuf};

use anyhow::Context as _;

use crate::{
    callgrind::Profile,
    load::Shape,
    native::{self, MANY, ONE},
    parts, programs,
    subject::{self, PLAIN, Service, Setting, Subject},
    table::{self, Row},
    tools,
};

/// The flags of the table.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Also larger messages, two workers, one and a hundred connections, ten replicas: half an hour instead of five minutes
    #[arg(long)]
    full: bool,
    /// The figures as JSON into this file
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Where B's instructions go, as a picture into this file
    #[arg(long, value_name = "FILE")]
    svg: Option<PathBuf>,
}

/// Calls under callgrind, and twice as many: enough that a call's cost moves by less than a hundredth from run to run.
const CALLS: usize = 1_000;

/// Measures everything and prints the table.
pub async fn run(args: &Args) -> anyhow::Result<()> {
    programs::need("valgrind", "the instructions of a call are what this is for")?;
    let subjects = subject::build(&Subject::ALL)?;
    let mut rows = Vec::new();
    for service in [Service::A, Service::B] {
        for (measure, setting, shape) in shapes(args.full) {
            if service == Service::A && setting.replicas > 1 {
                continue;
            }
            counted(&mut rows, &subjects, service, measure, setting, shape, args).await?;
        }
        system_calls(&mut rows, &subjects, service).await?;
        by_the_clock(&mut rows, &subjects, service).await?;
    }
    print!("{}", table::markdown(&rows, &subjects));
    if let Some(file) = &args.json {
        fs::write(file, format!("{:#}\n", table::json(&rows)))
            .with_context(|| format!("cannot write {}", file.display()))?;
    }
    Ok(())
}

/// What is counted by callgrind: its name, how the service is started, how it is called. The first one is the load of the allocations.
fn shapes(full: bool) -> Vec<(&'static str, Setting, Shape)> {
    let mut shapes = vec![
        ("instructions, 10 × 50 calls of 64 B", PLAIN, MANY),
        ("with a deadline", PLAIN, Shape { deadline: true, ..MANY }),
        ("with a line of the log", Setting { log: true, ..PLAIN }, MANY),
        ("one call at a time", PLAIN, ONE),
    ];
    if full {
        shapes.extend([
            ("messages of 1 KiB", PLAIN, Shape { size: 1 << 10, ..MANY }),
            ("messages of 64 KiB", PLAIN, Shape { size: 1 << 16, ..MANY }),
            ("two workers", Setting { workers: 2, ..PLAIN }, MANY),
            ("1 × 50", PLAIN, Shape { connections: 1, ..MANY }),
            ("100 × 5", PLAIN, Shape { connections: 100, streams: 5, ..MANY }),
            ("100 × 1", PLAIN, Shape { connections: 100, streams: 1, ..MANY }),
            ("3 replicas of A", Setting { replicas: 3, ..PLAIN }, MANY),
            ("10 replicas of A", Setting { replicas: 10, ..PLAIN }, MANY),
        ]);
    }
    shapes
}

async fn counted(
    rows: &mut Vec<Row>,
    subjects: &[Subject],
    service: Service,
    measure: &str,
    setting: Setting,
    shape: Shape,
    args: &Args,
) -> anyhow::Result<()> {
    let mut profiles: BTreeMap<Subject, Profile> = BTreeMap::new();
    for subject in subjects.iter().filter(|subject| subject.has(setting)) {
        eprintln!("{service:?}, {measure}: {}", subject.name());
        profiles.insert(*subject, tools::instructions(*subject, service, setting, shape, CALLS).await?);
    }
    let values = profiles.iter().map(|(subject, profile)| (*subject, profile.instructions())).collect();
    rows.push(Row { service, measure: measure.to_owned(), unit: "", values });
    if (setting, shape) == (PLAIN, MANY) {
        // Go allocates by functions of its own, which callgrind sees inlined.
        let own = profiles.iter().filter(|(subject, _)| **subject != Subject::Go);
        let values = own.map(|(subject, profile)| (*subject, profile.allocations)).collect();
        rows.push(Row { service, measure: "allocations".to_owned(), unit: "", values });
        if let (Service::B, Some(file)) = (service, &args.svg) {
            let picture =
                parts::picture("A CallEcho on B", profiles.get(&Subject::Ours).context("ours was not measured")?);
            fs::write(file, picture).with_context(|| format!("cannot write {}", file.display()))?;
        }
    }
    Ok(())
}

async fn system_calls(rows: &mut Vec<Row>, subjects: &[Subject], service: Service) -> anyhow::Result<()> {
    if !programs::has("strace") {
        eprintln!("system calls are left out: there is no strace on this machine");
        return Ok(());
    }
    for (measure, shape) in [("system calls, 10 × 50", MANY), ("system calls, one at a time", ONE)] {
        let mut values = BTreeMap::new();
        for subject in subjects {
            eprintln!("{service:?}, {measure}: {}", subject.name());
            values.insert(*subject, tools::system_calls(*subject, service, shape, CALLS).await?);
        }
        rows.push(Row { service, measure: measure.to_owned(), unit: "", values });
    }
    Ok(())
}

async fn by_the_clock(rows: &mut Vec<Row>, subjects: &[Subject], service: Service) -> anyhow::Result<()> {
    eprintln!("{service:?}, by the clock");
    let speeds = native::speeds(subjects, service).await?;
    let mut memories = Vec::new();
    for subject in subjects {
        eprintln!("{service:?}, memory: {}", subject.name());
        memories.push(native::memory(*subject, service).await?);
    }
    let mut add = |measure: &str, unit, values: Vec<f64>| {
        let values = subjects.iter().copied().zip(values).collect();
        rows.push(Row { service, measure: measure.to_owned(), unit, values });
    };
    add("CPU time, 10 × 50", "µs", speeds.iter().map(|speed| speed.cpu_us).collect());
    add("calls a second, 10 × 50", "", speeds.iter().map(|speed| speed.calls_per_second).collect());
    add("p50 of one at a time", "µs", speeds.iter().map(|speed| speed.p50_us).collect());
    add("p99 of one at a time", "µs", speeds.iter().map(|speed| speed.p99_us).collect());
    add("memory, idle", "KiB", memories.iter().map(|memory| memory.idle).collect());
    add("memory, 1,000 calls in flight", "KiB", memories.iter().map(|memory| memory.in_flight).collect());
    add("memory of an idle connection", "KiB", memories.iter().map(|memory| memory.connection).collect());
    Ok(())
}
