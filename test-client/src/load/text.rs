//! The report as text, within a hundred columns.

use super::{
    latency::{Latencies, QUANTILES},
    outcome::tame,
    report::Report,
};
use crate::units::{ms, percent_text};

/// How long the longest bar of the histogram is.
const BAR: u64 = 60;

/// The whole report.
pub fn text(report: &Report) -> String {
    let parts = [head(report), latencies(report), histogram(report), outcomes(report), instances(report)];
    let mut text: String = parts.iter().filter(|part| !part.is_empty()).map(|part| format!("{part}\n")).collect();
    for warning in report.warnings() {
        text += &format!("! {warning}\n");
    }
    text.trim_end().lines().map(str::trim_end).collect::<Vec<_>>().join("\n")
}

fn head(report: &Report) -> String {
    let load = &report.load;
    let tally = &report.tally;
    let name = load.target.name();
    let asked = load.rate.map(|rate| format!(" of {rate}/s asked for")).unwrap_or_default();
    let of = |calls| format!("{calls} ({})", percent_text(calls, report.calls()));
    let mut head = format!("{name} at {}, {}\n\n", report.options.called.target, kind(report));
    head += &format!("calls    {} in {:.1?}: {:.1}/s{asked}\n", report.calls(), report.elapsed(), report.rate());
    head += &format!("ok       {}    errors {}", of(report.ok()), of(report.errors()));
    head += &format!("    swapped {}    lost {}", report.swapped(), tally.lost);
    head + &format!("    not started {}\n", tally.not_started)
}

fn kind(report: &Report) -> String {
    let load = &report.load;
    let count = |n: usize, what: &str| format!("{n} {what}{}", if n == 1 { "" } else { "s" });
    let connections = count(load.connections, "connection");
    let threads = count(load.threads, "thread");
    let kind = match load.rate {
        Some(rate) => format!("open loop of {rate} calls/s"),
        None => format!("closed loop of {}", count(load.concurrency(), "caller")),
    };
    format!("{kind}, {connections}, {threads}, {} B", load.size)
}

fn latencies(report: &Report) -> String {
    let from = if report.load.rate.is_some() { "intended start" } else { "start" };
    let mut table = format!("latency in ms, from the {from}\n{:17}{:>9}", "", "calls");
    table.extend(QUANTILES.map(|(name, _)| format!("{name:>10}")));
    table.push('\n');
    let tally = &report.tally;
    let mut rows = vec![("all", &report.all)];
    if tally.failed.count() > 0 {
        rows.extend([("ok", &tally.ok), ("failed", &tally.failed)]);
    }
    if report.load.rate.is_some() {
        rows.push(("own lag", &tally.lag));
    }
    table.extend(rows.iter().map(|(name, of)| row(name, of)));
    table + &format!("  own work       {:>9.0} % of the time of the busiest thread\n", tally.busy * 100.0)
}

fn row(name: &str, latencies: &Latencies) -> String {
    let mut row = format!("  {name:15}{:>9}", latencies.count());
    row.extend(QUANTILES.map(|(_, quantile)| format!("{:>10}", latencies.at(quantile).map(ms).unwrap_or_default())));
    row + "\n"
}

fn histogram(report: &Report) -> String {
    let bins = report.all.bins();
    let most = bins.iter().map(|bin| bin.count).max().unwrap_or(1);
    let bar = |count: u64| "#".repeat(usize::try_from((count * BAR).div_ceil(most)).unwrap_or_default());
    bins.iter().map(|bin| format!("  ≤ {:>8} ms {:>9}  {}\n", ms(bin.up_to), bin.count, bar(bin.count))).collect()
}

fn outcomes(report: &Report) -> String {
    let outcomes = report.outcomes();
    let mut table = String::new();
    if !outcomes.is_empty() {
        table += &format!("{:20}{:14}{:32}{:>12}{:>13}\n", "code", "hop", "reason", "calls", "share");
    }
    for (outcome, calls) in outcomes {
        let share = percent_text(calls, report.calls());
        let [hop, reason] = [&outcome.hop, &outcome.reason].map(|text| if text.is_empty() { "-" } else { text });
        table +=
            &format!("{:20}{:14}{:32}{calls:>12}{share:>13}\n", outcome.code_name(), tame(hop, 13), tame(reason, 31));
    }
    table
}

fn instances(report: &Report) -> String {
    let instances = report.instances();
    let mut table = String::new();
    if !instances.is_empty() {
        table += &format!("{:50}{:>10}{:>10}{:>10}{:>10}\n", "served by", "calls", "errors", "p50", "p99");
    }
    for (name, of) in instances {
        let [p50, p99] = [0.5, 0.99].map(|quantile| of.latencies.at(quantile).map(ms).unwrap_or_default());
        let name = tame(name, 49);
        let calls = of.latencies.count();
        let errors = of.errors;
        table += &format!("{name:50}{calls:>10}{errors:>10}{p50:>10}{p99:>10}\n");
    }
    table
}
