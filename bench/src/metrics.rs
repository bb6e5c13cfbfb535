//! What a ranking is worth for one question. It must not know how the ranking was made.

/// The depths at which recall is measured.
pub const DEPTHS: [usize; 4] = [5, 10, 20, 50];
/// The depths at which only `recall_all` is measured, for orders of the first few.
pub const SHALLOW_DEPTHS: [usize; 2] = [1, 3];
/// The token budgets at which evidence coverage is measured.
pub const BUDGETS: [usize; 5] = [250, 500, 1000, 2000, 4000];

/// The measures of one question, each in 0..=1.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Scores {
    /// 1 if all evidence lies within each of [`DEPTHS`], else 0.
    pub recall_all: [f64; 4],
    /// 1 if all evidence lies within each of [`SHALLOW_DEPTHS`], else 0.
    pub recall_all_shallow: [f64; 2],
    /// Share of the evidence within each of [`DEPTHS`].
    pub recall: [f64; 4],
    /// 1 if any evidence lies within each of [`DEPTHS`], else 0.
    pub recall_any: [f64; 4],
    /// Normalised discounted cumulative gain of the first 10, evidence counting 1.
    pub ndcg_at_10: f64,
    /// Share of the evidence among the turns that fit each of [`BUDGETS`], best first.
    pub coverage: [f64; BUDGETS.len()],
    /// The same where a turn of several passages is quoted by one of them.
    pub coverage_by_passage: [f64; BUDGETS.len()],
}

/// What quoting a turn costs, in tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Size {
    /// All of it.
    pub whole: usize,
    /// One of its passages.
    pub passage: usize,
}

/// Measures a ranking of turns against the positions of a question's evidence, which is not
/// empty; `sizes` holds the size of every turn.
#[must_use]
pub fn measure(ranking: &[usize], evidence: &[usize], sizes: &[Size]) -> Scores {
    let within = |budget, size: fn(&Size) -> usize| {
        share_within(ranking, evidence, turns_within(ranking, sizes, (budget, size)))
    };
    let recall = DEPTHS.map(|depth| share_within(ranking, evidence, depth));
    let all = |recall: f64| if recall >= 1.0 { 1.0 } else { 0.0 };
    Scores {
        recall_all: recall.map(all),
        recall_all_shallow: SHALLOW_DEPTHS.map(|depth| all(share_within(ranking, evidence, depth))),
        recall,
        ndcg_at_10: ndcg(ranking, evidence, 10),
        recall_any: recall.map(|recall| if recall > 0.0 { 1.0 } else { 0.0 }),
        coverage: BUDGETS.map(|budget| within(budget, |size| size.whole)),
        coverage_by_passage: BUDGETS.map(|budget| within(budget, |size| size.passage)),
    }
}

/// The mean of several measurements; zeros for none.
#[must_use]
pub fn mean(scores: &[Scores]) -> Scores {
    let count = as_float(scores.len().max(1));
    let mut mean = Scores::default();
    for score in scores {
        for (sum, value) in mean.values_mut().zip(score.values()) {
            *sum += value / count;
        }
    }
    mean
}

impl Scores {
    fn values(&self) -> impl Iterator<Item = f64> {
        self.recall_all
            .into_iter()
            .chain(self.recall_all_shallow)
            .chain(self.recall)
            .chain(self.recall_any)
            .chain([self.ndcg_at_10])
            .chain(self.coverage)
            .chain(self.coverage_by_passage)
    }

    fn values_mut(&mut self) -> impl Iterator<Item = &mut f64> {
        let all = self.recall_all.iter_mut().chain(&mut self.recall_all_shallow);
        let recall = all.chain(&mut self.recall);
        let rest = self.recall_any.iter_mut().chain([&mut self.ndcg_at_10]);
        recall
            .chain(rest)
            .chain(&mut self.coverage)
            .chain(&mut self.coverage_by_passage)
    }
}

/// A count as a number that shares are made of.
#[must_use]
pub fn as_float(count: usize) -> f64 {
    u32::try_from(count).map_or(f64::INFINITY, f64::from)
}

fn share_within(ranking: &[usize], evidence: &[usize], depth: usize) -> f64 {
    let top = &ranking[..depth.min(ranking.len())];
    as_float(evidence.iter().filter(|turn| top.contains(turn)).count()) / as_float(evidence.len().max(1))
}

fn ndcg(ranking: &[usize], evidence: &[usize], depth: usize) -> f64 {
    let gain = |rank: usize| 1.0 / as_float(rank + 2).log2();
    let found: f64 = ranking
        .iter()
        .take(depth)
        .enumerate()
        .filter(|(_, turn)| evidence.contains(turn))
        .map(|(rank, _)| gain(rank))
        .sum();
    let best: f64 = (0..evidence.len().min(depth)).map(gain).sum();
    if best > 0.0 { found / best } else { 0.0 }
}

/// How many turns from the top fit the budget together; the first that does not fit ends it.
fn turns_within(ranking: &[usize], sizes: &[Size], (budget, size): (usize, fn(&Size) -> usize)) -> usize {
    let mut used = 0;
    ranking
        .iter()
        .take_while(|turn| {
            used += sizes.get(**turn).map_or(0, size);
            used <= budget
        })
        .count()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn size(whole: usize) -> Size {
        Size {
            whole,
            passage: whole / 2,
        }
    }

    #[test]
    fn recall_counts_evidence_within_each_depth() {
        let ranking: Vec<usize> = (0..60).collect();
        let scores = measure(&ranking, &[0, 9, 30], &[size(1); 60]);
        assert_eq!(scores.recall_all, [0.0, 0.0, 0.0, 1.0]);
        assert_eq!(scores.recall, [1.0 / 3.0, 2.0 / 3.0, 2.0 / 3.0, 1.0]);
        assert_eq!(scores.recall_all_shallow, [0.0, 0.0]);
        assert_eq!(measure(&ranking, &[1], &[size(1); 60]).recall_all_shallow, [0.0, 1.0]);
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
        // Nothing fits 250; 300 + 150 fit 500, the third does not; all but the last fit 1,000; all fit 2,000 and 4,000.
        let scores = measure(&[0, 1, 2, 3], &[1, 2, 3], &sizes);
        assert_eq!(scores.coverage, [0.0, 1.0 / 3.0, 2.0 / 3.0, 1.0, 1.0]);
        // By passages of half the size, 150 + 75 fit 250 and 150 + 75 + 50 fit 500.
        assert_eq!(scores.coverage_by_passage, [1.0 / 3.0, 2.0 / 3.0, 1.0, 1.0, 1.0]);
    }

    #[test]
    fn means_are_taken_measure_by_measure() {
        let left = Scores {
            recall_all: [1.0, 1.0, 0.0, 1.0],
            ndcg_at_10: 0.5,
            ..Scores::default()
        };
        let right = Scores {
            recall_all: [0.0, 1.0, 0.0, 1.0],
            ndcg_at_10: 0.25,
            ..Scores::default()
        };
        let mean = mean(&[left, right]);
        assert_eq!((mean.recall_all, mean.ndcg_at_10), ([0.5, 1.0, 0.0, 1.0], 0.375));
    }

    proptest! {
        #[test]
        fn recall_grows_with_depth_and_all_means_all(evidence in proptest::collection::btree_set(0_usize..80, 1..6)) {
            let ranking: Vec<usize> = (0..80).collect();
            let evidence: Vec<usize> = evidence.into_iter().collect();
            let scores = measure(&ranking, &evidence, &[size(40); 80]);
            prop_assert!(scores.recall.windows(2).all(|pair| pair[0] <= pair[1]));
            prop_assert!(scores.coverage.windows(2).all(|pair| pair[0] <= pair[1]));
            for (all, share) in scores.recall_all.iter().zip(scores.recall) {
                prop_assert!(*all <= share && (*all == 1.0) == (share == 1.0));
            }
        }
    }
}
