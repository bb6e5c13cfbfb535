//! Exponentials of whole rows of logits, eight at a time.
//!
//! It must not know whose logits they are.

use wide::f32x8;

/// What a row of logits was turned into exponentials with.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Peak {
    /// The largest logit; minus infinity for an empty row.
    pub(crate) largest: f32,
    /// The sum of the row's exponentials above it.
    pub(crate) sum: f32,
}

/// Turns every logit into the exponential of what it has above the row's largest, 0 to 1. A softmax is these over their sum. One
/// further than 87 below the largest, and one that is no number, becomes 0.
pub(crate) fn exponentials(row: &mut [f32]) -> Peak {
    let (eights, rest) = row.as_chunks_mut::<LANES>();
    let last = padded(rest);
    let most = eights.iter().fold(last, |most, eight| most.max(f32x8::from(*eight)));
    let largest = most.to_array().into_iter().fold(f32::NEG_INFINITY, f32::max);
    let mut sums = f32x8::ZERO;
    for eight in eights {
        let values = (f32x8::from(*eight) - largest).exp();
        sums += values;
        *eight = values.to_array();
    }
    let values = (last - largest).exp();
    sums += values;
    rest.iter_mut()
        .zip(values.to_array())
        .for_each(|(value, power)| *value = power);
    Peak {
        largest,
        sum: sums.reduce_add(),
    }
}

const LANES: usize = 8;

fn padded(rest: &[f32]) -> f32x8 {
    let mut lanes = [f32::NEG_INFINITY; LANES];
    lanes.iter_mut().zip(rest).for_each(|(lane, value)| *lane = *value);
    f32x8::from(lanes)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn an_empty_row_has_no_sum() {
        assert_eq!(exponentials(&mut []).sum, 0.0);
    }

    proptest! {
        #[test]
        fn rows_of_any_length_become_the_exponentials_of_what_they_have_above_their_largest(
            row in proptest::collection::vec(-200.0_f32..200.0, 1..50),
        ) {
            let mut found = row.clone();
            let peak = exponentials(&mut found);
            let largest = row.iter().copied().fold(f32::NEG_INFINITY, f32::max);
            prop_assert_eq!(peak.largest, largest);
            for (found, logit) in found.iter().zip(&row) {
                let expected = f64::from(logit - largest).exp();
                prop_assert!((f64::from(*found) - expected).abs() <= expected * 1e-6 + 1e-37, "{} for {}", found, logit);
            }
            let sum: f32 = found.iter().sum();
            prop_assert!((peak.sum - sum).abs() <= sum * 1e-5);
        }
    }
}
