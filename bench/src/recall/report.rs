//! The recall benchmark's tables and its rows for machines.
//!
//! It must not know how anything was measured.

use comfy_table::Table;

use super::arms::{ARMS, Arm, MAIN_ARMS};
use super::results::{Measure, Results};
use crate::bootstrap::{Interval, Resamples};
use crate::metrics::{BUDGETS, DEPTHS, SHALLOW_DEPTHS, as_float};
use crate::reference;
use crate::report::{Row, table};

/// The differences that claims rest on: better arm, baseline.
const DIFFERENCES: [(&str, &str); 14] = [
    ("main-point", "whole-turn"),
    ("main-point-50", "whole-turn"),
    ("main-point-50", "random-50"),
    ("full-pipeline", "rrf-bm25-whole-turn"),
    ("full-pipeline", "bm25"),
    ("full-pipeline", "whole-turn"),
    ("full-pipeline", "fused-20-candidates"),
    ("full-pipeline", "relevance-without-attention"),
    ("full-pipeline", "relevance-without-neighbours"),
    ("full-pipeline", "relevance-without-dates"),
    ("full-pipeline", "relevance-without-speaker"),
    ("reranked", "full-pipeline"),
    ("reranked-only", "full-pipeline"),
    ("main-point", "whole-turn-truncated"),
];
/// What every conversation must not fall below.
const BASELINES: [&str; 3] = ["whole-turn", "whole-turn-truncated", "bm25"];
const SHIPPED_ARM: &str = "full-pipeline";
const GROUP_RESAMPLES: usize = 10_000;

/// Every arm's `recall_all` beside the prototype's figures.
#[must_use]
pub(super) fn recall_table(results: &Results) -> Table {
    let mut header = vec!["arm".to_owned()];
    for depth in DEPTHS {
        header.extend([format!("@{depth}"), "design".to_owned(), "±".to_owned()]);
    }
    header.push("within 2 points".to_owned());
    let mut table = table(header);
    for arm in measured(results) {
        let measured = results.mean(arm.name, None).recall_all;
        let mut cells = vec![arm.title.to_owned()];
        for (value, reference) in measured.iter().zip(reference::of(arm.name)) {
            cells.push(share(*value));
            cells.push(reference.map_or_else(String::new, share));
            cells.push(reference.map_or_else(String::new, |reference| signed(value - reference)));
        }
        cells.push(match reference::holds(arm.name, measured) {
            Some(true) => "yes".to_owned(),
            Some(false) => "NO".to_owned(),
            None => String::new(),
        });
        table.add_row(cells);
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

/// Whether what is shipped falls below the best single baseline at `recall_all@10`, over all questions and in each group.
#[must_use]
pub(super) fn floor_table(results: &Results) -> Table {
    let mut table = table([
        "questions",
        "n",
        "best baseline",
        "its @10",
        "shipped @10",
        "points",
        "95 % interval",
        "below",
    ]);
    let everything = ("all", (0..results.questions()).collect::<Vec<usize>>());
    let groups = results.groups().into_iter();
    // A group of all questions would only repeat the first line.
    let parts = groups.filter(|(_, questions)| questions.len() < results.questions());
    for (group, questions) in std::iter::once(everything).chain(parts) {
        let of = |arm: &str| -> Vec<f64> {
            let values = results.values(arm, Measure::RecallAll(1));
            questions
                .iter()
                .filter_map(|question| values.get(*question).copied())
                .collect()
        };
        let mean = |values: &[f64]| values.iter().sum::<f64>() / as_float(values.len().max(1));
        let baselines = BASELINES.iter().map(|arm| (*arm, of(arm)));
        let Some((baseline, values)) = baselines.max_by(|one, other| mean(&one.1).total_cmp(&mean(&other.1))) else {
            continue;
        };
        let own = of(SHIPPED_ARM);
        let interval = Resamples::draw(questions.len(), GROUP_RESAMPLES, 1).difference(&own, &values);
        table.add_row([
            group.to_owned(),
            questions.len().to_string(),
            baseline.to_owned(),
            share(mean(&values)),
            share(mean(&own)),
            points(interval.mean),
            format!("{} to {}", points(interval.low), points(interval.high)),
            if interval.high < 0.0 { "YES" } else { "no" }.to_owned(),
        ]);
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

/// How many arms with a figure of the prototype fall short of it by more than the tolerance.
#[must_use]
pub(super) fn shortfalls(results: &Results) -> Vec<&'static str> {
    let short = |arm: &&Arm| reference::holds(arm.name, results.mean(arm.name, None).recall_all) == Some(false);
    measured(results).filter(short).map(|arm| arm.title).collect()
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

fn signed(value: f64) -> String {
    format!("{value:+.3}")
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
                [("whole-turn", scores(0.0)), ("main-point", scores(found))],
            );
        }
        results
    }

    #[test]
    fn the_table_puts_the_designs_figures_beside_the_measured_ones() {
        let text = recall_table(&results()).to_string();
        let line = text
            .lines()
            .find(|line| line.contains("whole turn, mean-pooled"))
            .unwrap_or_default();
        assert!(line.contains("0.000") && line.contains("0.345") && line.contains("-0.345") && line.contains("NO"));
        assert_eq!(text.matches(" yes ").count(), 1);
        assert_eq!(
            shortfalls(&results()),
            ["whole turn, mean-pooled, in passages where it is long"]
        );
    }

    #[test]
    fn the_floor_says_once_what_holds_for_all_questions() {
        let floor = |group: &str| {
            let mut results = Results::default();
            for group in ["one", group] {
                let arms = BASELINES.into_iter().chain([SHIPPED_ARM]);
                results.add(vec![group.to_owned()], arms.map(|arm| (arm, Scores::default())));
            }
            floor_table(&results).row_iter().count()
        };
        assert_eq!((floor("one"), floor("another")), (1, 3));
    }

    #[test]
    fn rows_hold_every_measured_arm_and_the_differences_between_them() {
        let rows = rows(&results(), "some-bench", &Resamples::draw(10, 200, 1));
        let value = |metric: &str, arm: &str| {
            rows.iter()
                .find(|row| row.metric == metric && row.arm == arm)
                .map(|row| row.value)
        };
        assert_eq!(value("recall_all@5", "main-point"), Some(0.5));
        assert_eq!(value("recall_all@5", "main-point − whole-turn"), Some(0.5));
        assert_eq!(value("recall_all@5", "full-pipeline"), None);
        assert!(
            rows.iter()
                .all(|row| row.n == 10 && row.low <= row.value && row.value <= row.high)
        );
    }
}
