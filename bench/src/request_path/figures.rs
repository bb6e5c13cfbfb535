//! Times and what is said of them, and single figures as lines of a `.jsonl` file.
//!
//! It must not know what was measured.

use std::path::Path;

use serde::Serialize;

use crate::BenchError;
use crate::cache::write_whole;

/// Times in milliseconds, ascending.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Times(Vec<f64>);

/// One measured value.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct Figure {
    /// The benchmark.
    pub(super) bench: String,
    /// The measure.
    pub(super) metric: String,
    /// The arm, or the step.
    pub(super) arm: String,
    /// The measured value.
    pub(super) value: f64,
    /// What it is counted in.
    pub(super) unit: &'static str,
}

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
        let place = (self.0.len() * percent).div_ceil(100).saturating_sub(1);
        self.0.get(place).copied().unwrap_or(0.0)
    }
}

impl FromIterator<f64> for Times {
    fn from_iter<I: IntoIterator<Item = f64>>(times: I) -> Self {
        let mut times: Vec<f64> = times.into_iter().collect();
        times.sort_by(f64::total_cmp);
        Self(times)
    }
}

impl Figure {
    /// A figure, rounded to what can be told apart.
    #[must_use]
    pub(super) fn new(bench: &str, (metric, arm): (&str, &str), value: f64, unit: &'static str) -> Self {
        Self {
            bench: bench.to_owned(),
            metric: metric.to_owned(),
            arm: arm.to_owned(),
            value: (value * 1000.0).round() / 1000.0,
            unit,
        }
    }
}

/// Writes the figures to the file at `path`, a line for each.
///
/// # Errors
/// [`BenchError::Write`] if the file cannot be written, [`BenchError::Data`] if a value is no number.
pub(super) fn write(path: &Path, figures: &[Figure]) -> Result<(), BenchError> {
    let mut lines = String::new();
    for figure in figures {
        let line = serde_json::to_string(figure).map_err(|error| BenchError::Data {
            path: path.to_owned(),
            reason: error.to_string(),
        })?;
        lines.push_str(&line);
        lines.push('\n');
    }
    write_whole(path, lines.as_bytes())
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests fail loudly")]

    use super::*;

    #[test]
    fn quantiles_are_times_that_were_measured() {
        let times: Times = (1..=200).rev().map(f64::from).collect();
        assert_eq!((times.p50(), times.p99()), (100.0, 198.0));
        assert_eq!(Times::default().p99(), 0.0);
    }

    #[test]
    fn a_figure_is_a_line() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("figures.jsonl");
        write(&path, &[Figure::new("some", ("p50_ms", "mainpoint"), 1.234_56, "ms")]).unwrap();
        assert_eq!(
            std::fs::read_to_string(&path).unwrap(),
            "{\"bench\":\"some\",\"metric\":\"p50_ms\",\"arm\":\"mainpoint\",\"value\":1.235,\"unit\":\"ms\"}\n"
        );
    }
}
