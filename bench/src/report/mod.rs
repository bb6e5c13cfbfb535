//! A benchmark's report: rows for machines, tables of them for people, and where both are written.

mod plot;
mod table;

use std::path::Path;

use comfy_table::presets::{ASCII_MARKDOWN, UTF8_FULL_CONDENSED};
use serde::Serialize;
use serde_json::Value;

pub(crate) use self::plot::{Axis, Chart, Series, draw};
pub(crate) use self::table::{Table, table, table_of};
use crate::BenchError;
use crate::cache::write_whole;
use crate::stats::Figure;

/// One measured figure, as a line of a `.jsonl` file.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Row {
    pub(crate) bench: String,
    pub(crate) metric: String,
    /// What was measured, or two arms and a minus sign between them.
    pub(crate) arm: String,
    pub(crate) value: f64,
    /// What it is counted in; shares have none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) unit: Option<&'static str>,
    /// The least of the rounds, or the lower end of the bootstrap interval.
    pub(crate) low: f64,
    /// The greatest of the rounds, or the upper end of the bootstrap interval.
    pub(crate) high: f64,
    /// How many questions, conversations or rounds there were; 0 where that means nothing.
    #[serde(skip_serializing_if = "is_zero")]
    pub(crate) n: usize,
}

/// A report in sections, with the rows that it is about.
#[derive(Debug, Default)]
pub(crate) struct Report {
    pub(crate) rows: Vec<Row>,
    /// The picture, row by row; none without any.
    pub(crate) charts: Vec<Vec<Chart>>,
    sections: Vec<Section>,
}

#[derive(Debug)]
struct Section {
    heading: String,
    note: String,
    table: Table,
}

/// Where the figures of all benchmarks of speed lie together.
pub(crate) const SPEED: &str = "speed.jsonl";
/// And those of all studies of reliability.
pub(crate) const RELIABILITY: &str = "reliability.jsonl";

impl Row {
    pub(crate) fn new(bench: &str, metric: &str, arm: &str, figure: impl Into<Figure>) -> Self {
        let Figure { value, low, high } = figure.into();
        Self {
            bench: bench.to_owned(),
            metric: metric.to_owned(),
            arm: arm.to_owned(),
            value: rounded(value),
            unit: None,
            low: rounded(low),
            high: rounded(high),
            n: 0,
        }
    }

    pub(crate) fn counted_in(self, unit: &'static str) -> Self {
        Self { unit: Some(unit), ..self }
    }

    /// The row over `count` questions, conversations or rounds.
    pub(crate) fn over(self, count: usize) -> Self {
        Self { n: count, ..self }
    }

    pub(crate) fn figure(&self) -> Figure {
        Figure { value: self.value, low: self.low, high: self.high }
    }
}

/// The row of an arm's measure.
pub(crate) fn find<'a>(rows: &'a [Row], bench: &str, metric: &str, arm: &str) -> Option<&'a Row> {
    rows.iter().find(|row| row.metric == metric && row.arm == arm && row.bench == bench)
}

/// The rows of an arm's figures, each with its measure and what it is counted in.
pub(crate) fn rows_of<M: AsRef<str>, F: Into<Figure>>(
    bench: &str,
    arm: &str,
    figures: impl IntoIterator<Item = (M, F, &'static str)>,
) -> Vec<Row> {
    let row = |(metric, figure, unit): (M, F, _)| Row::new(bench, metric.as_ref(), arm, figure).counted_in(unit);
    figures.into_iter().map(row).collect()
}

/// The rows of the median and the 99th percentile of the milliseconds of all rounds; none without any. `before` is what the
/// names of the measures begin with.
pub(crate) fn quantiles(bench: &str, before: &str, arm: &str, rounds: &[Vec<f64>]) -> Vec<Row> {
    let quantiles = [("p50_ms", 500), ("p99_ms", 990)].into_iter().filter_map(|(name, thousandths)| {
        let figure = Figure::quantile(rounds, thousandths).filter(|_| rounds.iter().any(|round| !round.is_empty()));
        Some((format!("{before}{name}"), figure?, "ms"))
    });
    rows_of(bench, arm, quantiles)
}

impl Report {
    pub(crate) fn add(&mut self, heading: impl Into<String>, note: impl Into<String>, table: Table) {
        self.sections.push(Section { heading: heading.into(), note: note.into(), table });
    }

    /// Adds a section with a table of those rows that `takes` takes, see [`table_of`].
    pub(crate) fn tabulate(
        &mut self,
        heading: impl Into<String>,
        note: impl Into<String>,
        takes: impl Fn(&Row) -> bool,
    ) {
        let table = table_of(self.rows.iter().filter(|row| takes(row)));
        self.add(heading, note, table);
    }

    /// Prints the tables, and writes them as `NAME.md` below a title and above the picture, `NAME.svg`, and the rows into `file`,
    /// where they take the place of those of the same benchmarks.
    pub(crate) fn publish(&mut self, directory: &Path, name: &str, title: &str, file: &str) -> Result<(), BenchError> {
        anstream::println!("{}", self.rendered(UTF8_FULL_CONDENSED, ""));
        let markdown = directory.join(format!("{name}.md"));
        let mut text = format!("# {title}\n\n{}", self.rendered(ASCII_MARKDOWN, "## "));
        if !self.charts.is_empty() {
            text.push_str(&format!("![{title}]({name}.svg)\n"));
            write_whole(&directory.join(format!("{name}.svg")), draw(&self.charts)?.as_bytes())?;
        }
        write_whole(&markdown, text.as_bytes())?;
        let lines = directory.join(file);
        write_rows(&lines, &self.rows)?;
        anstream::println!("Written: {} and {}", markdown.display(), lines.display());
        Ok(())
    }

    fn rendered(&mut self, preset: &str, heading: &str) -> String {
        let mut text = String::new();
        for section in &mut self.sections {
            section.table.load_preset(preset);
            text.push_str(&format!("{heading}{}\n\n", section.heading));
            if !section.note.is_empty() {
                text.push_str(&format!("{}\n\n", section.note));
            }
            text.push_str(&format!("{}\n\n", section.table.trim_fmt()));
        }
        text
    }
}

/// A benchmark's name with its size: `ingest-1k`, `ingest-1m`, or with the whole number.
pub(crate) fn sized(bench: &str, size: usize) -> String {
    match size {
        size if size >= 1_000_000 && size.is_multiple_of(1_000_000) => format!("{bench}-{}m", size / 1_000_000),
        size if size >= 1000 && size.is_multiple_of(1000) => format!("{bench}-{}k", size / 1000),
        size => format!("{bench}-{size}"),
    }
}

fn write_rows(path: &Path, rows: &[Row]) -> Result<(), BenchError> {
    let bench = |line: &str| Some(serde_json::from_str::<Value>(line).ok()?["bench"].as_str()?.to_owned());
    let is_replaced = |line: &str| bench(line).is_some_and(|bench| rows.iter().any(|row| row.bench == bench));
    let before = std::fs::read_to_string(path).unwrap_or_default();
    let others = before.lines().filter(|line| !is_replaced(line));
    let mut text: String = others.map(|line| format!("{line}\n")).collect();
    for row in rows {
        let line = serde_json::to_string(row).map_err(|error| BenchError::data(path, error))?;
        text.push_str(&format!("{line}\n"));
    }
    write_whole(path, text.as_bytes())
}

/// Five digits are more than any of these samples can tell apart.
fn rounded(value: f64) -> f64 {
    (value * 1e5).round() / 1e5
}

fn is_zero(count: &usize) -> bool {
    *count == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_is_written_with_headings_and_a_line_for_every_row() {
        let directory = tempfile::tempdir().unwrap();
        let mut report = Report::default();
        let mut table = table(["arm", "share"]);
        table.add_row(["one", "0.5"]);
        report.add("Coverage", "A note.", table);
        let axis = || Axis::linear("", &[]);
        report.charts = vec![vec![Chart { title: String::new(), across: axis(), up: axis(), series: Vec::new() }]];
        let figure = Figure { value: 0.123_456_789, low: 0.1, high: 0.2 };
        report.rows.push(Row::new("some", "share", "one", figure).over(3));
        report.rows.push(Row::new("some", "time", "one", 2.0).counted_in("ms"));
        let published = report.publish(directory.path(), "some", "Recall", "some.jsonl");
        published.unwrap();
        let read = |name: &str| std::fs::read_to_string(directory.path().join(name)).unwrap();
        let markdown = read("some.md");
        assert!(
            markdown.starts_with("# Recall\n\n## Coverage\n\nA note.\n\n| arm")
                && markdown.ends_with("![Recall](some.svg)\n")
        );
        assert!(read("some.svg").starts_with("<svg"));
        let lines = [
            r#"{"bench":"some","metric":"share","arm":"one","value":0.12346,"low":0.1,"high":0.2,"n":3}"#,
            r#"{"bench":"some","metric":"time","arm":"one","value":2.0,"unit":"ms","low":2.0,"high":2.0}"#,
        ];
        assert_eq!(read("some.jsonl").lines().collect::<Vec<_>>(), lines);
    }

    #[test]
    fn benchmarks_are_named_by_their_size() {
        let names = [1000, 10_000, 100_000, 1_000_000, 1500].map(|size| sized("some", size));
        let expected = ["1k", "10k", "100k", "1m", "1500"].map(|size| format!("some-{size}"));
        assert_eq!(names, expected);
    }

    #[test]
    fn a_benchmark_replaces_its_own_rows_and_no_others() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("several.jsonl");
        let row = |bench: &str, value: f64| Row::new(bench, "lost", "one", value);
        write_rows(&path, &[row("mine", 1.0), row("yours", 2.0), row("mine", 3.0)]).unwrap();
        write_rows(&path, &[row("mine", 4.0)]).unwrap();
        let text = std::fs::read_to_string(&path).unwrap();
        let benches: Vec<(bool, bool)> =
            text.lines().map(|line| (line.contains("mine"), line.contains("4.0"))).collect();
        assert_eq!(benches, [(false, false), (true, true)]);
    }
}
