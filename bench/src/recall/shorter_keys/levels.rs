//! Few bits a coordinate and one 16-bit scale a vector.
//!
//! The codes of a rotated key k are levels c, and what they stand for is s·c. With s = |k|² ÷ ⟨k, c⟩ the estimate has exactly
//! |k|² along k, and its error lies across k in a direction that the random rotation makes symmetric: the estimate of a product
//! with any query that is independent of the rotation is unbiased (RaBitQ: Gao and Long, 2024, whose estimator for one bit this
//! is; the same holds for more levels). The least squares s = ⟨k, c⟩ ÷ |c|² is closer to k, but makes every product smaller by
//! the same factor (by 2/π for one bit), so that a softmax over such products is flatter. It must not know where vectors come
//! from.

use super::keys::float;

/// Bits a coordinate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Bits {
    /// The sign.
    One,
    /// Four levels.
    Two,
    /// Sixteen levels.
    Four,
}

/// How a vector's scale is chosen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fit {
    /// Products with queries are right on average.
    Unbiased,
    /// The vector itself is as close as the codes allow.
    LeastSquares,
}

/// Bytes of a vector's scale.
pub(super) const SCALE: usize = 2;

impl Bits {
    /// Bytes of `coordinates` codes.
    #[must_use]
    pub(super) fn bytes(self, coordinates: usize) -> usize {
        let bits = match self {
            Self::One => 1,
            Self::Two => 2,
            Self::Four => 4,
        };
        (coordinates * bits).div_ceil(8)
    }

    /// The levels above 0, ascending; those of several bits have the least squared error for a Gaussian with standard
    /// deviation 1 (Max, 1960).
    fn levels(self) -> &'static [f32] {
        match self {
            Self::One => &[1.0],
            Self::Two => &[0.4528, 1.51],
            Self::Four => &[0.1284, 0.3881, 0.6568, 0.9424, 1.256, 1.618, 2.069, 2.733],
        }
    }

    /// Puts what their codes stand for in the place of coordinates; `square` is the squared length of the vector that they
    /// are coordinates of, all or most.
    pub(super) fn round_trip(self, coordinates: &mut [f32], (square, fit): (f32, Fit)) {
        let deviation = (squared(coordinates) / float(coordinates.len().max(1))).sqrt();
        if deviation <= 0.0 {
            return;
        }
        let codes: Vec<f32> = coordinates
            .iter()
            .map(|value| nearest(self.levels(), value / deviation))
            .collect();
        let product: f32 = coordinates.iter().zip(&codes).map(|(value, code)| value * code).sum();
        let scale = match fit {
            Fit::Unbiased => square / product,
            Fit::LeastSquares => product / squared(&codes),
        };
        let scale = in_sixteen_bits(scale);
        for (value, code) in coordinates.iter_mut().zip(codes) {
            *value = code * scale;
        }
    }
}

/// The sum of the squares.
#[must_use]
pub(super) fn squared(values: &[f32]) -> f32 {
    values.iter().map(|value| value * value).sum()
}

fn nearest(levels: &[f32], value: f32) -> f32 {
    let distance = |level: f32| (level - value.abs()).abs();
    let best = levels.iter().copied();
    let best = best.min_by(|left, right| distance(*left).total_cmp(&distance(*right)));
    best.unwrap_or(0.0).copysign(value)
}

/// The nearest number that 16 bits of IEEE 754 hold, for a number that is not negative.
fn in_sixteen_bits(value: f32) -> f32 {
    const LARGEST: f32 = 65_504.0;
    const SMALLEST_NORMAL: f32 = 1.0 / 16_384.0;
    const SMALLEST_STEP: f32 = 1.0 / 16_777_216.0;
    if value < SMALLEST_NORMAL {
        return (value / SMALLEST_STEP).round() * SMALLEST_STEP;
    }
    if value >= LARGEST {
        return LARGEST;
    }
    // 13 of the 23 bits of the fraction are left out.
    f32::from_bits((value.to_bits() + 0x1000) & !0x1fff)
}

#[cfg(test)]
mod tests {
    use super::super::coder::rotation;
    use super::*;

    const WIDTH: usize = 256;

    fn dot(left: &[f32], right: &[f32]) -> f32 {
        left.iter().zip(right).map(|(left, right)| left * right).sum()
    }

    fn estimate(key: &[f32], (bits, fit, dropped): (Bits, Fit, usize)) -> Vec<f32> {
        let rotation = rotation(WIDTH);
        let mut rotated = rotation.apply(key.iter().copied());
        let (kept, rest) = rotated.split_at_mut(WIDTH - dropped);
        bits.round_trip(kept, (squared(key), fit));
        rest.fill(0.0);
        rotation.undo(rotated)
    }

    /// The slope of estimated products over true ones, and the mean squared error of the estimates, for random keys and queries.
    fn slope_and_error(how: (Bits, Fit, usize)) -> (f32, f32) {
        const PAIRS: usize = 400;
        let mut random = fastrand::Rng::with_seed(1);
        let mut vector = || -> Vec<f32> { (0..WIDTH).map(|_| random.f32() * 2.0 - 1.0).collect() };
        let (mut together, mut alone, mut error) = (0.0, 0.0, 0.0);
        for _ in 0..PAIRS {
            let (key, other) = (vector(), vector());
            let query: Vec<f32> = key.iter().zip(&other).map(|(key, other)| key / 2.0 + other).collect();
            let (truth, found) = (dot(&query, &key), dot(&query, &estimate(&key, how)));
            together += truth * found;
            alone += truth * truth;
            error += (truth - found).powi(2) / float(PAIRS);
        }
        (together / alone, error)
    }

    #[test]
    fn estimated_products_are_unbiased() {
        for (bits, dropped) in [(Bits::One, 0), (Bits::One, 16), (Bits::Two, 0), (Bits::Four, 0)] {
            let (slope, _) = slope_and_error((bits, Fit::Unbiased, dropped));
            assert!((slope - 1.0).abs() < 0.03, "{bits:?} without {dropped}: {slope}");
        }
    }

    #[test]
    fn least_squares_makes_products_of_one_bit_smaller() {
        let (slope, _) = slope_and_error((Bits::One, Fit::LeastSquares, 0));
        assert!((slope - std::f32::consts::FRAC_2_PI).abs() < 0.03, "{slope}");
    }

    #[test]
    fn more_bits_err_less() {
        let error = |bits| slope_and_error((bits, Fit::Unbiased, 0)).1;
        assert!(error(Bits::Four) < error(Bits::Two) / 4.0 && error(Bits::Two) < error(Bits::One) / 2.0);
    }

    #[test]
    fn a_key_of_zeros_stays_one() {
        let mut zeros = [0.0; 4];
        Bits::One.round_trip(&mut zeros, (0.0, Fit::Unbiased));
        assert_eq!(zeros, [0.0; 4]);
    }

    #[test]
    fn scales_have_sixteen_bits() {
        assert_eq!(in_sixteen_bits(1.0), 1.0);
        assert_eq!(in_sixteen_bits(1.0 + 1.0 / 4096.0), 1.0);
        assert_eq!(in_sixteen_bits(1.0 + 3.0 / 4096.0), 1.0 + 1.0 / 1024.0);
        assert_eq!(in_sixteen_bits(1e9), 65_504.0);
        assert!((in_sixteen_bits(1e-5) - 1e-5).abs() < 3e-8);
    }
}
