//! Markdown tables.

use service_runtime::printable::printable;

/// A line of a table, each cell as wide as its column, so that it can be read as it stands.
pub fn line<'a>(cells: impl IntoIterator<Item = &'a str>, widths: &[usize]) -> String {
    let cells = cells.into_iter().zip(widths).map(|(cell, width)| format!("{:width$}", printable(cell)));
    format!("| {} |\n", cells.collect::<Vec<_>>().join(" | "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cell_stays_in_its_line_whatever_a_peer_put_into_it() {
        assert_eq!(line(["a\n\u{9b}2J\u{202e}", "b"], &[3, 2]), "| a\\n\\u{9b}2J\\u{202e} | b  |\n");
        assert_eq!(line(["é", "b"], &[3, 2]), "| é   | b  |\n");
    }
}
