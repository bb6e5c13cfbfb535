//! Bootstrap intervals over questions. It must not know what the values measure.

use crate::metrics::as_float;

/// A mean with the interval that holds 95 % of the resampled means.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Interval {
    /// The mean of the values.
    pub mean: f64,
    /// 2.5 % of the resampled means lie below.
    pub low: f64,
    /// 2.5 % of the resampled means lie above.
    pub high: f64,
}

/// Samples of question numbers, drawn once with replacement, so that every arm is resampled alike.
#[derive(Debug, Clone)]
pub struct Resamples {
    questions: usize,
    drawn: Vec<u32>,
}

impl Resamples {
    /// Draws `count` samples of `questions` questions from a generator that starts at `seed`.
    #[must_use]
    pub fn draw(questions: usize, count: usize, seed: u64) -> Self {
        let mut random = fastrand::Rng::with_seed(seed);
        let end = u32::try_from(questions).unwrap_or(u32::MAX);
        Self {
            questions,
            drawn: (0..questions * count).map(|_| random.u32(0..end)).collect(),
        }
    }

    /// The mean of one value per question, with its interval.
    #[must_use]
    pub fn interval(&self, values: &[f64]) -> Interval {
        let count = as_float(self.questions.max(1));
        let mean = values.iter().sum::<f64>() / count;
        let mut means: Vec<f64> = self
            .drawn
            .chunks_exact(self.questions.max(1))
            .map(|sample| sample.iter().map(|question| values[*question as usize]).sum::<f64>() / count)
            .collect();
        means.sort_by(f64::total_cmp);
        Interval {
            mean,
            low: quantile(&means, 25).unwrap_or(mean),
            high: quantile(&means, 975).unwrap_or(mean),
        }
    }

    /// The ratio of two sums over the same questions, with its interval. Resamples whose denominators sum up to 0 count
    /// as 0.
    #[must_use]
    pub fn ratio(&self, numerators: &[f64], denominators: &[f64]) -> Interval {
        let all: Vec<u32> = (0..u32::try_from(self.questions).unwrap_or(u32::MAX)).collect();
        let ratio = |sample: &[u32]| {
            let sum = |values: &[f64]| sample.iter().map(|question| values[*question as usize]).sum::<f64>();
            let denominator = sum(denominators);
            if denominator > 0.0 {
                sum(numerators) / denominator
            } else {
                0.0
            }
        };
        let mean = ratio(&all);
        let mut ratios: Vec<f64> = self.drawn.chunks_exact(self.questions.max(1)).map(ratio).collect();
        ratios.sort_by(f64::total_cmp);
        Interval {
            mean,
            low: quantile(&ratios, 25).unwrap_or(mean),
            high: quantile(&ratios, 975).unwrap_or(mean),
        }
    }

    /// The interval of the paired difference `left − right`, question by question.
    #[must_use]
    pub fn difference(&self, left: &[f64], right: &[f64]) -> Interval {
        let differences: Vec<f64> = left.iter().zip(right).map(|(left, right)| left - right).collect();
        self.interval(&differences)
    }
}

impl Interval {
    /// A value that was not sampled.
    #[must_use]
    pub fn exactly(value: f64) -> Self {
        Self {
            mean: value,
            low: value,
            high: value,
        }
    }

    /// Whether the interval leaves 0 out.
    #[must_use]
    pub fn excludes_zero(&self) -> bool {
        self.low > 0.0 || self.high < 0.0
    }
}

/// The value that `thousandths` of the ascending `values` do not exceed, by the nearest rank; nothing without any.
pub(crate) fn quantile(values: &[f64], thousandths: usize) -> Option<f64> {
    let rank = (values.len() * thousandths).div_ceil(1000);
    values.get(rank.saturating_sub(1)).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_nearest_ranks() {
        let values: Vec<f64> = (1..=1000).map(f64::from).collect();
        assert_eq!(
            (quantile(&values, 25), quantile(&values, 975)),
            (Some(25.0), Some(975.0))
        );
        assert_eq!(quantile(&[7.0], 25), Some(7.0));
        assert_eq!(quantile(&[], 25), None);
    }

    #[test]
    fn a_constant_difference_has_an_interval_without_width() {
        let found = Resamples::draw(4, 100, 1).difference(&[1.0, 1.0, 0.5, 0.75], &[0.5, 0.5, 0.0, 0.25]);
        assert_eq!(
            found,
            Interval {
                mean: 0.5,
                low: 0.5,
                high: 0.5
            }
        );
        assert!(found.excludes_zero());
    }

    #[test]
    fn the_interval_of_a_coin_is_close_to_the_normal_approximation() {
        let values: Vec<f64> = (0..400).map(|question| f64::from(question % 2)).collect();
        let found = Resamples::draw(400, 10_000, 7).interval(&values);
        // The standard error is √(0.25 / 400) = 0.025, so the interval is about 0.5 ± 0.049.
        assert!((found.mean - 0.5).abs() < 1e-12);
        assert!((found.low - 0.451).abs() < 0.006 && (found.high - 0.549).abs() < 0.006);
    }

    #[test]
    fn a_ratio_is_one_of_sums_and_not_of_means_of_ratios() {
        let resamples = Resamples::draw(2, 200, 5);
        let found = resamples.ratio(&[1.0, 3.0], &[2.0, 4.0]);
        assert!((found.mean - 4.0 / 6.0).abs() < 1e-12);
        assert_eq!((found.low, found.high), (0.5, 0.75));
        assert_eq!(resamples.ratio(&[1.0, 1.0], &[0.0, 0.0]).mean, 0.0);
    }

    #[test]
    fn the_same_seed_draws_the_same_samples() {
        assert_eq!(Resamples::draw(10, 5, 3).drawn, Resamples::draw(10, 5, 3).drawn);
        assert_ne!(Resamples::draw(10, 5, 3).drawn, Resamples::draw(10, 5, 4).drawn);
    }
}
