//! A answers UNAVAILABLE to a share of its calls: how many attempts B makes of a call, and how many calls go well.

use std::{fmt::Write as _, fs::File, io::Write as _, path::PathBuf, time::Duration};

use anyhow::Context as _;
use tokio::sync::broadcast::error::RecvError;

use super::load::{self, Loop};
use crate::{child::Child, print::print, program::Program};

const RATE: u32 = 1000;
/// How long a load may take.
const LOAD_TIMEOUT: Duration = Duration::from_secs(120);
/// In percent.
const SHARES: [u32; 11] = [0, 1, 2, 5, 10, 20, 30, 50, 70, 90, 100];

struct Point {
    share: u32,
    amplification: f64,
    success: f64,
}

/// Makes `calls` calls for each share. True if attempts never were more than 1.10 × calls + 10.
pub async fn run(program: &Program, calls: usize, plot: Option<&PathBuf>) -> anyhow::Result<bool> {
    // Before the calls are made: it would be late to find out after them.
    let plot = plot.map(File::create).transpose().context("cannot write --plot")?;
    print("A fails   attempts a call   calls that went well\n");
    let mut points = Vec::new();
    let mut within = true;
    for share in SHARES {
        let (attempts, report) = storm(program, share, calls).await?;
        #[expect(clippy::cast_precision_loss, reason = "figures")]
        let point = Point {
            share,
            amplification: attempts as f64 / report.calls as f64,
            success: 100.0 * (report.calls - report.errors) as f64 / report.calls as f64,
        };
        print(&format!("{share:>5} %   {:>15.3}   {:>18.2} %\n", point.amplification, point.success));
        // In any ten seconds: the reserve of ten counts once for each.
        let windows = report.calls.div_ceil(u64::from(RATE) * 10);
        within &= attempts <= report.calls * 11 / 10 + 10 * windows;
        points.push(point);
    }
    if let Some(mut file) = plot {
        file.write_all(svg(&points).as_bytes()).context("cannot write --plot")?;
    }
    Ok(within)
}

/// The attempts that A saw, and the report.
async fn storm(program: &Program, share: u32, calls: usize) -> anyhow::Result<(u64, load::Report)> {
    let behavior = format!("error-code-14:{share}%");
    let flags = ["--rpc-behavior", &behavior];
    let a = Child::start_on_free_port(program, "service-a", &flags).await?;
    let mut log = a.log_from_now();
    let flags = ["--log", "warn", "--service-a", &a.url()];
    let b = Child::start_on_free_port(program, "service-b", &flags).await?;
    let count = tokio::spawn(async move {
        // A line a call; those that were not read in time are counted all the same.
        let mut lines = 0;
        loop {
            match log.recv().await {
                Ok(line) => lines += u64::from(line.contains("endpoint=/echo")),
                Err(RecvError::Lagged(more)) => lines += more,
                Err(RecvError::Closed) => return lines,
            }
        }
    });
    let report = load::run(program, &b.url(), Loop::Open(RATE), calls, LOAD_TIMEOUT).await?;
    drop(b);
    drop(a);
    Ok((count.await?, report))
}

/// Both curves over the share that fails: attempts a call from 1.0 to 1.2 on the left, success in percent on the right.
fn svg(points: &[Point]) -> String {
    let x = |share: u32| 60.0 + 5.0 * f64::from(share);
    let left = |amplification: f64| 260.0 - (amplification - 1.0) * 1000.0;
    let right = |success: f64| 260.0 - success * 2.0;
    let curve = |y: &dyn Fn(&Point) -> f64| {
        points.iter().fold(String::new(), |mut line, point| {
            let _ = write!(line, "{:.1},{:.1} ", x(point.share), y(point));
            line
        })
    };
    let mut marks = String::new();
    for share in [0, 20, 40, 60, 80, 100] {
        let _ = write!(marks, r#"<text x="{}" y="280" text-anchor="middle">{share} %</text>"#, x(share));
        let _ = write!(marks, r#"<text x="570" y="{:.0}">{share} %</text>"#, right(f64::from(share)) + 4.0);
    }
    for tenths in [100, 105, 110, 115, 120] {
        let value = f64::from(tenths) / 100.0;
        let _ = write!(marks, r#"<text x="52" y="{:.0}" text-anchor="end">{value:.2}</text>"#, left(value) + 4.0);
    }
    format!(
        r##"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 640 310" font-family="sans-serif" font-size="12">
<rect width="640" height="310" fill="#fff"/><path d="M60 60V260H560V60" fill="none" stroke="#888"/>{marks}
<text x="310" y="303" text-anchor="middle">share of A's answers that are UNAVAILABLE</text>
<text x="60" y="24" fill="#b00">— attempts a call (never above 1.10 and ten in ten seconds)</text>
<text x="60" y="42" fill="#06c">— calls that go well, B's retries included</text>
<polyline points="{}" fill="none" stroke="#b00" stroke-width="2"/>
<polyline points="{}" fill="none" stroke="#06c" stroke-width="2"/>
</svg>
"##,
        curve(&|point| left(point.amplification)),
        curve(&|point| right(point.success)),
    )
}
