//! A benchmark's report: tables under headings for the terminal and for Markdown, and rows for machines.
//!
//! It must not know what was measured.

use std::path::Path;

use comfy_table::presets::{ASCII_MARKDOWN, UTF8_FULL_CONDENSED};
use comfy_table::{CellAlignment, Table};
use serde::Serialize;
use serde_json::Value;

use crate::BenchError;
use crate::bootstrap::Interval;
use crate::cache::write_whole;

/// A report in sections.
#[derive(Debug, Default)]
pub(crate) struct Report {
    sections: Vec<Section>,
}

/// A table under a heading, with a note.
#[derive(Debug)]
struct Section {
    heading: String,
    note: String,
    table: Table,
}

/// One measured value with its unit, as a line of a `.jsonl` file.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Figure {
    /// The benchmark.
    pub(crate) bench: String,
    /// The measure.
    pub(crate) metric: String,
    /// What was measured.
    pub(crate) arm: String,
    /// The measured value.
    pub(crate) value: f64,
    /// What it is counted in.
    pub(crate) unit: &'static str,
}

/// One measured value, as a line of a `.jsonl` file.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Row {
    /// The benchmark.
    pub(crate) bench: String,
    /// The measure.
    pub(crate) metric: String,
    /// The arm, or two arms and a minus sign between them.
    pub(crate) arm: String,
    /// The measured value.
    pub(crate) value: f64,
    /// 2.5 % of the bootstrap values lie below.
    pub(crate) low: f64,
    /// 2.5 % of the bootstrap values lie above.
    pub(crate) high: f64,
    /// What was resampled: how many questions or conversations.
    pub(crate) n: usize,
}

impl Row {
    /// A row with an interval.
    #[must_use]
    pub(crate) fn new(bench: &str, metric: impl Into<String>, arm: impl Into<String>, interval: Interval) -> Self {
        Self {
            bench: bench.to_owned(),
            metric: metric.into(),
            arm: arm.into(),
            value: rounded(interval.mean),
            low: rounded(interval.low),
            high: rounded(interval.high),
            n: 0,
        }
    }

    /// The row over `count` questions or conversations.
    #[must_use]
    pub(crate) fn over(mut self, count: usize) -> Self {
        self.n = count;
        self
    }
}

impl Report {
    /// Adds a section.
    pub(crate) fn add(&mut self, heading: impl Into<String>, note: impl Into<String>, table: Table) {
        self.sections.push(Section {
            heading: heading.into(),
            note: note.into(),
            table,
        });
    }

    /// The report for a terminal.
    #[must_use]
    pub(crate) fn terminal(&mut self) -> String {
        self.rendered(UTF8_FULL_CONDENSED, "")
    }

    /// The report as Markdown.
    #[must_use]
    pub(crate) fn markdown(&mut self, title: &str) -> String {
        format!("# {title}\n\n{}", self.rendered(ASCII_MARKDOWN, "## "))
    }

    fn rendered(&mut self, preset: &str, heading: &str) -> String {
        let mut text = String::new();
        for section in &mut self.sections {
            section.table.load_preset(preset);
            let note = if section.note.is_empty() {
                String::new()
            } else {
                format!("{}\n\n", section.note)
            };
            text.push_str(&format!(
                "{heading}{}\n\n{note}{}\n\n",
                section.heading,
                section.table.trim_fmt()
            ));
        }
        text
    }
}

impl Figure {
    /// A figure, rounded to three digits behind the point, which is more than rounds have in common.
    #[must_use]
    pub(crate) fn new(bench: &str, (metric, arm): (&str, &str), value: f64, unit: &'static str) -> Self {
        Self {
            bench: bench.to_owned(),
            metric: metric.to_owned(),
            arm: arm.to_owned(),
            value: (value * 1e3).round() / 1e3,
            unit,
        }
    }
}

/// A benchmark's name with its size: `ingest-1k`, `ingest-1m`, or with the whole number.
#[must_use]
pub(crate) fn sized(bench: &str, size: usize) -> String {
    match size {
        size if size >= 1_000_000 && size.is_multiple_of(1_000_000) => format!("{bench}-{}m", size / 1_000_000),
        size if size >= 1000 && size.is_multiple_of(1000) => format!("{bench}-{}k", size / 1000),
        size => format!("{bench}-{size}"),
    }
}

/// A table with text on the left and figures on the right.
#[must_use]
pub(crate) fn table<H: Into<String>>(header: impl IntoIterator<Item = H>) -> Table {
    let mut table = Table::new();
    table.set_header(header.into_iter().map(Into::into).collect::<Vec<String>>());
    for column in table.column_iter_mut().skip(1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    table
}

/// Writes the rows to the file at `path`, a line for each.
///
/// # Errors
/// [`BenchError::Write`] if the file cannot be written, [`BenchError::Data`] if a value is no number.
pub(crate) fn write_rows(path: &Path, rows: &[impl Serialize]) -> Result<(), BenchError> {
    write_whole(path, lines(path, rows)?.as_bytes())
}

/// Writes the figures of one study to the file at `path`, behind those of other studies that it has already.
///
/// # Errors
/// As [`write_rows`].
pub(crate) fn write_study(path: &Path, study: &str, figures: &[Figure]) -> Result<(), BenchError> {
    let before = std::fs::read_to_string(path).unwrap_or_default();
    let is_of_study = |line: &str| serde_json::from_str::<Value>(line).is_ok_and(|row| row["bench"] == study);
    let others = before.lines().filter(|line| !is_of_study(line));
    let mut text: String = others.map(|line| format!("{line}\n")).collect();
    text.push_str(&lines(path, figures)?);
    write_whole(path, text.as_bytes())
}

fn lines(path: &Path, rows: &[impl Serialize]) -> Result<String, BenchError> {
    let mut lines = String::new();
    for row in rows {
        let line = serde_json::to_string(row).map_err(|error| BenchError::Data {
            path: path.to_owned(),
            reason: error.to_string(),
        })?;
        lines.push_str(&line);
        lines.push('\n');
    }
    Ok(lines)
}

/// Five digits are more than any of these samples can tell apart.
fn rounded(value: f64) -> f64 {
    (value * 1e5).round() / 1e5
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests fail loudly")]

    use super::*;

    #[test]
    fn markdown_has_headings_and_pipes() {
        let mut report = Report::default();
        let mut table = table(["arm", "share"]);
        table.add_row(["one", "0.5"]);
        report.add("Coverage", "A note.", table);
        let text = report.markdown("Recall");
        assert!(
            text.starts_with("# Recall\n\n## Coverage\n\nA note.\n\n| arm"),
            "{text}"
        );
        assert!(report.terminal().contains("A note."));
    }

    #[test]
    fn benchmarks_are_named_by_their_size() {
        let names = [1000, 10_000, 100_000, 1_000_000, 1500].map(|size| sized("some", size));
        let expected = ["1k", "10k", "100k", "1m", "1500"].map(|size| format!("some-{size}"));
        assert_eq!(names, expected);
    }

    #[test]
    fn every_row_is_a_line_of_its_own() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("rows.jsonl");
        let interval = Interval {
            mean: 0.123_456_789,
            low: 0.1,
            high: 0.2,
        };
        let row = |arm: &str| Row::new("some", "share", arm, interval).over(3);
        write_rows(&path, &[row("one"), row("two")]).unwrap();
        let text = std::fs::read_to_string(&path).unwrap();
        let first = r#"{"bench":"some","metric":"share","arm":"one","value":0.12346,"low":0.1,"high":0.2,"n":3}"#;
        assert_eq!(text.lines().next(), Some(first));
        assert_eq!(text.lines().count(), 2);
    }

    #[test]
    fn a_study_replaces_its_own_figures_and_no_others() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("several.jsonl");
        let figure = |study: &str, value| Figure::new(study, ("lost", "one"), value, "turns");
        write_rows(&path, &[figure("mine", 1.0), figure("yours", 2.0), figure("mine", 3.0)]).unwrap();
        write_study(&path, "mine", &[figure("mine", 4.0)]).unwrap();
        let row = |study: &str, value: &str| {
            format!(r#"{{"bench":"{study}","metric":"lost","arm":"one","value":{value},"unit":"turns"}}"#)
        };
        let text = std::fs::read_to_string(&path).unwrap();
        assert_eq!(
            text.lines().collect::<Vec<_>>(),
            [row("yours", "2.0"), row("mine", "4.0")]
        );
    }
}
