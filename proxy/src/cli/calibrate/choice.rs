//! Judging rankings by labelled evidence, and choosing heads by what they find.
//!
//! It must not know what a head is nor where scores come from.

use super::gather::{Scores, Surveyed};

/// How many questions have all their evidence among the first turns of a ranking. Compared by the first 10, then 5, then 20.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub(super) struct Found {
    /// Among the first 10.
    pub(super) at_10: usize,
    /// Among the first 5.
    pub(super) at_5: usize,
    /// Among the first 20.
    pub(super) at_20: usize,
    /// How many questions there are.
    pub(super) questions: usize,
}

impl Found {
    /// Judges the scores that `score` gives the turns of every conversation, question by question.
    pub(super) fn over(part: &[Surveyed], score: impl Fn(&Surveyed) -> Scores) -> Self {
        let mut found = Self::default();
        for conversation in part {
            let scores = score(conversation);
            for (asked, scores) in conversation.asked.iter().zip(&scores) {
                found.count(last_place(scores, &asked.evidence));
            }
        }
        found
    }

    /// Counts a question whose last evidence stands at this place, the first being 0.
    fn count(&mut self, place: usize) {
        self.at_5 += usize::from(place < 5);
        self.at_10 += usize::from(place < 10);
        self.at_20 += usize::from(place < 20);
        self.questions += 1;
    }

    /// recall_all at 5, 10 and 20.
    pub(super) fn recalls(&self) -> [f64; 3] {
        let number = |count: usize| u32::try_from(count).map_or(f64::INFINITY, f64::from);
        let all = number(self.questions.max(1));
        [self.at_5, self.at_10, self.at_20].map(|found| number(found) / all)
    }
}

/// Candidates with what each finds alone, best first; the earlier one first among equals.
pub(super) fn rank(candidates: usize, mut judge: impl FnMut(usize) -> Found) -> Vec<(usize, Found)> {
    let mut ranking: Vec<(usize, Found)> = (0..candidates).map(|candidate| (candidate, judge(candidate))).collect();
    ranking.sort_by(|left, right| right.1.cmp(&left.1).then(left.0.cmp(&right.0)));
    ranking
}

/// The best candidate alone, then one at a time whichever finds most together with those chosen before, until `most` are
/// chosen or no other adds anything. Ascending.
pub(super) fn choose(ranking: &[(usize, Found)], most: usize, mut judge: impl FnMut(&[usize]) -> Found) -> Vec<usize> {
    let Some((first, mut best)) = ranking.first().copied() else {
        return Vec::new();
    };
    let mut chosen = vec![first];
    while chosen.len() < most {
        let mut next = None;
        for (candidate, _) in ranking.iter().filter(|(candidate, _)| !chosen.contains(candidate)) {
            let together: Vec<usize> = chosen.iter().copied().chain([*candidate]).collect();
            let found = judge(&together);
            if found > best {
                best = found;
                next = Some(*candidate);
            }
        }
        let Some(next) = next else { break };
        chosen.push(next);
    }
    chosen.sort_unstable();
    chosen
}

/// The place of the last of the evidence turns when turns stand by their scores, the earlier one first among equals. A turn
/// whose score is no number comes last.
fn last_place(scores: &[f32], evidence: &[usize]) -> usize {
    let place = |turn: &usize| match scores.get(*turn) {
        Some(own) if own.is_finite() => scores
            .iter()
            .enumerate()
            .filter(|(other, score)| **score > *own || (**score == *own && other < turn))
            .count(),
        _ => scores.len(),
    };
    evidence.iter().map(place).max().unwrap_or(scores.len())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn found(at_10: usize) -> Found {
        Found {
            at_10,
            ..Found::default()
        }
    }

    #[test]
    fn the_head_that_adds_most_is_chosen_though_it_is_not_the_next_best_alone() {
        // What each candidate finds of six questions; 0 and 1 find nearly the same.
        let finds: [&[usize]; 4] = [&[0, 1, 2, 3], &[0, 1, 2], &[4, 5], &[0]];
        let judge = |heads: &[usize]| {
            let mut together: Vec<usize> = heads.iter().flat_map(|head| finds[*head]).copied().collect();
            together.sort_unstable();
            together.dedup();
            found(together.len())
        };
        let ranking = rank(4, |head| judge(&[head]));
        assert_eq!(ranking.iter().map(|(head, _)| *head).collect::<Vec<_>>(), [0, 1, 2, 3]);
        assert_eq!(choose(&ranking, 3, judge), [0, 2]);
        assert_eq!(choose(&ranking, 1, judge), [0]);
    }

    #[test]
    fn what_is_found_at_10_counts_before_what_is_found_at_5() {
        let deep = Found { at_5: 0, ..found(2) };
        let shallow = Found { at_5: 9, ..found(1) };
        assert!(deep > shallow && Found { at_5: 1, ..deep } > deep);
    }

    #[test]
    fn recall_is_the_share_of_questions() {
        let mut found = Found::default();
        [0, 4, 5, 19, 20].into_iter().for_each(|place| found.count(place));
        assert_eq!(found.recalls(), [0.4, 0.6, 0.8]);
        assert_eq!(Found::default().recalls(), [0.0; 3]);
    }

    #[test]
    fn a_score_that_is_no_number_finds_nothing() {
        assert_eq!(last_place(&[f32::NAN, 1.0], &[0]), 2);
        assert_eq!(last_place(&[0.5, 1.0], &[7]), 2);
    }

    proptest! {
        #[test]
        fn the_last_place_is_that_of_the_sorted_turns(
            scores in proptest::collection::vec(-3_i8..3, 1..30),
            evidence in proptest::collection::vec(any::<proptest::sample::Index>(), 1..4),
        ) {
            let scores: Vec<f32> = scores.into_iter().map(f32::from).collect();
            let evidence: Vec<usize> = evidence.into_iter().map(|turn| turn.index(scores.len())).collect();
            let mut order: Vec<usize> = (0..scores.len()).collect();
            order.sort_by(|left, right| scores[*right].total_cmp(&scores[*left]).then(left.cmp(right)));
            let last = order.iter().rposition(|turn| evidence.contains(turn));
            prop_assert_eq!(Some(last_place(&scores, &evidence)), last);
        }

        #[test]
        fn whatever_is_found_the_choice_is_small_without_repetition_and_never_worse_than_the_best_head(
            alone in proptest::collection::vec(0_usize..50, 1..9), most in 1_usize..5, salt in any::<usize>(),
        ) {
            let judge = |heads: &[usize]| match heads {
                [head] => found(alone[*head]),
                heads => found(heads.iter().fold(0_usize, |sum, head| sum.wrapping_add((head + 1).wrapping_mul(salt))) % 60),
            };
            let ranking = rank(alone.len(), |head| judge(&[head]));
            prop_assert!(ranking.windows(2).all(|pair| pair[0].1 >= pair[1].1));
            let chosen = choose(&ranking, most, judge);
            prop_assert!(!chosen.is_empty() && chosen.len() <= most.min(alone.len()));
            prop_assert!(chosen.windows(2).all(|pair| pair[0] < pair[1]));
            prop_assert!(judge(&chosen) >= ranking[0].1);
        }
    }
}
