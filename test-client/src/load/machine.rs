//! The report for other programs: JSON with everything, CSV with a line a second.

use serde_json::{Value, json};
use service_runtime::status::CODE_NAMES;
use tonic::Code;

use super::{
    latency::{Latencies, QUANTILES},
    report::Report,
    seconds::Second,
};
use crate::units::{number_of_ms, percent};

/// One object with everything. `failed` says which conditions of `--fail-if` hold.
pub fn json(report: &Report, failed: &[String]) -> Value {
    let load = &report.load;
    let tally = &report.tally;
    json!({
        "target": load.target.name(),
        "address": report.address(),
        "loop": if load.rate.is_some() { "open" } else { "closed" },
        "connections": load.connections,
        "threads": load.threads,
        "concurrency": load.concurrency(),
        "size_bytes": load.size,
        "timeout_ms": number_of_ms(report.options.timeout),
        "interrupted": report.interrupted,
        "elapsed_s": report.elapsed().as_secs_f64(),
        "rate_asked": load.rate,
        "rate": report.rate(),
        "calls": report.calls(),
        "ok": report.ok(),
        "errors": report.errors(),
        "errors_percent": percent(report.errors(), report.calls()),
        "swapped": report.swapped(),
        "lost": tally.lost,
        "not_started": tally.not_started,
        "unfinished": tally.unfinished,
        "latency_ms": latencies(&report.all),
        "ok_latency_ms": latencies(&tally.ok),
        "failed_latency_ms": latencies(&tally.failed),
        "queued": tally.queued,
        "busy_percent": tally.busy * 100.0,
        "lag_ms": latencies(&tally.lag),
        "histogram": report.all.bins().iter().map(|bin| {
            json!({"up_to_ms": number_of_ms(bin.up_to), "calls": bin.count})
        }).collect::<Vec<_>>(),
        "outcomes": report.outcomes().iter().map(|(outcome, calls)| {
            json!({"code": outcome.code_name(), "hop": outcome.hop, "reason": outcome.reason, "calls": calls})
        }).collect::<Vec<_>>(),
        "instances": report.instances().iter().map(|(name, of)| json!({
            "served_by": name,
            "calls": of.latencies.count(),
            "errors": of.errors,
            "latency_ms": latencies(&of.latencies),
        })).collect::<Vec<_>>(),
        "seconds": report.tally.seconds.iter().enumerate().map(second).collect::<Vec<_>>(),
        "warnings": report.warnings(),
        "failed": failed,
    })
}

fn latencies(of: &Latencies) -> Value {
    let mean = (of.count() > 0).then(|| number_of_ms(of.mean()));
    let quantiles = QUANTILES.map(|(name, quantile)| (name, of.at(quantile).map(number_of_ms)));
    let all = [("mean", mean)].into_iter().chain(quantiles);
    all.map(|(name, ms)| (name.to_owned(), json!(ms))).collect::<serde_json::Map<_, _>>().into()
}

fn second((t, of): (usize, &Second)) -> Value {
    let codes = CODE_NAMES.iter().zip(of.codes).filter(|(_, calls)| *calls > 0);
    json!({
        "t": t,
        "calls": of.calls(),
        "rate": of.answers,
        "ok": of.ok(),
        "errors": of.calls() - of.ok(),
        "p50_ms": of.latencies.at(0.5).map(number_of_ms),
        "p99_ms": of.latencies.at(0.99).map(number_of_ms),
        "max_ms": of.latencies.max().map(number_of_ms),
        "codes": codes.map(|(name, calls)| ((*name).to_owned(), json!(calls))).collect::<serde_json::Map<_, _>>(),
    })
}

/// A line a second, under a line with the names of the columns.
pub fn csv(report: &Report) -> String {
    let seconds = &report.tally.seconds;
    let codes: Vec<usize> = seconds.codes().into_iter().filter(|code| *code != Code::Ok as usize).collect();
    let mut csv = "t,calls,rate,ok,errors,p50_ms,p99_ms,max_ms".to_owned();
    csv.extend(codes.iter().map(|code| format!(",{}", CODE_NAMES[*code])));
    for (t, second) in seconds.iter().enumerate() {
        let calls = second.calls();
        let ok = second.ok();
        csv += &format!("\n{t},{calls},{},{ok},{}", second.answers, calls - ok);
        let of = &second.latencies;
        for latency in [of.at(0.5), of.at(0.99), of.max()] {
            csv += &latency.map_or(",".to_owned(), |latency| format!(",{}", number_of_ms(latency)));
        }
        csv.extend(codes.iter().map(|code| format!(",{}", second.codes[*code])));
    }
    csv
}
