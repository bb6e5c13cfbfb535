//! Where values lie on an axis, and which of them are written beside it.
//!
//! It must not know how long the axis is or where it lies.

/// The scale of an axis.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Scale {
    spacing: Spacing,
    low: f64,
    high: f64,
    ticks: Vec<f64>,
}

/// What equal distances on an axis are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Spacing {
    /// Equal differences.
    Linear,
    /// Equal factors.
    Logarithmic,
}

/// About how many steps a linear axis has.
const STEPS: f64 = 5.0;

impl Scale {
    /// Equal differences are equal distances, from a round value at or below all values to one at or above them.
    #[must_use]
    pub(crate) fn linear(values: impl IntoIterator<Item = f64>) -> Self {
        let (least, most) = bounds(values).unwrap_or((0.0, 1.0));
        let most = if most > least { most } else { least + 1.0 };
        let step = round_step((most - least) / STEPS);
        // A value that lies on a step must not be pushed to the next one by the last digit.
        let low = (least / step + 1e-9).floor() * step;
        let high = (most / step - 1e-9).ceil() * step;
        let ticks = (0..100_u32).map(|number| low + f64::from(number) * step);
        Self {
            spacing: Spacing::Linear,
            low,
            high,
            ticks: ticks.take_while(|tick| *tick < high + step / 2.0).collect(),
        }
    }

    /// Equal factors are equal distances; values below 1 count as 1.
    #[must_use]
    pub(crate) fn logarithmic(values: impl IntoIterator<Item = f64>) -> Self {
        let (least, most) = bounds(values).unwrap_or((1.0, 1.0));
        let (least, most) = (least.max(1.0), most.max(1.0));
        let low = round_values().take_while(|value| *value <= least).last().unwrap_or(1.0);
        let high = round_values().find(|value| *value > most).unwrap_or(most * 2.0);
        Self {
            spacing: Spacing::Logarithmic,
            low,
            high,
            ticks: round_values().filter(|value| (low..=high).contains(value)).collect(),
        }
    }

    /// Equal factors are equal distances, from the first to the last of some ascending positive values, each of them
    /// written.
    #[must_use]
    pub(crate) fn of_values(values: &[f64]) -> Self {
        let low = values.first().copied().unwrap_or(1.0);
        let high = values.last().copied().filter(|last| *last > low).unwrap_or(low * 2.0);
        Self {
            spacing: Spacing::Logarithmic,
            low,
            high,
            ticks: values.to_vec(),
        }
    }

    /// Where a value lies: at 0 on the lower end, at 1 on the upper one.
    #[must_use]
    pub(crate) fn share(&self, value: f64) -> f64 {
        match self.spacing {
            Spacing::Linear => (value - self.low) / (self.high - self.low),
            Spacing::Logarithmic => (value.max(self.low) / self.low).ln() / (self.high / self.low).ln(),
        }
    }

    /// The values that are written, with how they are written.
    pub(crate) fn ticks(&self) -> impl Iterator<Item = (f64, String)> {
        let step = match self.spacing {
            Spacing::Linear => self.ticks.windows(2).next().map_or(1.0, |pair| pair[1] - pair[0]),
            Spacing::Logarithmic => 1.0,
        };
        self.ticks.iter().map(move |tick| (*tick, short(*tick, step)))
    }
}

fn bounds(values: impl IntoIterator<Item = f64>) -> Option<(f64, f64)> {
    values.into_iter().fold(None, |bounds, value| match bounds {
        None => Some((value, value)),
        Some((least, most)) => Some((value.min(least), value.max(most))),
    })
}

/// 1, 2, 5, 10 and so on up to a thousand million.
fn round_values() -> impl Iterator<Item = f64> {
    (0..9).flat_map(|power| [1.0, 2.0, 5.0].map(|digit| digit * 10_f64.powi(power)))
}

/// The smallest of 1, 2, 5, 10 and their tenths, tenfolds and so on that is not below a positive width.
fn round_step(width: f64) -> f64 {
    let power = 10_f64.powf(width.log10().floor());
    let steps = [1.0, 2.0, 5.0].map(|digit| digit * power);
    steps
        .into_iter()
        .find(|step| *step >= width * (1.0 - 1e-9))
        .unwrap_or(10.0 * power)
}

/// A value as people write it on an axis of such steps: `0.25`, `500`, `20k`, `1M`.
fn short(value: f64, step: f64) -> String {
    match value {
        value if value >= 1e6 => format!("{}M", value / 1e6),
        value if value >= 1e3 => format!("{}k", value / 1e3),
        value if step < 0.1 - 1e-9 => format!("{value:.2}"),
        value if step < 1.0 - 1e-9 => format!("{value:.1}"),
        value => format!("{value:.0}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(scale: &Scale) -> Vec<String> {
        scale.ticks().map(|(_, text)| text).collect()
    }

    #[test]
    fn a_linear_scale_begins_and_ends_at_round_values() {
        let scale = Scale::linear([0.576, 0.885]);
        assert_eq!(written(&scale), ["0.5", "0.6", "0.7", "0.8", "0.9"]);
        assert!((scale.share(0.7) - 0.5).abs() < 1e-9);
        assert_eq!(
            written(&Scale::linear([0.923, 0.962])),
            ["0.92", "0.93", "0.94", "0.95", "0.96", "0.97"]
        );
        assert_eq!(
            written(&Scale::linear([1.0, 94.0])),
            ["0", "20", "40", "60", "80", "100"]
        );
    }

    #[test]
    fn equal_factors_are_equal_distances() {
        let scale = Scale::logarithmic([100.0, 9_999.0]);
        assert_eq!(written(&scale), ["100", "200", "500", "1k", "2k", "5k", "10k"]);
        assert!((scale.share(1000.0) - 0.5).abs() < 1e-9 && (scale.share(10_000.0) - 1.0).abs() < 1e-9);
    }

    #[test]
    fn chosen_values_are_written_and_no_others() {
        let scale = Scale::of_values(&[250.0, 500.0, 4000.0]);
        assert_eq!(written(&scale), ["250", "500", "4k"]);
        assert!((scale.share(500.0) - 0.25).abs() < 1e-9);
    }

    #[test]
    fn nothing_to_show_has_a_scale_all_the_same() {
        for scale in [
            Scale::linear([]),
            Scale::linear([0.5, 0.5]),
            Scale::logarithmic([]),
            Scale::logarithmic([0.0, 0.0]),
            Scale::of_values(&[]),
            Scale::of_values(&[7.0]),
        ] {
            assert!(scale.share(0.5).is_finite(), "{scale:?}");
        }
    }
}
