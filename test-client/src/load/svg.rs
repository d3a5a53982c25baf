//! Charts as SVG: lines over a logarithmic scale, and stacked bars. They need no script and no other file.

use std::fmt::Write as _;

const WIDTH: f64 = 900.0;
const HEIGHT: f64 = 260.0;
const LEFT: f64 = 76.0;
const RIGHT: f64 = 28.0;
const BOTTOM: f64 = 28.0;
const TOP: f64 = 10.0;

/// A line with its name; points whose second value is zero or less are left out.
pub struct Line {
    /// What the legend says.
    pub name: String,
    /// From left to right.
    pub points: Vec<(f64, f64)>,
}

/// Bars of several parts.
pub struct Bars {
    /// What the legend says of each part.
    pub names: Vec<String>,
    /// For each bar the size of each part.
    pub bars: Vec<Vec<f64>>,
}

/// What is below a chart.
pub struct Scale {
    /// Where it ends; it begins at zero.
    pub end: f64,
    /// Where something is written, and what.
    pub marks: Vec<(f64, String)>,
}

impl Scale {
    fn x(&self, value: f64) -> f64 {
        LEFT + value / self.end * (WIDTH - LEFT - RIGHT)
    }
}

/// Lines over a logarithmic scale in milliseconds.
pub fn lines(lines: &[Line], scale: &Scale) -> String {
    let points = || lines.iter().flat_map(|line| &line.points).filter(|point| point.1 > 0.0);
    let (low, high) =
        points().fold((f64::INFINITY, 0.0_f64), |(low, high), point| (low.min(point.1), high.max(point.1)));
    if high == 0.0 {
        return "<p>no data</p>".into();
    }
    let bottom = low.log10().floor();
    let top = high.log10().ceil().max(low.log10().floor() + 1.0);
    let y = |value: f64| TOP + (top - value.log10()) / (top - bottom) * (HEIGHT - TOP - BOTTOM);
    let mut svg = open();
    let mut power = bottom;
    while power <= top {
        grid(&mut svg, y(10_f64.powf(power)), &format!("{} ms", 10_f64.powf(power)));
        power += 1.0;
    }
    for (index, line) in lines.iter().enumerate() {
        let points = line.points.iter().filter(|point| point.1 > 0.0);
        let path: Vec<_> = points.map(|point| format!("{:.1},{:.1}", scale.x(point.0), y(point.1))).collect();
        // A line of one point is a dot.
        let path = if path.len() == 1 { [path.clone(), path].concat() } else { path };
        let _ = write!(svg, r#"<polyline class="line c{}" points="{}"/>"#, index % COLOURS, path.join(" "));
    }
    close(svg, scale, lines.iter().map(|line| line.name.as_str()))
}

/// Bars whose parts stand on each other.
pub fn bars(bars: &Bars, scale: &Scale) -> String {
    let most = bars.bars.iter().map(|bar| bar.iter().sum::<f64>()).fold(0.0_f64, f64::max);
    if most == 0.0 {
        return "<p>no data</p>".into();
    }
    let height = |value: f64| value / most * (HEIGHT - TOP - BOTTOM);
    let mut svg = open();
    for share in [0.0, 0.5, 1.0] {
        grid(&mut svg, HEIGHT - BOTTOM - height(most * share), &format!("{:.0}", most * share));
    }
    let mut left = 0.0;
    for bar in &bars.bars {
        let mut base = HEIGHT - BOTTOM;
        for (index, part) in bar.iter().enumerate().filter(|(_, part)| **part > 0.0) {
            base -= height(*part);
            let colour = index % COLOURS;
            let width = (scale.x(left + 1.0) - scale.x(left)) * 0.9;
            let x = scale.x(left);
            let height = height(*part);
            let _ = write!(
                svg,
                r#"<rect class="f{colour}" x="{x:.1}" y="{base:.1}" width="{width:.1}" height="{height:.1}"><title>{} {part}</title></rect>"#,
                bars.names[index]
            );
        }
        left += 1.0;
    }
    close(svg, scale, bars.names.iter().map(String::as_str))
}

/// How many colours the page's style has.
const COLOURS: usize = 8;

fn open() -> String {
    format!(r#"<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img">"#)
}

fn grid(svg: &mut String, y: f64, text: &str) {
    let right = WIDTH - RIGHT;
    let at = LEFT - 6.0;
    let _ = write!(svg, r#"<line class="grid" x1="{LEFT}" x2="{right}" y1="{y:.1}" y2="{y:.1}"/>"#);
    let _ = write!(svg, r#"<text x="{at}" y="{:.1}" text-anchor="end">{text}</text>"#, y + 4.0);
}

fn close<'a>(mut svg: String, scale: &Scale, names: impl Iterator<Item = &'a str>) -> String {
    for (at, text) in &scale.marks {
        let _ = write!(svg, r#"<text x="{:.1}" y="{}" text-anchor="middle">{text}</text>"#, scale.x(*at), HEIGHT - 8.0);
    }
    svg += "</svg><p class=legend>";
    for (index, name) in names.enumerate() {
        let _ = write!(svg, r#"<span><i class="b{}"></i>{name}</span> "#, index % COLOURS);
    }
    svg + "</p>"
}
