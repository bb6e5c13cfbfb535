//! Medians, spreads and quantiles of what several rounds gave, and the rows that are written for machines.
//!
//! It must not know what was timed.

use serde::Serialize;

use crate::bootstrap;

/// A figure over several rounds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Spread {
    /// The median of the rounds, or what all rounds together give.
    pub(super) value: f64,
    /// The smallest of the rounds.
    pub(super) low: f64,
    /// The largest of the rounds.
    pub(super) high: f64,
}

/// One figure, as a line of `reader.jsonl`.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct SpeedRow {
    /// The benchmark, such as `reader-1024`.
    pub(super) bench: String,
    /// The measure.
    pub(super) metric: &'static str,
    /// What was measured.
    pub(super) arm: String,
    /// The figure.
    pub(super) value: f64,
    /// Its unit.
    pub(super) unit: &'static str,
    /// The smallest of the rounds.
    pub(super) low: f64,
    /// The largest of the rounds.
    pub(super) high: f64,
    /// How many rounds there were.
    pub(super) rounds: usize,
}

impl Spread {
    /// The median of the rounds and their extremes; zeros for none.
    #[must_use]
    pub(super) fn of(rounds: &[f64]) -> Self {
        let sorted = sorted(rounds.to_vec());
        Self {
            value: quantile(&sorted, 50),
            low: sorted.first().copied().unwrap_or(0.0),
            high: sorted.last().copied().unwrap_or(0.0),
        }
    }

    /// The value that `percent` of all rounds' values do not exceed, with the extremes of the same in each round.
    #[must_use]
    pub(super) fn of_quantile(rounds: &[Vec<f64>], percent: usize) -> Self {
        let each: Vec<f64> = rounds
            .iter()
            .map(|round| quantile(&sorted(round.clone()), percent))
            .collect();
        Self {
            value: quantile(&sorted(rounds.concat()), percent),
            ..Self::of(&each)
        }
    }

    /// The figure and its extremes for people.
    #[must_use]
    pub(super) fn cells(self, digits: usize) -> [String; 2] {
        let Self { value, low, high } = self;
        [
            format!("{value:.digits$}"),
            format!("{low:.digits$} to {high:.digits$}"),
        ]
    }

    /// The figure as a row for machines.
    #[must_use]
    pub(super) fn row(self, bench: &str, (metric, unit): (&'static str, &'static str), arm: &str) -> SpeedRow {
        SpeedRow {
            bench: bench.to_owned(),
            metric,
            arm: arm.to_owned(),
            value: rounded(self.value),
            unit,
            low: rounded(self.low),
            high: rounded(self.high),
            rounds: 0,
        }
    }
}

impl SpeedRow {
    /// The row over `rounds` rounds.
    #[must_use]
    pub(super) fn over(self, rounds: usize) -> Self {
        Self { rounds, ..self }
    }
}

fn sorted(mut values: Vec<f64>) -> Vec<f64> {
    values.sort_by(f64::total_cmp);
    values
}

/// The smallest of the sorted values that so many per cent do not exceed; the mean of the two in the middle for the median
/// of an even number; 0 for none.
fn quantile(sorted: &[f64], percent: usize) -> f64 {
    let value = bootstrap::quantile(sorted, percent * 10).unwrap_or(0.0);
    if percent == 50 && sorted.len().is_multiple_of(2) {
        return f64::midpoint(value, sorted.get(sorted.len() / 2).copied().unwrap_or(value));
    }
    value
}

/// Four digits behind the point are more than a clock can tell apart here.
fn rounded(value: f64) -> f64 {
    (value * 1e4).round() / 1e4
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests fail loudly")]

    use super::*;

    #[test]
    fn the_median_stands_between_the_extremes() {
        let spread = |value, low, high| Spread { value, low, high };
        assert_eq!(Spread::of(&[3.0, 1.0, 2.0]), spread(2.0, 1.0, 3.0));
        assert_eq!(Spread::of(&[4.0, 1.0, 2.0, 3.0]), spread(2.5, 1.0, 4.0));
        assert_eq!(Spread::of(&[]), spread(0.0, 0.0, 0.0));
    }

    #[test]
    fn a_quantile_is_taken_over_all_rounds_and_its_extremes_by_round() {
        let rounds = [vec![1.0, 2.0, 3.0], vec![5.0, 4.0, 9.0]];
        let found = Spread::of_quantile(&rounds, 99);
        assert_eq!((found.value, found.low, found.high), (9.0, 3.0, 9.0));
    }

    #[test]
    fn a_row_names_its_unit() {
        let row = Spread::of(&[1.5]).row("reader-256", ("tokens_per_second", "tokens/s"), "mainpoint");
        assert_eq!(
            serde_json::to_string(&row.over(5)).unwrap(),
            r#"{"bench":"reader-256","metric":"tokens_per_second","arm":"mainpoint","value":1.5,"unit":"tokens/s","low":1.5,"high":1.5,"rounds":5}"#
        );
    }
}
