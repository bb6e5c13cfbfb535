//! Tables: of any cells, and of rows, by arm and measure.

use comfy_table::CellAlignment;
pub(crate) use comfy_table::Table;

use super::Row;
use crate::stats::Figure;

/// A table with text on the left and figures on the right.
pub(crate) fn table<H: Into<String>>(header: impl IntoIterator<Item = H>) -> Table {
    let mut table = Table::new();
    table.set_header(header.into_iter().map(Into::into).collect::<Vec<String>>());
    for column in table.column_iter_mut().skip(1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    table
}

/// The rows as a table with a line for each arm and a column for each measure, or the other way round where there are more measures
/// than arms. Measures have their names, arms that of their benchmark, too, where there are several. How many questions there were
/// is shown where it is not the same for all; a dash stands for a row that there is not.
pub(crate) fn table_of<'a>(rows: impl IntoIterator<Item = &'a Row>) -> Table {
    let rows: Vec<&Row> = rows.into_iter().collect();
    let differ = |part: fn(&Row) -> &str| rows.windows(2).any(|pair| part(pair[0]) != part(pair[1]));
    let (benches_differ, arms_differ) = (differ(|row| &row.bench), differ(|row| &row.arm));
    let arm_of = |row: &Row| match (benches_differ, arms_differ) {
        (false, _) => row.arm.clone(),
        (true, false) => row.bench.clone(),
        (true, true) => format!("{}, {}", row.bench, row.arm),
    };
    let (arms, measures) =
        (each_once(rows.iter().map(|row| arm_of(row))), each_once(rows.iter().map(|row| &row.metric)));
    let find = |arm: &str, measure: &str| rows.iter().find(|row| row.metric == measure && arm_of(row) == arm);
    let cell = |arm: &str, measure: &str| find(arm, measure).map_or_else(|| "–".to_owned(), |row| shown(row.figure()));
    if measures.len() > arms.len() {
        let mut table = table(std::iter::once("measure").chain(arms.iter().map(String::as_str)));
        for measure in measures {
            table.add_row(std::iter::once(measure.clone()).chain(arms.iter().map(|arm| cell(arm, measure))));
        }
        return table;
    }
    let counts_differ = rows.windows(2).any(|pair| pair[0].n != pair[1].n);
    let header = std::iter::once("arm").chain(counts_differ.then_some("n"));
    let mut table = table(header.chain(measures.iter().map(|measure| measure.as_str())));
    for arm in &arms {
        let count = rows.iter().find(|row| counts_differ && arm_of(row) == *arm).map(|row| row.n.to_string());
        let cells = measures.iter().map(|measure| cell(arm, measure));
        table.add_row(std::iter::once(arm.clone()).chain(count).chain(cells));
    }
    table
}

/// A figure with its bounds, if it has any, and as many digits as can be told apart.
fn shown(Figure { value, low, high }: Figure) -> String {
    let digits = |value: f64| match value.abs() {
        size if size.fract() == 0.0 || size >= 1000.0 => format!("{value:.0}"),
        size if size >= 10.0 => format!("{value:.1}"),
        _ => format!("{value:.3}"),
    };
    if low < high { format!("{} ({}–{})", digits(value), digits(low), digits(high)) } else { digits(value) }
}

fn each_once<T: PartialEq>(items: impl Iterator<Item = T>) -> Vec<T> {
    let mut found = Vec::new();
    for item in items {
        if !found.contains(&item) {
            found.push(item);
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arms_have_lines_and_what_is_missing_a_dash() {
        let figure = Figure { value: 0.5, low: 0.25, high: 0.75 };
        let rows = [
            Row::new("some", "p50", "one", 1500.0),
            Row::new("some", "share", "one", figure).over(7),
            Row::new("some", "share", "another", 1.0),
        ];
        let text = table_of(&rows).to_string();
        let lines: Vec<&str> = text.lines().filter(|line| line.contains("one") || line.contains("another")).collect();
        assert!(lines[0].contains("1500") && lines[0].contains("0.500 (0.250–0.750)"), "{text}");
        assert!(lines[1].contains('–') && lines[1].contains(" 1 "), "{text}");
        assert!(text.contains(" n ") && lines[0].contains(" 0 "), "the number of questions is not the same: {text}");
    }

    #[test]
    fn many_measures_are_lines_and_arms_of_several_benchmarks_have_their_names() {
        let row = |bench: &str, metric: &str, arm: &str| Row::new(bench, metric, arm, 31.5);
        let rows = [row("a", "p50", "one"), row("b", "p50", "one"), row("a", "p99", "one"), row("b", "p100", "one")];
        let text = table_of(&rows).to_string();
        assert!(text.contains("measure") && text.contains(" a ") && text.contains(" b "), "{text}");
        assert!(text.contains("31.5") && text.contains("p100"), "{text}");
        let text = table_of(&[row("a", "p50", "one"), row("b", "p50", "two")]).to_string();
        assert!(text.contains("a, one") && text.contains("b, two"), "{text}");
    }
}
