//! The figures as a table in Markdown, each with its ratio to stock tonic's, and as JSON.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::subject::{Service, Subject};

/// One line of figures.
#[derive(Clone, Debug)]
pub struct Row {
    pub service: Service,
    pub measure: String,
    pub unit: &'static str,
    pub values: BTreeMap<Subject, f64>,
}

/// At most 120 columns; `–` where a subject has nothing to measure.
pub fn markdown(rows: &[Row], subjects: &[Subject]) -> String {
    let mut text = String::new();
    for service in [Service::A, Service::B] {
        let what = if service == Service::A { "A: an Echo" } else { "B: a CallEcho" };
        text += &line(what, subjects, |subject| subject.name().to_owned());
        text += &line(&"-".repeat(LABEL), subjects, |_| "--:".to_owned());
        for row in rows.iter().filter(|row| row.service == service) {
            let unit = if row.unit.is_empty() { String::new() } else { format!(", {}", row.unit) };
            text += &line(&format!("{}{unit}", row.measure), subjects, |subject| cell(row, subject));
        }
        text.push('\n');
    }
    text
}

/// The width of a row's name.
const LABEL: usize = 34;

fn line(first: &str, subjects: &[Subject], cell: impl Fn(Subject) -> String) -> String {
    let mut text = format!("| {first:<LABEL$} |");
    for subject in subjects {
        // Stock's own figures have no ratio beside them.
        let width = if *subject == Subject::Stock { 11 } else { 14 };
        text += &format!(" {:>width$} |", cell(*subject));
    }
    text + "\n"
}

fn cell(row: &Row, subject: Subject) -> String {
    let Some(value) = row.values.get(&subject) else { return "–".to_owned() };
    match row.values.get(&Subject::Stock) {
        Some(stock) if *stock > 0.0 && subject != Subject::Stock => {
            format!("{} ({:.2})", number(*value), value / stock)
        }
        _ => number(*value),
    }
}

/// Three digits or all that stand before the point, with a comma at the thousands.
fn number(value: f64) -> String {
    let digits = match value.abs() {
        ..10.0 => 2,
        ..100.0 => 1,
        _ => 0,
    };
    let text = format!("{value:.digits$}");
    let whole = text.split('.').next().unwrap_or_default().len();
    let mut with_commas = String::new();
    for (index, digit) in text.chars().enumerate() {
        let is_thousand = index > 0 && index < whole && (whole - index) % 3 == 0;
        with_commas.extend(is_thousand.then_some(','));
        with_commas.push(digit);
    }
    with_commas
}

/// The page with this table between the lines that mark its place. `None` where they are not there.
pub fn renewed(page: &str, table: &str) -> Option<String> {
    const BEGIN: &str = "<!-- The table begins; `cargo bench-pair --write` renews it. -->\n";
    const END: &str = "<!-- The table ends. -->\n";
    let (before, rest) = page.split_once(BEGIN)?;
    let (_, after) = rest.split_once(END)?;
    Some([before, BEGIN, table, END, after].concat())
}

/// All rows, each with its values by subject.
pub fn json(rows: &[Row]) -> Value {
    let row = |row: &Row| {
        let values: serde_json::Map<String, Value> =
            row.values.iter().map(|(subject, value)| (subject.name().to_owned(), json!(value))).collect();
        json!({ "service": format!("{:?}", row.service), "measure": row.measure, "unit": row.unit, "values": values })
    };
    rows.iter().map(row).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_figure_but_stocks_has_its_ratio_to_stock() {
        let values =
            BTreeMap::from([(Subject::Ours, 61_500.0), (Subject::Stock, 123_000.0), (Subject::Bare, 1_230_000.0)]);
        let row = Row { service: Service::B, measure: "instructions".to_owned(), unit: "", values };
        let cells: Vec<String> = Subject::ALL.iter().map(|subject| cell(&row, *subject)).collect();
        assert_eq!(cells, ["61,500 (0.50)", "123,000", "–", "1,230,000 (10.00)", "–"]);
    }

    #[test]
    fn no_line_is_wider_than_120_columns() {
        let values = Subject::ALL.map(|subject| (subject, 244_623.0)).into();
        let measure = "memory, 1,000 calls in flight".to_owned();
        let text = markdown(&[Row { service: Service::B, measure, unit: "KiB", values }], &Subject::ALL);
        assert!(text.lines().all(|line| line.chars().count() <= 120), "{text}");
    }

    #[test]
    fn a_page_gets_another_table_and_keeps_its_text() {
        let page = "before\n<!-- The table begins; `cargo bench-pair --write` renews it. -->\nold\n<!-- The table ends. -->\nafter\n";
        assert_eq!(renewed(page, "new\n"), Some(page.replace("old", "new")));
        assert_eq!(renewed("no place", "new\n"), None);
    }

    #[test]
    fn a_small_number_keeps_three_digits() {
        assert_eq!([0.5, 12.34, 1234.5].map(number), ["0.50", "12.3", "1,234"]);
    }
}
