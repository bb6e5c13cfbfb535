//! Times and what is said of them.
//!
//! It must not know what was measured.

use crate::bootstrap::quantile;

/// Times in milliseconds, ascending.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Times(Vec<f64>);

impl Times {
    /// Half of the times are no longer.
    #[must_use]
    pub(super) fn p50(&self) -> f64 {
        self.quantile(50)
    }

    /// Of a hundred times one is longer.
    #[must_use]
    pub(super) fn p99(&self) -> f64 {
        self.quantile(99)
    }

    /// The smallest time that so many per cent do not exceed; 0 for none.
    fn quantile(&self, percent: usize) -> f64 {
        quantile(&self.0, percent * 10).unwrap_or(0.0)
    }
}

impl FromIterator<f64> for Times {
    fn from_iter<I: IntoIterator<Item = f64>>(times: I) -> Self {
        let mut times: Vec<f64> = times.into_iter().collect();
        times.sort_by(f64::total_cmp);
        Self(times)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_times_that_were_measured() {
        let times: Times = (1..=200).rev().map(f64::from).collect();
        assert_eq!((times.p50(), times.p99()), (100.0, 198.0));
        assert_eq!(Times::default().p99(), 0.0);
    }
}
