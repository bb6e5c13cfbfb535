//! Tables: of any cells, and of rows, with a line for each arm and a column for each measure.
//!
//! It must not know what was measured.

use comfy_table::CellAlignment;
pub(crate) use comfy_table::Table;

use super::{Row, find};
use crate::stats::Figure;

/// A column of a table of rows.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Column {
    heading: String,
    metric: String,
    digits: usize,
    factor: f64,
    /// The heading of a column of the bounds behind it, if there is to be one.
    bounds: Option<String>,
}

/// A line of a table of rows: whose measures it shows, behind its first cells.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Line {
    cells: Vec<String>,
    bench: String,
    arm: String,
    /// What stands before and behind a column's measure in the row's.
    around: (String, String),
}

/// A column with the values of a measure.
pub(crate) fn column(heading: impl Into<String>, metric: impl Into<String>, digits: usize) -> Column {
    Column { heading: heading.into(), metric: metric.into(), digits, factor: 1.0, bounds: None }
}

impl Column {
    /// The same with the bounds of the values behind them, below a heading of their own.
    pub(crate) fn with_bounds(self, heading: impl Into<String>) -> Self {
        Self { bounds: Some(heading.into()), ..self }
    }

    /// The same in another unit.
    pub(crate) fn times(self, factor: f64) -> Self {
        Self { factor, ..self }
    }

    fn headings(&self) -> impl Iterator<Item = String> {
        [Some(self.heading.clone()), self.bounds.clone()].into_iter().flatten()
    }

    /// The value, and the bounds if they are shown; a dash for each where there is none.
    fn cells(&self, figure: Option<Figure>) -> impl Iterator<Item = String> {
        let shown = |value: f64| format!("{:.*}", self.digits, value * self.factor);
        let bounds = |figure: Figure| format!("{} to {}", shown(figure.low), shown(figure.high));
        let cells = [Some(figure.map(|figure| shown(figure.value))), self.bounds.as_ref().map(|_| figure.map(bounds))];
        cells.into_iter().flatten().map(|cell| cell.unwrap_or_else(|| "–".to_owned()))
    }
}

impl Line {
    /// The measures of an arm, behind these cells.
    pub(crate) fn new(cells: impl IntoIterator<Item = impl Into<String>>, bench: &str, arm: &str) -> Self {
        Self {
            cells: cells.into_iter().map(Into::into).collect(),
            bench: bench.to_owned(),
            arm: arm.to_owned(),
            around: Default::default(),
        }
    }

    /// Those whose names have this before and behind the column's.
    pub(crate) fn around(self, before: &str, behind: &str) -> Self {
        Self { around: (before.to_owned(), behind.to_owned()), ..self }
    }
}

/// A table with text on the left and figures on the right.
pub(crate) fn table<H: Into<String>>(header: impl IntoIterator<Item = H>) -> Table {
    let mut table = Table::new();
    table.set_header(header.into_iter().map(Into::into).collect::<Vec<String>>());
    for column in table.column_iter_mut().skip(1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    table
}

/// The rows as a table, whose first columns have these headings; a dash stands for a row that there is not, and a line
/// without any row is left out.
pub(crate) fn table_of(rows: &[Row], first: &[&str], lines: &[Line], columns: &[Column]) -> Table {
    let headings = columns.iter().flat_map(Column::headings);
    let mut table = table(first.iter().map(|heading| (*heading).to_owned()).chain(headings));
    for line in lines {
        let figure = |column: &Column| {
            let metric = format!("{}{}{}", line.around.0, column.metric, line.around.1);
            find(rows, &line.bench, &metric, &line.arm).map(Row::figure)
        };
        let figures: Vec<Option<Figure>> = columns.iter().map(figure).collect();
        if figures.iter().any(Option::is_some) {
            let shown = columns.iter().zip(figures).flat_map(|(column, figure)| column.cells(figure));
            table.add_row(line.cells.iter().cloned().chain(shown));
        }
    }
    table
}

/// A share of 1, for tables.
pub(crate) fn share(value: f64) -> String {
    format!("{value:.3}")
}

/// A difference of shares in points with its interval, in two cells.
pub(crate) fn points(Figure { value, low, high }: Figure) -> [String; 2] {
    let points = |value: f64| format!("{:+.1}", value * 100.0);
    [points(value), format!("{} to {}", points(low), points(high))]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_shows_its_measures_and_one_without_any_is_left_out() {
        let figure = Figure { value: 1500.0, low: 1000.0, high: 2000.0 };
        let rows = [Row::new("some", "p50/1KB", "one", figure)];
        let line = |arm: &str| Line::new([arm], "some", arm).around("", "/1KB");
        let columns = [column("p50 ms", "p50", 1).times(1e-3).with_bounds("range"), column("p99", "p99", 0)];
        let text = table_of(&rows, &["arm"], &[line("one"), line("another")], &columns).to_string();
        assert!(text.contains("1.5") && text.contains("1.0 to 2.0") && text.contains('–'), "{text}");
        assert!(!text.contains("another"), "{text}");
    }

    #[test]
    fn points_have_their_sign() {
        let figure = Figure { value: 0.0573, low: -0.01, high: 0.1 };
        assert_eq!(points(figure), ["+5.7", "-1.0 to +10.0"]);
    }
}
