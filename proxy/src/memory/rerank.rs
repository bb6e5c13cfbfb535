//! Puts the first turns of a ranking into the order that the question's attention to them in one prompt suggests.
//!
//! It must not know how the ranking came about, nor ask the engine. The benchmark re-ranks by the same functions.

use mainpoint_engine::MOST_RERANKED;
use mainpoint_store::fusion::reciprocal_rank;

/// How many of a ranking's first turns are re-ranked.
pub const DEPTH: usize = MOST_RERANKED;

/// Damps the first places when the two orders are fused.
const DAMPING: f32 = 20.0;

/// The places of a ranking's first turns by their scores in the prompt alone, best first. `scores` holds one score for each
/// of them, in the ranking's order; turns with equal scores keep it.
#[must_use]
pub fn by_score(scores: &[f32]) -> Vec<usize> {
    let mut places: Vec<usize> = (0..scores.len()).collect();
    places.sort_by(|one, other| scores[*other].total_cmp(&scores[*one]));
    places
}

/// The places of a ranking's first turns by reciprocal rank fusion of the ranking with [`by_score`], best first.
#[must_use]
pub fn fused(scores: &[f32]) -> Vec<usize> {
    let ranking: Vec<usize> = (0..scores.len()).collect();
    let fused = reciprocal_rank(&[ranking, by_score(scores)], DAMPING);
    fused.into_iter().map(|(place, _)| place).collect()
}

/// `ranking` with the turns at `places` first, in that order, and all others behind them in their own. A place that the
/// ranking does not have, or that was named before, is passed over.
#[must_use]
pub fn reordered<T>(ranking: Vec<T>, places: &[usize]) -> Vec<T> {
    let mut waiting: Vec<Option<T>> = ranking.into_iter().map(Some).collect();
    let mut ordered = Vec::with_capacity(waiting.len());
    for place in places {
        ordered.extend(waiting.get_mut(*place).and_then(Option::take));
    }
    ordered.extend(waiting.into_iter().flatten());
    ordered
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_best_score_comes_first_and_equal_scores_keep_their_order() {
        assert_eq!(by_score(&[0.1, 0.5, 0.1, 0.9]), [3, 1, 0, 2]);
        assert!(by_score(&[]).is_empty() && fused(&[]).is_empty());
    }

    #[test]
    fn fusion_stands_between_the_two_orders() {
        // Places 3, 0, 1, 2 by score: 1/21 + 1/22 for turn 0, 1/24 + 1/21 for 3, 1/22 + 1/23 for 1, 1/23 + 1/24 for 2.
        assert_eq!(fused(&[0.5, 0.2, 0.1, 0.9]), [0, 3, 1, 2]);
        // The two best of both orders tie and keep the ranking's order.
        assert_eq!(fused(&[0.5, 0.9]), [0, 1]);
    }

    #[test]
    fn only_the_first_turns_are_reordered() {
        assert_eq!(reordered(vec!['a', 'b', 'c', 'd'], &[1, 0]), ['b', 'a', 'c', 'd']);
        assert_eq!(reordered(vec!['a', 'b'], &[1, 7, 1]), ['b', 'a']);
    }

    proptest! {
        #[test]
        fn every_turn_stays_in_the_ranking(
            scores in proptest::collection::vec(-1.0_f32..1.0, 0..20),
            behind in 0_usize..9,
        ) {
            let ranking: Vec<usize> = (0..scores.len() + behind).collect();
            for places in [by_score(&scores), fused(&scores)] {
                let mut order = reordered(ranking.clone(), &places);
                prop_assert_eq!(&order[scores.len()..], &ranking[scores.len()..]);
                order.sort_unstable();
                prop_assert_eq!(&order, &ranking);
            }
        }
    }
}
