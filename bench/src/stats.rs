//! Statistics: quantiles, medians of rounds, and bootstrap intervals.

/// A figure with the bounds that it is shown with.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(crate) struct Figure {
    /// A mean, a median or a quantile.
    pub(crate) value: f64,
    /// The least of the rounds, or 2.5 % of the resampled means lie below.
    pub(crate) low: f64,
    /// The greatest of the rounds, or 2.5 % of the resampled means lie above.
    pub(crate) high: f64,
}

/// Samples of question numbers, drawn once with replacement, so that every arm is resampled alike.
#[derive(Debug, Clone)]
pub(crate) struct Resamples {
    questions: usize,
    drawn: Vec<u32>,
}

/// Resamples of every bootstrap interval that is reported.
pub(crate) const RESAMPLES: usize = 10_000;

impl Figure {
    /// A value that was not sampled.
    pub(crate) fn exactly(value: f64) -> Self {
        Self { value, low: value, high: value }
    }

    /// The median of the rounds with their extremes; the mean of the two in the middle if there are two. Nothing without any.
    pub(crate) fn median(rounds: impl IntoIterator<Item = f64>) -> Option<Self> {
        let rounds = sorted(rounds);
        let (low, high) = (*rounds.first()?, *rounds.last()?);
        let (upper, lower) = (*rounds.get(rounds.len() / 2)?, *rounds.get((rounds.len() - 1) / 2)?);
        Some(Self { value: f64::midpoint(lower, upper), low, high })
    }

    /// The value that so many thousandths of all rounds' values do not exceed, with the extremes of the same in each round.
    pub(crate) fn quantile(rounds: &[Vec<f64>], thousandths: usize) -> Option<Self> {
        let each = rounds.iter().map(|round| percentile(round, thousandths));
        Some(Self { value: percentile(&rounds.concat(), thousandths), ..Self::median(each)? })
    }
}

impl From<f64> for Figure {
    fn from(value: f64) -> Self {
        Self::exactly(value)
    }
}

impl Resamples {
    /// Draws `count` samples of `questions` questions from a generator that starts at `seed`.
    pub(crate) fn draw(questions: usize, count: usize, seed: u64) -> Self {
        let mut random = fastrand::Rng::with_seed(seed);
        let end = u32::try_from(questions).unwrap_or(u32::MAX);
        Self { questions, drawn: (0..questions * count).map(|_| random.u32(0..end)).collect() }
    }

    /// The mean of one value per question, with its interval.
    pub(crate) fn interval(&self, values: &[f64]) -> Figure {
        let count = as_float(self.questions.max(1));
        let of = |sample: &[u32]| sample.iter().map(|question| values[*question as usize]).sum::<f64>() / count;
        self.bounded(values.iter().sum::<f64>() / count, of)
    }

    /// The ratio of two sums over the same questions, with its interval. Resamples whose denominators sum up to 0 count as 0.
    pub(crate) fn ratio(&self, numerators: &[f64], denominators: &[f64]) -> Figure {
        let all: Vec<u32> = (0..u32::try_from(self.questions).unwrap_or(u32::MAX)).collect();
        let ratio = |sample: &[u32]| {
            let sum = |values: &[f64]| sample.iter().map(|question| values[*question as usize]).sum::<f64>();
            let denominator = sum(denominators);
            if denominator > 0.0 { sum(numerators) / denominator } else { 0.0 }
        };
        self.bounded(ratio(&all), ratio)
    }

    /// The interval of the paired difference `left − right`, question by question.
    pub(crate) fn difference(&self, left: &[f64], right: &[f64]) -> Figure {
        let differences: Vec<f64> = left.iter().zip(right).map(|(left, right)| left - right).collect();
        self.interval(&differences)
    }

    fn bounded(&self, value: f64, of: impl Fn(&[u32]) -> f64) -> Figure {
        let resampled = sorted(self.drawn.chunks_exact(self.questions.max(1)).map(of));
        Figure {
            value,
            low: quantile(&resampled, 25).unwrap_or(value),
            high: quantile(&resampled, 975).unwrap_or(value),
        }
    }
}

/// The value that `thousandths` of the ascending `values` do not exceed, by the nearest rank; nothing without any.
pub(crate) fn quantile(values: &[f64], thousandths: usize) -> Option<f64> {
    let rank = (values.len() * thousandths).div_ceil(1000);
    values.get(rank.saturating_sub(1)).copied()
}

/// The same of values in any order; 0 for none.
pub(crate) fn percentile(values: &[f64], thousandths: usize) -> f64 {
    quantile(&sorted(values.iter().copied()), thousandths).unwrap_or(0.0)
}

/// The mean of values; 0 for none.
pub(crate) fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / as_float(values.len().max(1))
}

/// A count as a number that shares are made of; those of 2⁵³ and more lose their last digits.
pub(crate) fn as_float(count: usize) -> f64 {
    count as f64
}

/// A count as the store keeps it; larger ones are capped.
pub(crate) fn narrow(count: usize) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}

fn sorted(values: impl IntoIterator<Item = f64>) -> Vec<f64> {
    let mut values: Vec<f64> = values.into_iter().collect();
    values.sort_by(f64::total_cmp);
    values
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_nearest_ranks() {
        let values: Vec<f64> = (1..=1000).rev().map(f64::from).collect();
        assert_eq!((percentile(&values, 25), percentile(&values, 975)), (25.0, 975.0));
        assert_eq!((quantile(&[7.0], 25), quantile(&[], 25)), (Some(7.0), None));
    }

    #[test]
    fn the_median_of_an_even_count_lies_between_two_values_and_the_extremes() {
        let expected = Figure { value: 2.5, low: 1.0, high: 4.0 };
        assert_eq!(Figure::median([4.0, 1.0, 3.0, 2.0]), Some(expected));
        assert_eq!(Figure::median([]), None);
    }

    #[test]
    fn a_quantile_is_taken_over_all_rounds_and_its_extremes_by_round() {
        let found = Figure::quantile(&[vec![1.0, 2.0, 3.0], vec![5.0, 4.0, 9.0]], 990).unwrap_or_default();
        assert_eq!((found.value, found.low, found.high), (9.0, 3.0, 9.0));
    }

    #[test]
    fn a_constant_difference_has_an_interval_without_width() {
        let found = Resamples::draw(4, 100, 1).difference(&[1.0, 1.0, 0.5, 0.75], &[0.5, 0.5, 0.0, 0.25]);
        assert_eq!(found, Figure::exactly(0.5));
    }

    #[test]
    fn the_interval_of_a_coin_is_close_to_the_normal_approximation() {
        let values: Vec<f64> = (0..400).map(|question| f64::from(question % 2)).collect();
        let found = Resamples::draw(400, RESAMPLES, 7).interval(&values);
        // The standard error is √(0.25 / 400) = 0.025, so the interval is about 0.5 ± 0.049.
        assert!((found.value - 0.5).abs() < 1e-12);
        assert!((found.low - 0.451).abs() < 0.006 && (found.high - 0.549).abs() < 0.006);
    }

    #[test]
    fn a_ratio_is_one_of_sums_and_not_of_means_of_ratios() {
        let resamples = Resamples::draw(2, 200, 5);
        let found = resamples.ratio(&[1.0, 3.0], &[2.0, 4.0]);
        assert!((found.value - 4.0 / 6.0).abs() < 1e-12);
        assert_eq!((found.low, found.high), (0.5, 0.75));
        assert_eq!(resamples.ratio(&[1.0, 1.0], &[0.0, 0.0]).value, 0.0);
    }

    #[test]
    fn the_same_seed_draws_the_same_samples() {
        assert_eq!(Resamples::draw(10, 5, 3).drawn, Resamples::draw(10, 5, 3).drawn);
        assert_ne!(Resamples::draw(10, 5, 3).drawn, Resamples::draw(10, 5, 4).drawn);
    }
}
