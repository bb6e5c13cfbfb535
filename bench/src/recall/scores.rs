//! What rankings are worth, question by question, for every arm.

use std::collections::BTreeMap;

use crate::stats::as_float;

pub(super) const DEPTHS: [usize; 4] = [5, 10, 20, 50];
/// The depths at which only `recall_all` is measured, for orders of the first few.
pub(super) const SHALLOW_DEPTHS: [usize; 2] = [1, 3];
pub(super) const BUDGETS: [usize; 5] = [250, 500, 1000, 2000, 4000];

/// A value in 0..=1 for each of [`measures`], in their order.
pub(super) type Scores = Vec<f64>;

/// What quoting a turn costs, in tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Size {
    pub(super) whole: usize,
    pub(super) passage: usize,
}

/// Every arm's scores, in the order of the questions.
#[derive(Debug, Clone, Default)]
pub(super) struct Results {
    /// The groups that each question belongs to, such as its category.
    groups: Vec<Vec<String>>,
    scores: BTreeMap<&'static str, Vec<Scores>>,
}

/// The names of the measures in result files.
///
/// `recall_all`: 1 if all evidence lies within a depth, else 0. `recall`: the share of it within a depth. `recall_any`: 1 if any of
/// it does. `ndcg`: normalised discounted cumulative gain, evidence counting 1. `coverage`: the share of the evidence among the
/// turns that fit a token budget, best first; `by_passage`: where a turn of several passages is quoted by one of them.
pub(super) fn measures() -> Vec<String> {
    let at = |name: &'static str, places: &[usize]| {
        let names = places.iter().map(move |place| format!("{name}@{place}"));
        names.collect::<Vec<String>>()
    };
    [
        at("recall_all", &DEPTHS),
        at("recall_all", &SHALLOW_DEPTHS),
        at("recall", &DEPTHS),
        at("recall_any", &DEPTHS),
        at("ndcg", &[10]),
        at("coverage", &BUDGETS),
        at("coverage_by_passage", &BUDGETS),
    ]
    .concat()
}

/// Measures a ranking of turns against the positions of a question's evidence, which is not
/// empty; `sizes` holds the size of every turn.
pub(super) fn measure(ranking: &[usize], evidence: &[usize], sizes: &[Size]) -> Scores {
    let within = |depth: &usize| share_within(ranking, evidence, *depth);
    let fitting = |size: fn(&Size) -> usize| {
        let depth = move |budget: &usize| turns_within(ranking, sizes, *budget, size);
        BUDGETS.iter().map(depth).map(|depth| share_within(ranking, evidence, depth))
    };
    let one_if = |holds: bool| if holds { 1.0 } else { 0.0 };
    let all = DEPTHS.iter().chain(&SHALLOW_DEPTHS).map(|depth| one_if(within(depth) >= 1.0));
    let any = DEPTHS.iter().map(|depth| one_if(within(depth) > 0.0));
    let recall = all.chain(DEPTHS.iter().map(within)).chain(any);
    let coverage = fitting(|size| size.whole).chain(fitting(|size| size.passage));
    recall.chain([ndcg(ranking, evidence, 10)]).chain(coverage).collect()
}

/// The mean of several measurements, measure by measure.
pub(super) fn mean_of(scores: &[Scores]) -> Scores {
    let count = as_float(scores.len().max(1));
    let mut mean = vec![0.0; measures().len()];
    for (sum, value) in scores.iter().flat_map(|score| score.iter().enumerate()) {
        mean[sum] += value / count;
    }
    mean
}

impl Results {
    pub(super) fn add(&mut self, groups: Vec<String>, scores: impl IntoIterator<Item = (&'static str, Scores)>) {
        self.groups.push(groups);
        for (arm, scores) in scores {
            self.scores.entry(arm).or_default().push(scores);
        }
    }

    pub(super) fn questions(&self) -> usize {
        self.groups.len()
    }

    pub(super) fn has(&self, arm: &str) -> bool {
        self.scores.contains_key(arm)
    }

    /// One value per question; none for an arm that was not measured.
    pub(super) fn values(&self, arm: &str, measure: &str) -> Vec<f64> {
        let at = measures().iter().position(|name| name == measure);
        let scores = self.scores.get(arm).into_iter().flatten();
        scores.filter_map(|scores| scores.get(at?).copied()).collect()
    }

    pub(super) fn values_of(&self, arm: &str, measure: &str, questions: &[usize]) -> Vec<f64> {
        let values = self.values(arm, measure);
        questions.iter().filter_map(|question| values.get(*question).copied()).collect()
    }

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

fn share_within(ranking: &[usize], evidence: &[usize], depth: usize) -> f64 {
    let top = &ranking[..depth.min(ranking.len())];
    as_float(evidence.iter().filter(|turn| top.contains(turn)).count()) / as_float(evidence.len().max(1))
}

fn ndcg(ranking: &[usize], evidence: &[usize], depth: usize) -> f64 {
    let gain = |rank: usize| 1.0 / as_float(rank + 2).log2();
    let top = ranking.iter().take(depth).enumerate();
    let found: f64 = top.filter(|(_, turn)| evidence.contains(turn)).map(|(rank, _)| gain(rank)).sum();
    let best: f64 = (0..evidence.len().min(depth)).map(gain).sum();
    if best > 0.0 { found / best } else { 0.0 }
}

/// How many turns from the top fit the budget together; the first that does not fit ends it.
fn turns_within(ranking: &[usize], sizes: &[Size], budget: usize, size: fn(&Size) -> usize) -> usize {
    let mut used = 0;
    let fits = |turn: &&usize| {
        used += sizes.get(**turn).map_or(0, size);
        used <= budget
    };
    ranking.iter().take_while(fits).count()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::stats::mean;

    fn size(whole: usize) -> Size {
        Size { whole, passage: whole / 2 }
    }

    fn of(scores: &Scores, measure: &str) -> f64 {
        let at = measures().iter().position(|name| name == measure);
        at.map_or(f64::NAN, |at| scores[at])
    }

    #[test]
    fn recall_counts_evidence_within_each_depth() {
        let ranking: Vec<usize> = (0..60).collect();
        let scores = measure(&ranking, &[0, 9, 30], &[size(1); 60]);
        assert_eq!(["recall_all@20", "recall_all@50"].map(|name| of(&scores, name)), [0.0, 1.0]);
        assert_eq!(["recall@5", "recall@20"].map(|name| of(&scores, name)), [1.0 / 3.0, 2.0 / 3.0]);
        let scores = measure(&ranking, &[1], &[size(1); 60]);
        assert_eq!(["recall_all@1", "recall_all@3"].map(|name| of(&scores, name)), [0.0, 1.0]);
        assert_eq!(scores.len(), measures().len());
    }

    #[test]
    fn ndcg_rewards_evidence_at_the_top() {
        // Evidence at ranks 1 and 3 of two: (1/log2(2) + 1/log2(4)) / (1/log2(2) + 1/log2(3)).
        let expected = 1.5 / (1.0 + 1.0 / 3.0_f64.log2());
        assert!((ndcg(&[7, 1, 8, 2], &[7, 8], 10) - expected).abs() < 1e-12);
        assert!((ndcg(&[7, 8], &[8, 7], 10) - 1.0).abs() < 1e-12);
        assert!(ndcg(&[1, 2], &[3], 10).abs() < 1e-12);
    }

    #[test]
    fn coverage_stops_at_the_first_turn_that_does_not_fit() {
        let sizes = [300, 150, 100, 1000].map(size);
        let scores = measure(&[0, 1, 2, 3], &[1, 2, 3], &sizes);
        let coverage = |name: &str| BUDGETS.map(|budget| of(&scores, &format!("{name}@{budget}")));
        // Nothing fits 250; 300 + 150 fit 500, the third does not; all but the last fit 1,000; all fit 2,000 and 4,000.
        assert_eq!(coverage("coverage"), [0.0, 1.0 / 3.0, 2.0 / 3.0, 1.0, 1.0]);
        // By passages of half the size, 150 + 75 fit 250 and 150 + 75 + 50 fit 500.
        assert_eq!(coverage("coverage_by_passage"), [1.0 / 3.0, 2.0 / 3.0, 1.0, 1.0, 1.0]);
    }

    #[test]
    fn means_are_taken_measure_by_measure_and_values_question_by_question() {
        let scores = |value: f64| vec![value; measures().len()];
        assert_eq!(mean_of(&[scores(0.5), scores(0.25)]), scores(0.375));
        let mut results = Results::default();
        let group = |name: &str| vec![name.to_owned()];
        results.add(group("a"), [("one", scores(1.0)), ("two", scores(0.0))]);
        results.add(group("b"), [("one", scores(0.5)), ("two", scores(0.25))]);
        results.add(group("b"), [("one", scores(0.0)), ("two", scores(0.75))]);
        assert_eq!(mean(&results.values("one", "ndcg@10")), 0.5);
        assert_eq!(results.values("two", "recall@5"), [0.0, 0.25, 0.75]);
        assert_eq!(results.values_of("two", "recall@5", &results.groups()["b"]), [0.25, 0.75]);
        assert!(results.values("three", "ndcg@10").is_empty() && !results.has("three"));
    }

    proptest! {
        #[test]
        fn recall_grows_with_depth_and_all_means_all(evidence in proptest::collection::btree_set(0_usize..80, 1..6)) {
            let ranking: Vec<usize> = (0..80).collect();
            let evidence: Vec<usize> = evidence.into_iter().collect();
            let scores = measure(&ranking, &evidence, &[size(40); 80]);
            let shares = |name: &str| DEPTHS.map(|depth| of(&scores, &format!("{name}@{depth}")));
            let (recall, all) = (shares("recall"), shares("recall_all"));
            prop_assert!(recall.windows(2).all(|pair| pair[0] <= pair[1]));
            for (all, share) in all.iter().zip(recall) {
                prop_assert!(*all <= share && (*all == 1.0) == (share == 1.0));
            }
        }
    }
}
