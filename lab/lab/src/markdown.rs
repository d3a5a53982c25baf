//! Markdown tables.

/// A line of a table, each cell as wide as its column, so that it can be read as it stands.
pub fn line<'a>(cells: impl IntoIterator<Item = &'a str>, widths: &[usize]) -> String {
    let cells = cells.into_iter().zip(widths).map(|(cell, width)| format!("{cell:width$}"));
    format!("| {} |\n", cells.collect::<Vec<_>>().join(" | "))
}
