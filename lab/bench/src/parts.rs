//! Where a call's instructions go, by part of the program, as a picture.
//!
//! A function's instructions are its own, by its name. What the optimizer has put into another function counts there, so the parts are
//! read as orders of magnitude; the sum is exact.

use std::{collections::BTreeMap, fmt::Write as _};

use crate::{callgrind::Profile, sides};

/// Of two sides; with HPACK.
const HTTP2: &str = "HTTP/2";

/// Parts, and what their functions' names have in them. The first that fits takes the function, the last one every other.
const PARTS: [(&str, &[&str]); 11] = [
    ("memcpy and its kin", &["__mem", "bcmp"]),
    ("allocator", &["mi_", "malloc", "calloc", "realloc", "cfree"]),
    ("handler, messages", &["service_a::", "service_b::", "echo_proto::", "prost::"]),
    ("channel to A", &["service_runtime::client::"]),
    ("layers, server", &["service_runtime::"]),
    (HTTP2, &["h2::"]),
    ("header maps", &["http::"]),
    ("hyper", &["hyper::", "hyper_util::"]),
    ("tonic, tower, bodies", &["tonic::", "tonic_prost::", "tower::", "tower_service::", "http_body", "bytes::"]),
    ("tokio, futures", &["tokio", "futures_", "core::future::", "mio::"]),
    ("the rest", &[""]),
];

/// The instructions of each part, the most first.
pub fn of(profile: &Profile) -> Vec<(&'static str, f64)> {
    let shares = sides::server_shares(profile);
    let mut sums: BTreeMap<&str, f64> = BTreeMap::new();
    for (function, cost) in &profile.own {
        let of_server = shares.get(function.as_str()).map_or(0.0, |share| share * cost);
        match part(function) {
            HTTP2 => {
                *sums.entry("HTTP/2 as a server").or_default() += of_server;
                *sums.entry("HTTP/2 as a client").or_default() += cost - of_server;
            }
            part => *sums.entry(part).or_default() += cost,
        }
    }
    let mut sums: Vec<_> = sums.into_iter().collect();
    sums.sort_by(|one, other| other.1.total_cmp(&one.1));
    sums
}

fn part(function: &str) -> &'static str {
    let fits = |names: &[&str]| names.iter().any(|name| function.contains(name));
    PARTS.iter().find(|(_, names)| fits(names)).map_or("the rest", |(part, _)| part)
}

/// A bar for each part, as SVG.
pub fn picture(title: &str, profile: &Profile) -> String {
    let parts = of(profile);
    let total = profile.instructions();
    let most = parts.first().map_or(1.0, |(_, cost)| *cost);
    let height = 40 + 22 * parts.len();
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"720\" height=\"{height}\" font-family=\"sans-serif\" font-size=\"13\">\n\
         <rect width=\"720\" height=\"{height}\" fill=\"white\"/>\n<text x=\"10\" y=\"20\">{title}: {total:.0} instructions</text>\n"
    );
    for (index, (part, cost)) in parts.iter().enumerate() {
        let (top, width) = (34 + 22 * index, 400.0 * cost / most);
        let (line, share) = (top + 13, 100.0 * cost / total);
        let _ = writeln!(
            svg,
            "<text x=\"150\" y=\"{line}\" text-anchor=\"end\">{part}</text>\
             <rect x=\"160\" y=\"{top}\" width=\"{width:.0}\" height=\"16\" fill=\"#4878a8\"/>\
             <text x=\"{:.0}\" y=\"{line}\">{cost:.0} ({share:.0} %)</text>",
            width + 166.0
        );
    }
    svg + "</svg>\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_function_is_in_one_part_and_the_parts_add_up() {
        let own = [("h2::server::x", 5.0), ("h2::client::x", 3.0), ("mi_free", 2.0), ("main", 1.0)];
        let own = own.map(|(name, cost)| (name.to_owned(), cost)).into();
        let parts = of(&Profile { own, ..Profile::default() });
        let sides = [("HTTP/2 as a server", 5.0), ("HTTP/2 as a client", 3.0)];
        assert_eq!(parts, [sides[0], sides[1], ("allocator", 2.0), ("the rest", 1.0)]);
    }
}
