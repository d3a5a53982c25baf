//! The report as one web page: three charts and the text. It needs nothing else: no network, no script, no other file.

use std::fmt::Write as _;

use service_runtime::{printable::printable_lines, status::CODE_NAMES};
use tonic::Code;

use super::{
    latency::Latencies,
    report::Report,
    seconds::Second,
    svg::{self, Bars, Line, Scale},
    text,
};
use crate::units::number_of_ms;

const STYLE: &str = "\
:root{color-scheme:light dark;--c0:#1f77b4;--c1:#ff7f0e;--c2:#d62728;--c3:#9467bd;--c4:#8c564b;--c5:#e377c2;--c6:#7f7f7f;--c7:#bcbd22}\
body{font:15px/1.5 system-ui,sans-serif;max-width:960px;margin:2em auto;padding:0 1em}\
h1{font-size:1.4em}h2{font-size:1.1em;margin:1.6em 0 .3em}\
svg{width:100%;height:auto}svg text{font-size:12px;fill:currentColor}\
.grid{stroke:currentColor;stroke-opacity:.2}.line{fill:none;stroke-width:2;stroke-linejoin:round;stroke-linecap:round}\
.legend{margin:0}.legend span{margin-right:1.2em}.legend i{display:inline-block;width:.8em;height:.8em;margin-right:.4em}\
pre{overflow-x:auto;font-size:13px;line-height:1.35}.failed{color:#d62728;font-weight:bold}";

/// How many marks there are below a chart of seconds.
const MARKS: usize = 10;

/// The whole page; `failed` says which conditions of `--fail-if` hold.
pub fn page(report: &Report, failed: &[String]) -> String {
    let title = escaped(&format!("{} at {}", report.load.target.name(), report.address()));
    let mut page = format!("<!doctype html>\n<html lang=en><meta charset=utf-8><title>{title}</title><style>{STYLE}");
    for colour in 0..8 {
        let var = format!("var(--c{colour})");
        let _ = write!(page, ".c{colour}{{stroke:{var}}}.f{colour}{{fill:{var}}}.b{colour}{{background:{var}}}");
    }
    let _ = write!(page, "</style>\n<h1>{title}</h1>\n");
    for condition in failed {
        let _ = writeln!(page, "<p class=failed>failed: {}</p>", escaped(condition));
    }
    let from = if report.load.rate.is_some() { "intended start" } else { "start" };
    let charts = [
        (format!("Latency of the calls that were to start in each second, from the {from}"), over_time(report)),
        ("Latency by percentile".into(), by_percentile(report)),
        ("What came of the calls of each second".into(), codes(report)),
    ];
    for (heading, chart) in charts {
        let _ = write!(page, "<h2>{heading}</h2>\n{chart}\n");
    }
    // The address without its scheme: a page that names none can be seen to load nothing.
    let text = text::text(report).replace("http://", "");
    page + &format!("<h2>In numbers</h2>\n<pre>{}</pre>\n", escaped(&text))
}

fn over_time(report: &Report) -> String {
    let line = |name: &str, quantile| {
        let seconds = (0_u32..).zip(report.tally.seconds.iter());
        let at = |(t, second): (u32, &Second)| Some((f64::from(t) + 0.5, number_of_ms(second.latencies.at(quantile)?)));
        Line { name: name.into(), points: seconds.filter_map(at).collect() }
    };
    svg::lines(&[line("p50", 0.5), line("p99", 0.99), line("max", 1.0)], &seconds(report))
}

/// The further to the right, the rarer: each mark is a tenth of the calls beyond the one before it.
fn by_percentile(report: &Report) -> String {
    let marks = [("0", 0.0), ("90 %", 1.0), ("99 %", 2.0), ("99.9 %", 3.0), ("99.99 %", 4.0)];
    let scale = Scale { end: 4.0, marks: marks.map(|(text, nines)| (nines, text.to_owned())).into() };
    let steps = (0_u32..=80).map(|step| f64::from(step) / 20.0);
    let line = |name: &str, latencies: &Latencies| {
        let at = |nines: f64| Some((nines, number_of_ms(latencies.at(1.0 - 10_f64.powf(-nines))?)));
        Line { name: name.into(), points: steps.clone().filter_map(at).collect() }
    };
    let mut lines = vec![line("all", &report.all)];
    if report.errors() > 0 {
        lines.extend([line("ok", &report.tally.ok), line("failed", &report.tally.failed)]);
    }
    svg::lines(&lines, &scale)
}

#[expect(clippy::cast_precision_loss, reason = "nobody makes 2^53 calls")]
fn codes(report: &Report) -> String {
    let codes: Vec<usize> = report.tally.seconds.codes();
    let name = |code: &usize| CODE_NAMES[*code].to_owned();
    let part = |second: &Second, code: usize| {
        if code == Code::Ok as usize { second.ok() as f64 } else { second.codes[code] as f64 }
    };
    let bar = |second: &Second| {
        let parts = codes.iter().map(|code| part(second, *code));
        parts.chain([second.swapped as f64]).collect()
    };
    let names = codes.iter().map(name).chain((report.swapped() > 0).then(|| "swapped".into())).collect();
    svg::bars(&Bars { names, bars: report.tally.seconds.iter().map(bar).collect() }, &seconds(report))
}

fn seconds(report: &Report) -> Scale {
    let last = report.tally.seconds.iter().count().max(1);
    let step = last.div_ceil(MARKS);
    let at = |t: usize| f64::from(u32::try_from(t).unwrap_or(u32::MAX));
    let marks = (0..=last).step_by(step).map(|t| (at(t), format!("{t} s"))).collect();
    Scale { end: at(last), marks }
}

/// Text as HTML shows it, line by line: neither a tag nor what turns the direction of writing.
fn escaped(text: &str) -> String {
    let text = printable_lines(text).replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    text.replace('"', "&quot;").replace('\'', "&#39;")
}
