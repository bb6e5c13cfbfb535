//! How well a score tells two kinds of things apart: the area under its ROC curve, which is the statistic U of Mann and
//! Whitney divided by the number of pairs. It must not know what the score measures.

use crate::bootstrap::{Interval, quantile};
use crate::metrics::as_float;

/// The share of the pairs of a `high` and a `low` score in which the high one is greater, ties counting half: 0.5 tells
/// nothing, 1 tells everything. Nothing without pairs.
#[must_use]
pub fn area(high: &[f64], low: &[f64]) -> Option<f64> {
    if high.is_empty() || low.is_empty() {
        return None;
    }
    let mut low = low.to_vec();
    low.sort_by(f64::total_cmp);
    let won = |score: &f64| {
        let below = low.partition_point(|other| other < score);
        let not_above = low.partition_point(|other| other <= score);
        (as_float(below) + as_float(not_above)) / 2.0
    };
    Some(high.iter().map(won).sum::<f64>() / (as_float(high.len()) * as_float(low.len())))
}

/// The area with its interval, from `count` samples of both kinds, each drawn with replacement by a generator that starts at
/// `seed`.
#[must_use]
pub fn interval(high: &[f64], low: &[f64], (count, seed): (usize, u64)) -> Option<Interval> {
    let mean = area(high, low)?;
    let mut random = fastrand::Rng::with_seed(seed);
    let mut areas: Vec<f64> = (0..count)
        .filter_map(|_| area(&drawn(high, &mut random), &drawn(low, &mut random)))
        .collect();
    areas.sort_by(f64::total_cmp);
    Some(Interval {
        mean,
        low: quantile(&areas, 25).unwrap_or(mean),
        high: quantile(&areas, 975).unwrap_or(mean),
    })
}

fn drawn(values: &[f64], random: &mut fastrand::Rng) -> Vec<f64> {
    values.iter().map(|_| values[random.usize(..values.len())]).collect()
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests fail loudly")]

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_area_is_the_share_of_pairs_in_order_and_ties_count_half() {
        assert_eq!(area(&[3.0, 4.0], &[1.0, 2.0]), Some(1.0));
        assert_eq!(area(&[1.0, 2.0], &[3.0, 4.0]), Some(0.0));
        assert_eq!(area(&[1.0, 1.0], &[1.0]), Some(0.5));
        // 2 beats 1 and ties with 2, 3 beats both: 3.5 of 4 pairs.
        assert_eq!(area(&[2.0, 3.0], &[2.0, 1.0]), Some(0.875));
    }

    #[test]
    fn without_pairs_there_is_no_area() {
        assert_eq!(area(&[], &[1.0]), None);
        assert_eq!(area(&[1.0], &[]), None);
        assert_eq!(interval(&[1.0], &[], (10, 1)), None);
    }

    #[test]
    fn the_interval_holds_the_area_and_has_no_width_where_nothing_varies() {
        let sure = interval(&[2.0, 3.0], &[0.0, 1.0], (200, 1)).unwrap();
        assert_eq!((sure.low, sure.mean, sure.high), (1.0, 1.0, 1.0));
        let scores = |from: u8| (from..from + 40).map(f64::from).collect::<Vec<f64>>();
        let found = interval(&scores(10), &scores(0), (2000, 1)).unwrap();
        assert!(found.low < found.mean && found.mean < found.high && found.high < 1.0);
        assert!(found.low > 0.5, "{found:?}");
        assert_eq!(interval(&scores(10), &scores(0), (2000, 1)), Some(found));
    }

    proptest! {
        #[test]
        fn the_area_of_the_other_direction_is_the_rest(
            high in proptest::collection::vec(0_u8..9, 1..20),
            low in proptest::collection::vec(0_u8..9, 1..20),
        ) {
            let floats = |values: &[u8]| values.iter().copied().map(f64::from).collect::<Vec<f64>>();
            let (high, low) = (floats(&high), floats(&low));
            let (there, back) = (area(&high, &low).unwrap(), area(&low, &high).unwrap());
            prop_assert!((there + back - 1.0).abs() < 1e-12);
            prop_assert!((0.0..=1.0).contains(&there));
        }
    }
}
