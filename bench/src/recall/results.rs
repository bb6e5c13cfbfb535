//! Measures of every arm, question by question. It must not know how they are shown.

use std::collections::BTreeMap;

use crate::metrics::{BUDGETS, DEPTHS, SHALLOW_DEPTHS, Scores, mean};

/// A measure of one question.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Measure {
    /// Whether all evidence lies within a depth of [`DEPTHS`], by its index.
    RecallAll(usize),
    /// Whether all evidence lies within a depth of [`SHALLOW_DEPTHS`], by its index.
    RecallAllShallow(usize),
    /// The share of the evidence within a depth of [`DEPTHS`], by its index.
    Recall(usize),
    /// Normalised discounted cumulative gain at 10.
    Ndcg,
    /// Whether any evidence lies within a depth of [`DEPTHS`], by its index.
    RecallAny(usize),
    /// The share of the evidence that fits a token budget, by its index.
    Coverage(usize),
    /// The same with long turns quoted by a passage.
    CoverageByPassage(usize),
}

/// Every arm's scores, in the order of the questions.
#[derive(Debug, Clone, Default)]
pub(super) struct Results {
    /// The groups that each question belongs to, such as its category.
    groups: Vec<Vec<String>>,
    scores: BTreeMap<&'static str, Vec<Scores>>,
}

impl Measure {
    /// The measure of one question's scores.
    #[must_use]
    pub(super) fn of(self, scores: &Scores) -> f64 {
        match self {
            Self::RecallAll(depth) => scores.recall_all[depth],
            Self::RecallAllShallow(depth) => scores.recall_all_shallow[depth],
            Self::Recall(depth) => scores.recall[depth],
            Self::Ndcg => scores.ndcg_at_10,
            Self::RecallAny(depth) => scores.recall_any[depth],
            Self::Coverage(budget) => scores.coverage[budget],
            Self::CoverageByPassage(budget) => scores.coverage_by_passage[budget],
        }
    }

    /// Its name in result files.
    #[must_use]
    pub(super) fn name(self) -> String {
        match self {
            Self::RecallAll(depth) => format!("recall_all@{}", DEPTHS[depth]),
            Self::RecallAllShallow(depth) => format!("recall_all@{}", SHALLOW_DEPTHS[depth]),
            Self::Recall(depth) => format!("recall@{}", DEPTHS[depth]),
            Self::Ndcg => "ndcg@10".to_owned(),
            Self::RecallAny(depth) => format!("recall_any@{}", DEPTHS[depth]),
            Self::Coverage(budget) => format!("coverage@{}", BUDGETS[budget]),
            Self::CoverageByPassage(budget) => format!("coverage_by_passage@{}", BUDGETS[budget]),
        }
    }
}

impl Results {
    /// Adds a question's scores under each arm.
    pub(super) fn add(&mut self, groups: Vec<String>, scores: impl IntoIterator<Item = (&'static str, Scores)>) {
        self.groups.push(groups);
        for (arm, scores) in scores {
            self.scores.entry(arm).or_default().push(scores);
        }
    }

    /// How many questions there are.
    #[must_use]
    pub(super) fn questions(&self) -> usize {
        self.groups.len()
    }

    /// Whether the arm was measured.
    #[must_use]
    pub(super) fn has(&self, arm: &str) -> bool {
        self.scores.contains_key(arm)
    }

    /// One value per question; none for an arm that was not measured.
    #[must_use]
    pub(super) fn values(&self, arm: &str, measure: Measure) -> Vec<f64> {
        let scores = self.scores.get(arm).into_iter().flatten();
        scores.map(|scores| measure.of(scores)).collect()
    }

    /// The mean over the questions of a group, or over all of them.
    #[must_use]
    pub(super) fn mean(&self, arm: &str, group: Option<&str>) -> Scores {
        let scores = self.scores.get(arm).into_iter().flatten().zip(&self.groups);
        let wanted = scores.filter(|(_, groups)| group.is_none_or(|wanted| groups.iter().any(|found| found == wanted)));
        mean(&wanted.map(|(scores, _)| *scores).collect::<Vec<_>>())
    }

    /// Every group with the questions that belong to it, by name.
    #[must_use]
    pub(super) fn groups(&self) -> BTreeMap<&str, Vec<usize>> {
        let mut found: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
        for (question, groups) in self.groups.iter().enumerate() {
            for group in groups {
                found.entry(group).or_default().push(question);
            }
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn means_are_taken_over_a_group_or_over_all() {
        let scores = |ndcg_at_10| Scores {
            ndcg_at_10,
            ..Scores::default()
        };
        let mut results = Results::default();
        let group = |name: &str| vec![name.to_owned()];
        results.add(group("a"), [("one", scores(1.0)), ("two", scores(0.0))]);
        results.add(group("b"), [("one", scores(0.5)), ("two", scores(0.25))]);
        results.add(group("b"), [("one", scores(0.0)), ("two", scores(0.75))]);
        assert_eq!(results.mean("one", None).ndcg_at_10, 0.5);
        assert_eq!(results.mean("two", Some("b")).ndcg_at_10, 0.5);
        assert_eq!(results.values("two", Measure::Ndcg), [0.0, 0.25, 0.75]);
        assert_eq!(results.groups()["b"], [1, 2]);
        assert!(results.values("three", Measure::Ndcg).is_empty() && !results.has("three"));
    }

    #[test]
    fn measures_have_the_names_of_the_result_files() {
        let names = [
            Measure::RecallAll(1),
            Measure::RecallAllShallow(1),
            Measure::Recall(0),
            Measure::Ndcg,
            Measure::Coverage(2),
        ]
        .map(Measure::name);
        assert_eq!(
            names,
            ["recall_all@10", "recall_all@3", "recall@5", "ndcg@10", "coverage@1000"]
        );
    }
}
