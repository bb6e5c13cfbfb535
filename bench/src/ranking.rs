//! Rankings of a conversation's turns, best first.

/// All positions of `scores`, highest score first, ties by position.
pub(crate) fn by_score(scores: &[f32]) -> Vec<usize> {
    let mut order: Vec<usize> = (0..scores.len()).collect();
    order.sort_by(|left, right| scores[*right].total_cmp(&scores[*left]).then(left.cmp(right)));
    order
}

/// `found` with every missing position below `count` behind it, ascending; repeated positions count where they stand first.
pub(crate) fn completed(found: &[usize], count: usize) -> Vec<usize> {
    first_places(found.iter().copied().chain(0..count), count)
}

/// Positions below `count` in the order of their first place in `found`.
pub(crate) fn first_places(found: impl IntoIterator<Item = usize>, count: usize) -> Vec<usize> {
    let mut seen = vec![false; count];
    let mut order = Vec::with_capacity(count);
    for position in found {
        if position < count && !seen[position] {
            seen[position] = true;
            order.push(position);
        }
    }
    order
}

/// One ranking of positions below `count` out of several, by reciprocal rank fusion (Cormack et al., 2009): each ranking gives
/// a position 1 / (60 + its rank from 1).
pub(crate) fn fused(rankings: &[&[usize]], count: usize) -> Vec<usize> {
    const DAMPING: f32 = 60.0;
    let mut scores = vec![0.0; count];
    for ranking in rankings {
        let mut rank = DAMPING;
        for position in *ranking {
            rank += 1.0;
            if let Some(score) = scores.get_mut(*position) {
                *score += 1.0 / rank;
            }
        }
    }
    by_score(&scores)
}

/// Per turn, the cosine of its best passage to `question`; all vectors have unit length. A turn
/// without passages has the lowest score there is.
pub(crate) fn best_cosines(question: &[f32], turns: &[Vec<Vec<f32>>]) -> Vec<f32> {
    let best = |passages: &Vec<Vec<f32>>| passages.iter().map(|vector| dot(question, vector)).fold(f32::MIN, f32::max);
    turns.iter().map(best).collect()
}

pub(crate) fn minus(left: &[f32], right: &[f32]) -> Vec<f32> {
    left.iter().zip(right).map(|(left, right)| left - right).collect()
}

/// The cosine of two vectors of unit length.
pub(crate) fn dot(left: &[f32], right: &[f32]) -> f32 {
    left.iter().zip(right).map(|(left, right)| left * right).sum()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_highest_score_comes_first_and_ties_keep_their_order() {
        assert_eq!(by_score(&[0.1, 0.9, 0.1, 0.5]), [1, 3, 0, 2]);
    }

    #[test]
    fn a_partial_ranking_is_completed_in_order_of_position() {
        assert_eq!(completed(&[3, 1, 3, 9], 5), [3, 1, 0, 2, 4]);
        assert_eq!(first_places([3, 1, 3, 9], 5), [3, 1]);
    }

    #[test]
    fn what_two_rankings_agree_on_comes_before_what_one_puts_first() {
        assert_eq!(fused(&[&[3, 1], &[2, 1]], 4), [1, 2, 3, 0]);
    }

    #[test]
    fn a_turn_counts_by_its_best_passage() {
        let turns = [vec![vec![1.0, 0.0], vec![0.0, 1.0]], vec![vec![1.0, 0.0]], vec![]];
        assert_eq!(best_cosines(&[0.6, 0.8], &turns), [0.8, 0.6, f32::MIN]);
    }

    proptest! {
        #[test]
        fn a_ranking_holds_every_position_once(scores in proptest::collection::vec(-1.0_f32..1.0, 0..50)) {
            let mut order = by_score(&scores);
            prop_assert!(order.windows(2).all(|pair| scores[pair[0]] >= scores[pair[1]]));
            order.sort_unstable();
            prop_assert_eq!(order, (0..scores.len()).collect::<Vec<_>>());
        }
    }
}
