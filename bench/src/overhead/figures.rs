//! Small statistics over rounds and samples: medians, spreads, percentiles.
//!
//! It must not know what the values measure.

/// A median with the least and the greatest value.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Spread {
    /// The middle value; the mean of the two middle ones if there are two.
    pub(super) median: f64,
    /// The least value.
    pub(super) low: f64,
    /// The greatest value.
    pub(super) high: f64,
}

impl Spread {
    /// Of the values; nothing without any.
    #[must_use]
    pub(super) fn of(values: impl IntoIterator<Item = f64>) -> Option<Self> {
        let mut sorted: Vec<f64> = values.into_iter().collect();
        sorted.sort_by(f64::total_cmp);
        let (low, high) = (*sorted.first()?, *sorted.last()?);
        let upper = *sorted.get(sorted.len() / 2)?;
        let lower = *sorted.get((sorted.len() - 1) / 2)?;
        Some(Self {
            median: f64::midpoint(lower, upper),
            low,
            high,
        })
    }
}

/// A count as a floating-point number; those of 2⁵³ and more lose their last digits.
#[must_use]
pub(super) fn whole(count: u64) -> f64 {
    count as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bootstrap::quantile;

    #[test]
    fn the_median_of_an_even_count_lies_between_two_values() {
        let spread = Spread::of([4.0, 1.0, 3.0, 2.0]);
        let expected = Spread {
            median: 2.5,
            low: 1.0,
            high: 4.0,
        };
        assert_eq!(spread, Some(expected));
        assert_eq!(Spread::of([7.0]).map(|spread| spread.median), Some(7.0));
        assert_eq!(Spread::of([]), None);
    }

    #[test]
    fn a_percentile_is_one_of_the_values() {
        let sorted: Vec<f64> = (1..=200).map(f64::from).collect();
        assert_eq!(quantile(&sorted, 500), Some(100.0));
        assert_eq!(quantile(&sorted, 990), Some(198.0));
        assert_eq!(quantile(&sorted[..1], 990), Some(1.0));
        assert_eq!(quantile(&[], 500), None);
    }
}
