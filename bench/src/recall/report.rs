//! The recall benchmark's tables and its rows for machines.
//!
//! It must not know how anything was measured.

use comfy_table::Table;

use super::arms::{ARMS, Arm, MAIN_ARMS};
use super::results::{Measure, Results};
use crate::bootstrap::{Interval, Resamples};
use crate::metrics::{BUDGETS, DEPTHS, SHALLOW_DEPTHS};
use crate::report::{Row, table};

/// The differences that claims rest on: better arm, baseline.
const DIFFERENCES: [(&str, &str); 22] = [
    ("maxsim", "mean"),
    ("maxsim", "bm25"),
    ("maxsim", "maxsim-all"),
    ("maxsim-50", "maxsim-50-random"),
    ("maxsim-50-attention", "maxsim-50-random"),
    ("maxsim-50-rarity", "maxsim-50-random"),
    ("maxsim-50", "maxsim-50-attention"),
    ("maxsim-50", "maxsim-50-rarity"),
    ("maxsim-25", "maxsim-25-random"),
    ("maxsim-25-attention", "maxsim-25-random"),
    ("maxsim-25-rarity", "maxsim-25-random"),
    ("maxsim-25", "maxsim-25-rarity"),
    ("full-pipeline", "mean"),
    ("full-pipeline", "bm25"),
    ("full-pipeline", "rrf-bm25-mean"),
    ("full-pipeline", "maxsim"),
    ("full-pipeline", "relevance-without-words"),
    ("full-pipeline", "relevance-without-cosine"),
    ("full-pipeline", "relevance-without-maxsim"),
    ("full-pipeline", "relevance-without-neighbours"),
    ("full-pipeline", "relevance-without-dates"),
    ("full-pipeline", "relevance-without-speaker"),
];

/// Every arm's `recall_all`.
#[must_use]
pub(super) fn recall_table(results: &Results) -> Table {
    let mut table = table(
        ["arm".to_owned()]
            .into_iter()
            .chain(DEPTHS.map(|depth| format!("@{depth}"))),
    );
    for arm in measured(results) {
        let values = results.mean(arm.name, None).recall_all.map(share);
        table.add_row([arm.title.to_owned()].into_iter().chain(values));
    }
    table
}

/// Every arm's `recall_all` at small depths, fractional recall and nDCG.
#[must_use]
pub(super) fn fraction_table(results: &Results) -> Table {
    let shallow = SHALLOW_DEPTHS.map(|depth| format!("recall_all@{depth}"));
    let depths = DEPTHS.map(|depth| format!("recall@{depth}"));
    let mut table = table(
        ["arm".to_owned()]
            .into_iter()
            .chain(shallow)
            .chain(depths)
            .chain(["nDCG@10".to_owned()]),
    );
    for arm in measured(results) {
        let scores = results.mean(arm.name, None);
        let shallow = scores.recall_all_shallow.into_iter();
        let values = shallow.chain(scores.recall).chain([scores.ndcg_at_10]).map(share);
        table.add_row([arm.title.to_owned()].into_iter().chain(values));
    }
    table
}

/// The `recall_all@10` of the main arms for every group of questions.
#[must_use]
pub(super) fn group_table(results: &Results) -> Table {
    let groups = results.groups();
    let header = groups
        .iter()
        .map(|(group, questions)| format!("{group} ({})", questions.len()));
    let mut table = table(["arm".to_owned()].into_iter().chain(header));
    for arm in measured(results).filter(|arm| MAIN_ARMS.contains(&arm.name)) {
        let values = groups
            .keys()
            .map(|group| share(results.mean(arm.name, Some(group)).recall_all[1]));
        table.add_row([arm.title.to_owned()].into_iter().chain(values));
    }
    table
}

/// The share of the evidence that fits token budgets, for the main arms.
#[must_use]
pub(super) fn coverage_table(results: &Results) -> Table {
    let mut table = table(
        ["arm".to_owned()]
            .into_iter()
            .chain(BUDGETS.map(|budget| format!("{budget} tokens")))
            .chain(BUDGETS.map(|budget| format!("{budget}, by passage"))),
    );
    for arm in measured(results).filter(|arm| MAIN_ARMS.contains(&arm.name)) {
        let scores = results.mean(arm.name, None);
        let coverage = scores.coverage.into_iter().chain(scores.coverage_by_passage).map(share);
        table.add_row([arm.title.to_owned()].into_iter().chain(coverage));
    }
    table
}

/// Paired differences with their intervals.
#[must_use]
pub(super) fn difference_table(rows: &[Row]) -> Table {
    let mut table = table(["difference", "metric", "points", "95 % interval", "excludes 0"]);
    for row in rows.iter().filter(|row| row.arm.contains(MINUS)) {
        let interval = Interval {
            mean: row.value,
            low: row.low,
            high: row.high,
        };
        let verdict = if interval.excludes_zero() { "yes" } else { "no" };
        table.add_row([
            row.arm.clone(),
            row.metric.clone(),
            points(row.value),
            format!("{} to {}", points(row.low), points(row.high)),
            verdict.to_owned(),
        ]);
    }
    table
}

/// All rows for machines: every arm's measures, then the differences.
#[must_use]
pub(super) fn rows(results: &Results, bench: &str, resamples: &Resamples) -> Vec<Row> {
    let row = |metric: String, arm: String, interval: Interval| {
        Row::new(bench, metric, arm, interval).over(results.questions())
    };
    let mut rows = Vec::new();
    for arm in measured(results) {
        for measure in measures() {
            let interval = resamples.interval(&results.values(arm.name, measure));
            rows.push(row(measure.name(), arm.name.to_owned(), interval));
        }
    }
    for (left, right) in DIFFERENCES {
        if !(results.has(left) && results.has(right)) {
            continue;
        }
        for measure in [
            Measure::RecallAllShallow(0),
            Measure::RecallAllShallow(1),
            Measure::RecallAll(0),
            Measure::RecallAll(1),
            Measure::RecallAll(2),
            Measure::RecallAny(0),
            Measure::Coverage(2),
            Measure::Coverage(3),
            Measure::CoverageByPassage(3),
        ] {
            let interval = resamples.difference(&results.values(left, measure), &results.values(right, measure));
            rows.push(row(measure.name(), format!("{left}{MINUS}{right}"), interval));
        }
    }
    rows
}

/// Stands between the arms of a difference.
pub(super) const MINUS: &str = " − ";

fn measures() -> impl Iterator<Item = Measure> {
    let depths = || 0..DEPTHS.len();
    (depths().map(Measure::RecallAll))
        .chain((0..SHALLOW_DEPTHS.len()).map(Measure::RecallAllShallow))
        .chain(depths().map(Measure::Recall))
        .chain(depths().map(Measure::RecallAny))
        .chain([Measure::Ndcg])
        .chain((0..BUDGETS.len()).map(Measure::Coverage))
        .chain((0..BUDGETS.len()).map(Measure::CoverageByPassage))
}

fn measured(results: &Results) -> impl Iterator<Item = &'static Arm> {
    ARMS.iter().filter(|arm| results.has(arm.name))
}

/// A share of 1, for tables.
pub(super) fn share(value: f64) -> String {
    format!("{value:.3}")
}

/// A difference of shares in points, for tables.
pub(super) fn points(value: f64) -> String {
    format!("{:+.1}", value * 100.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::Scores;

    fn results() -> Results {
        let scores = |at_5: f64| Scores {
            recall_all: [at_5, 1.0, 1.0, 1.0],
            ..Scores::default()
        };
        let mut results = Results::default();
        for question in 0..10_u8 {
            let found = f64::from(question % 2);
            results.add(
                vec![format!("category {}", question % 4)],
                [("mean", scores(0.0)), ("maxsim", scores(found))],
            );
        }
        results
    }

    #[test]
    fn the_table_has_a_line_for_every_measured_arm() {
        let table = recall_table(&results());
        assert_eq!(table.row_iter().count(), 2);
        assert!(table.to_string().contains("0.500"), "{table}");
    }

    #[test]
    fn rows_hold_every_measured_arm_and_the_differences_between_them() {
        let rows = rows(&results(), "some-bench", &Resamples::draw(10, 200, 1));
        let value = |metric: &str, arm: &str| {
            rows.iter()
                .find(|row| row.metric == metric && row.arm == arm)
                .map(|row| row.value)
        };
        assert_eq!(value("recall_all@5", "maxsim"), Some(0.5));
        assert_eq!(value("recall_all@5", "maxsim − mean"), Some(0.5));
        assert_eq!(value("recall_all@5", "full-pipeline"), None);
        assert!(
            rows.iter()
                .all(|row| row.n == 10 && row.low <= row.value && row.value <= row.high)
        );
    }
}
