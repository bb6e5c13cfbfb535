//! Reciprocal rank fusion: one ranking out of several whose scores can't be compared.
//!
//! Responsible for: the arithmetic, nothing else. Must not know: what is ranked, or by whom.

use std::collections::HashMap;
use std::hash::Hash;

/// Fuses rankings (each best first): an item at place r, counted from 0, of a ranking earns 1 / (k + r + 1).
///
/// Returns every item once with its sum, best first, ties broken by the order of `T`. An item that occurs twice in
/// one ranking counts at its better place only. `k` damps the top places; a `k` that is negative or not a number
/// counts as 0.
pub fn reciprocal_rank<T: Copy + Eq + Hash + Ord>(rankings: &[Vec<T>], k: f32) -> Vec<(T, f32)> {
    let k = f64::from(k.max(0.0));
    let mut sums: HashMap<T, f64> = HashMap::new();
    for ranking in rankings {
        let mut places: HashMap<T, usize> = HashMap::with_capacity(ranking.len());
        for (place, item) in ranking.iter().enumerate() {
            places.entry(*item).or_insert(place);
        }
        for (item, place) in places {
            *sums.entry(item).or_default() += 1.0 / (k + place as f64 + 1.0);
        }
    }
    let mut fused: Vec<(T, f32)> = sums.into_iter().map(|(item, sum)| (item, sum as f32)).collect();
    fused.sort_unstable_by(|(item, score), (other, other_score)| {
        other_score.total_cmp(score).then_with(|| item.cmp(other))
    });
    fused
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn an_item_liked_by_two_rankings_beats_the_favourite_of_one() {
        let fused = reciprocal_rank(&[vec![1, 2, 3], vec![4, 2, 5]], 20.0);
        assert_eq!(fused.first().map(|(item, _)| *item), Some(2));
        assert!((fused[0].1 - 2.0 / 22.0).abs() < 1e-6);
    }

    #[test]
    fn no_rankings_give_no_items() {
        assert!(reciprocal_rank::<u8>(&[], 20.0).is_empty());
        assert!(reciprocal_rank::<u8>(&[vec![], vec![]], 20.0).is_empty());
    }

    fn rankings() -> impl Strategy<Value = Vec<Vec<u8>>> {
        prop::collection::vec(prop::collection::vec(any::<u8>(), 0..30), 0..5)
    }

    proptest! {
        #[test]
        fn every_item_comes_out_exactly_once(rankings in rankings(), k in 0.0f32..100.0) {
            let fused = reciprocal_rank(&rankings, k);
            let expected: HashSet<u8> = rankings.iter().flatten().copied().collect();
            let got: HashSet<u8> = fused.iter().map(|(item, _)| *item).collect();
            prop_assert_eq!(fused.len(), expected.len());
            prop_assert_eq!(got, expected);
        }

        #[test]
        fn scores_fall_and_ties_follow_the_items_order(rankings in rankings(), k in 0.0f32..100.0) {
            for pair in reciprocal_rank(&rankings, k).windows(2) {
                let ((first, high), (second, low)) = (pair[0], pair[1]);
                prop_assert!(high > low || (high == low && first < second));
            }
        }

        #[test]
        fn the_order_of_the_rankings_does_not_matter(rankings in rankings(), k in 0.0f32..100.0) {
            let mut reversed = rankings.clone();
            reversed.reverse();
            let scores = |fused: Vec<(u8, f32)>| -> HashMap<u8, f32> { fused.into_iter().collect() };
            let (one, other) = (scores(reciprocal_rank(&rankings, k)), scores(reciprocal_rank(&reversed, k)));
            for (item, score) in one {
                prop_assert!((score - other[&item]).abs() < 1e-6);
            }
        }

        #[test]
        fn one_ranking_keeps_its_order(items in prop::collection::hash_set(any::<u8>(), 0..30), k in 0.0f32..100.0) {
            let ranking: Vec<u8> = items.into_iter().collect();
            let fused: Vec<u8> = reciprocal_rank(std::slice::from_ref(&ranking), k).into_iter().map(|f| f.0).collect();
            prop_assert_eq!(fused, ranking);
        }
    }
}
