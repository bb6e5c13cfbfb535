//! Whether what is shipped falls below the best single baseline, over all questions and in each kind of them.
//!
//! It must not know how anything was measured.

use comfy_table::Table;

use super::report::{MINUS, points, share};
use super::results::{Measure, Results};
use crate::bootstrap::{Interval, Resamples};
use crate::metrics::as_float;
use crate::report::{self, Row};

/// How what is shipped compares with the best baseline for one kind of question, at `recall_all@10`.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Floor {
    group: String,
    questions: usize,
    baseline: &'static str,
    best: f64,
    shipped: f64,
    difference: Interval,
}

/// What no kind of question may fall below.
const BASELINES: [&str; 5] = ["mean", "first-passage", "bm25", "maxsim", "maxsim-all"];
const SHIPPED: &str = "full-pipeline";
const RESAMPLES: usize = 10_000;
/// The second of the depths.
const AT_10: Measure = Measure::RecallAll(1);

/// The comparison over all questions, then for each kind and role.
#[must_use]
pub(super) fn floors(results: &Results) -> Vec<Floor> {
    let everything = ("all", (0..results.questions()).collect::<Vec<usize>>());
    let groups = results.groups().into_iter();
    // A group of all questions would only repeat the first line.
    let parts = groups.filter(|(_, questions)| questions.len() < results.questions());
    let all = std::iter::once(everything).chain(parts);
    all.filter_map(|(group, questions)| floor(results, (group, &questions)))
        .collect()
}

/// The comparisons for people.
#[must_use]
pub(super) fn table(floors: &[Floor]) -> Table {
    let mut table = report::table([
        "questions",
        "n",
        "best baseline",
        "its @10",
        "shipped @10",
        "points",
        "95 % interval",
        "below",
    ]);
    for floor in floors {
        let Interval { mean, low, high } = floor.difference;
        table.add_row([
            floor.group.clone(),
            floor.questions.to_string(),
            floor.baseline.to_owned(),
            share(floor.best),
            share(floor.shipped),
            points(mean),
            format!("{} to {}", points(low), points(high)),
            if high < 0.0 { "YES" } else { "no" }.to_owned(),
        ]);
    }
    table
}

/// The same for machines: what is shipped minus the best baseline, by kind of question.
#[must_use]
pub(super) fn rows(floors: &[Floor], bench: &str) -> Vec<Row> {
    let row = |floor: &Floor| {
        let arm = format!("{SHIPPED}{MINUS}{}, {}", floor.baseline, floor.group);
        Row::new(bench, "floor@10", arm, floor.difference).over(floor.questions)
    };
    floors.iter().map(row).collect()
}

fn floor(results: &Results, (group, questions): (&str, &[usize])) -> Option<Floor> {
    let of = |arm: &str| -> Vec<f64> {
        let values = results.values(arm, AT_10);
        let chosen = questions.iter().filter_map(|question| values.get(*question));
        chosen.copied().collect()
    };
    let mean = |values: &[f64]| values.iter().sum::<f64>() / as_float(values.len().max(1));
    let measured = BASELINES.into_iter().filter(|arm| results.has(arm));
    let baselines = measured.map(|arm| (arm, of(arm)));
    let (baseline, values) = baselines.max_by(|one, other| mean(&one.1).total_cmp(&mean(&other.1)))?;
    let own = of(SHIPPED);
    Some(Floor {
        group: group.to_owned(),
        questions: questions.len(),
        baseline,
        best: mean(&values),
        shipped: mean(&own),
        difference: Resamples::draw(questions.len(), RESAMPLES, 1).difference(&own, &values),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::Scores;

    fn results(groups: [&str; 2]) -> Results {
        let mut results = Results::default();
        for group in groups {
            let scores = |at_10| Scores {
                recall_all: [0.0, at_10, 1.0, 1.0],
                ..Scores::default()
            };
            let arms = [("bm25", scores(1.0)), ("mean", scores(0.5)), (SHIPPED, scores(0.75))];
            results.add(vec![group.to_owned()], arms);
        }
        results
    }

    #[test]
    fn what_holds_for_all_questions_is_said_once() {
        assert_eq!(floors(&results(["one", "one"])).len(), 1);
        assert_eq!(floors(&results(["one", "another"])).len(), 3);
    }

    #[test]
    fn the_best_baseline_is_the_floor() {
        let floors = floors(&results(["one", "another"]));
        assert!(
            floors
                .iter()
                .all(|floor| floor.baseline == "bm25" && floor.difference.high < 0.0)
        );
        assert!(table(&floors).to_string().contains("YES"));
        let rows = rows(&floors, "some");
        assert_eq!(rows[1].arm, "full-pipeline − bm25, another");
        assert_eq!((rows[1].value, rows[1].n), (-0.25, 1));
    }
}
