//! The recall benchmark's rows for machines, and the tables and the picture of them.

use super::arms::{ARMS, Arm, MAIN_ARMS};
use super::costs::BYTES;
use super::scores::{BUDGETS, Results, measures};
use crate::report::{Axis, Chart, Row, Series, Table, find, table_of};
use crate::stats::{RESAMPLES, Resamples, as_float, mean};

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
    (SHIPPED, "mean"),
    (SHIPPED, "bm25"),
    (SHIPPED, "rrf-bm25-mean"),
    (SHIPPED, "maxsim"),
    (SHIPPED, "relevance-without-words"),
    (SHIPPED, "relevance-without-cosine"),
    (SHIPPED, "relevance-without-maxsim"),
    (SHIPPED, "relevance-without-neighbours"),
    (SHIPPED, "relevance-without-dates"),
    (SHIPPED, "relevance-without-speaker"),
];
/// The measures that differences are taken of.
const COMPARED: [&str; 9] = [
    "recall_all@1",
    "recall_all@3",
    "recall_all@5",
    RECALL,
    "recall_all@20",
    "recall_any@5",
    "coverage@1000",
    "coverage@2000",
    "coverage_by_passage@2000",
];
/// What no kind of question may fall below.
const BASELINES: [&str; 5] = ["mean", "first-passage", "bm25", "maxsim", "maxsim-all"];
/// The measure that arms are judged by.
pub(super) const RECALL: &str = "recall_all@10";
/// What the product recalls.
pub(super) const SHIPPED: &str = "full-pipeline";
/// Stands between the arms of a difference.
const MINUS: &str = " − ";
pub(super) const FLOOR: &str = "floor@10";

/// All rows for machines: every arm's measures, the differences, and what is shipped minus the best baseline over all questions
/// and for each kind of them.
pub(super) fn rows(results: &Results, bench: &str, resamples: &Resamples) -> Vec<Row> {
    let row = |metric: &str, arm: &str, figure| Row::new(bench, metric, arm, figure).over(results.questions());
    let mut rows = Vec::new();
    for arm in ARMS.iter().filter(|arm| results.has(arm.name)) {
        for measure in measures() {
            let interval = resamples.interval(&results.values(arm.name, &measure));
            rows.push(row(&measure, arm.name, interval));
        }
    }
    for (left, right) in DIFFERENCES.into_iter().filter(|(left, right)| results.has(left) && results.has(right)) {
        for measure in COMPARED {
            let difference = resamples.difference(&results.values(left, measure), &results.values(right, measure));
            rows.push(row(measure, &format!("{left}{MINUS}{right}"), difference));
        }
    }
    let everything = ("all", (0..results.questions()).collect::<Vec<usize>>());
    let groups = results.groups().into_iter();
    // A group of all questions would only repeat the first line.
    let parts = groups.filter(|(_, questions)| questions.len() < results.questions());
    for (group, questions) in std::iter::once(everything).chain(parts) {
        let of = |arm: &str| results.values_of(arm, RECALL, &questions);
        let measured = BASELINES.into_iter().filter(|arm| results.has(arm)).map(|arm| (arm, of(arm)));
        let best = measured.max_by(|one, other| mean(&one.1).total_cmp(&mean(&other.1)));
        if let Some((baseline, values)) = best {
            let difference = Resamples::draw(questions.len(), RESAMPLES, 1).difference(&of(SHIPPED), &values);
            let arm = format!("{SHIPPED}{MINUS}{baseline}, {group}");
            rows.push(row(FLOOR, &arm, difference).over(questions.len()));
        }
    }
    rows
}

/// The `recall_all@10` of the main arms for every group of questions.
pub(super) fn group_table(results: &Results) -> Table {
    let groups = results.groups();
    let of_arm = |arm: &'static Arm| {
        groups.iter().map(move |(group, questions)| {
            let group = format!("{group} ({})", questions.len());
            Row::new("", &group, arm.title, mean(&results.values_of(arm.name, RECALL, questions)))
        })
    };
    let rows: Vec<Row> = main_arms().filter(|arm| results.has(arm.name)).flat_map(of_arm).collect();
    table_of(&rows)
}

/// Whether a row is of a difference: of two arms, or of what is shipped to the best baseline.
pub(super) fn is_difference(row: &Row) -> bool {
    row.arm.contains(MINUS)
}

/// What arms find in a token budget and what they have to store, as two charts.
pub(super) fn charts(heading: &str, rows: &[Row], bench: &str) -> Vec<Chart> {
    let value = |metric: &str, arm: &Arm| find(rows, bench, metric, arm.name).map(|row| row.value);
    let series = |points: &dyn Fn(&Arm) -> Vec<(f64, f64)>| {
        let all = main_arms().map(|arm| Series { name: arm.name.to_owned(), points: points(arm) });
        all.filter(|series| !series.points.is_empty()).collect::<Vec<Series>>()
    };
    let lines = series(&|arm| {
        let point = |budget| Some((as_float(budget), value(&format!("coverage@{budget}"), arm)?));
        BUDGETS.into_iter().filter_map(point).collect()
    });
    let marks = series(&|arm| value(BYTES, arm).zip(value(RECALL, arm)).into_iter().collect());
    let bytes: Vec<f64> = marks.iter().flat_map(|mark| &mark.points).map(|(bytes, _)| *bytes).collect();
    // From nothing to everything, so that noise is never drawn large.
    let up = |title| Axis::linear(title, &[0.0, 1.0]);
    let coverage = Chart {
        title: heading.to_owned(),
        across: Axis::logarithmic("tokens of memory in the prompt", &BUDGETS.map(as_float)),
        up: up("share of the evidence that fits"),
        series: lines,
    };
    let stored = Chart {
        title: "All evidence among the first ten, by bytes stored".to_owned(),
        across: Axis::logarithmic("bytes a turn that the search needs", &bytes),
        up: up("recall_all@10: share of the questions"),
        series: marks,
    };
    vec![coverage, stored]
}

fn main_arms() -> impl Iterator<Item = &'static Arm> {
    ARMS.iter().filter(|arm| MAIN_ARMS.contains(&arm.name))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two arms of ten questions in two groups; the second finds the evidence of every other one.
    fn results() -> Results {
        let mut results = Results::default();
        for question in 0..10_u8 {
            let found = f64::from(question % 2);
            let scores = |value: f64| vec![value; measures().len()];
            let arms = [("mean", scores(0.0)), ("maxsim", scores(1.0)), (SHIPPED, scores(found))];
            results.add(vec![format!("category {}", question % 2)], arms);
        }
        results
    }

    #[test]
    fn rows_hold_every_measured_arm_the_differences_and_the_floor_of_every_group() {
        let rows = rows(&results(), "some", &Resamples::draw(10, 200, 1));
        let value = |metric: &str, arm: &str| find(&rows, "some", metric, arm).map(|row| (row.value, row.n));
        assert_eq!(value("recall_all@5", SHIPPED), Some((0.5, 10)));
        assert_eq!(value("recall_all@5", "full-pipeline − maxsim"), Some((-0.5, 10)));
        assert_eq!(value("recall_all@5", "bm25"), None);
        assert_eq!(value(FLOOR, "full-pipeline − maxsim, all"), Some((-0.5, 10)));
        assert_eq!(value(FLOOR, "full-pipeline − maxsim, category 0"), Some((-1.0, 5)));
        assert!(rows.iter().all(|row| row.low <= row.value && row.value <= row.high));
        let differences =
            |of_floor: bool| rows.iter().filter(move |row| is_difference(row) && (row.metric == FLOOR) == of_floor);
        assert_eq!((differences(true).count(), differences(false).count()), (3, 3 * COMPARED.len()));
        assert_eq!(group_table(&results()).row_iter().count(), 3);
    }

    #[test]
    fn every_main_arm_has_a_line_and_a_mark() {
        let mut rows = rows(&results(), "some", &Resamples::draw(10, 200, 1));
        rows.extend(["mean", SHIPPED].map(|arm| Row::new("some", BYTES, arm, 1536.0)));
        let svg = crate::report::draw(&[charts("some conversations", &rows, "some")]).unwrap();
        assert!(svg.matches("<polyline").count() >= 3, "{svg}");
        assert_eq!(svg.matches("\nfull-pipeline\n").count(), 2, "{svg}");
        assert!(!svg.contains("NaN") && !svg.contains("inf"));
    }
}
