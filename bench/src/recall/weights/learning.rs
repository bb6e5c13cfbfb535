//! Learning what the signals of relevance are worth, and whether weights find the evidence.
//!
//! It must not know which conversations questions are of.

use mainpoint::memory::recall::relevance::{Signals, WEIGHTS};

use crate::ranking::by_score;

/// One question as the learner sees it.
#[derive(Debug, Clone)]
pub(super) struct Example {
    /// How often it counts.
    pub(super) weight: f64,
    /// The signals of every candidate.
    pub(super) signals: Vec<Signals>,
    /// Which candidates are evidence.
    pub(super) is_evidence: Vec<bool>,
    /// Evidence that is no candidate, so that nothing can find it.
    pub(super) missing: usize,
}

/// One for each signal.
pub(super) type Weights = [f64; WEIGHTS.len()];

/// Strength of the quadratic loss, a question.
const DECAY: f64 = 0.002;
const STEPS: usize = 3000;
const RATE: f64 = 0.05;

/// The weights that are shipped.
#[must_use]
pub(super) fn shipped() -> Weights {
    WEIGHTS.map(|(_, weight)| f64::from(weight))
}

/// The weights that minimise the loss, by gradient descent with momentum from nothing.
#[must_use]
pub(super) fn learned_on(examples: &[&Example]) -> Weights {
    let mut weights = Weights::default();
    let (mut momentum, mut square) = (Weights::default(), Weights::default());
    let total: f64 = examples.iter().map(|example| example.weight).sum();
    for step in 1..=STEPS {
        let mut gradient = weights.map(|weight| 2.0 * DECAY * weight);
        for example in examples {
            let slope = slope(example, &weights);
            for (sum, part) in gradient.iter_mut().zip(slope) {
                *sum += part * example.weight / total.max(1.0);
            }
        }
        // Adam (Kingma and Ba, 2015).
        let steps = i32::try_from(step).unwrap_or(i32::MAX);
        for (((weight, part), momentum), square) in weights.iter_mut().zip(gradient).zip(&mut momentum).zip(&mut square)
        {
            *momentum = 0.9 * *momentum + 0.1 * part;
            *square = 0.999 * *square + 0.001 * part * part;
            let (mean, spread) = (
                *momentum / (1.0 - 0.9_f64.powi(steps)),
                *square / (1.0 - 0.999_f64.powi(steps)),
            );
            *weight -= RATE * mean / (spread.sqrt() + 1e-8);
        }
    }
    weights
}

/// The gradient of a question's mean loss over its evidence.
fn slope(example: &Example, weights: &Weights) -> Weights {
    let scores: Vec<f64> = example.signals.iter().map(|signals| score(signals, weights)).collect();
    let highest = scores.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let share = |score: f64| (score - highest).exp();
    // What all turns that are no evidence weigh together, and their mean signals.
    let (mut others, mut mean) = (0.0, Weights::default());
    let turns = || example.signals.iter().zip(&scores).zip(&example.is_evidence);
    for ((signals, score), _) in turns().filter(|(_, is_evidence)| !**is_evidence) {
        others += share(*score);
        for (sum, signal) in mean.iter_mut().zip(signals) {
            *sum += share(*score) * f64::from(*signal);
        }
    }
    let mut slope = Weights::default();
    let mut count = 0.0;
    for ((signals, score), _) in turns().filter(|(_, is_evidence)| **is_evidence) {
        let own = share(*score);
        for ((sum, mean), signal) in slope.iter_mut().zip(mean).zip(signals) {
            let signal = f64::from(*signal);
            *sum += (mean + own * signal) / (others + own) - signal;
        }
        count += 1.0;
    }
    slope.map(|part| if count > 0.0 { part / count } else { 0.0 })
}

fn score(signals: &Signals, weights: &Weights) -> f64 {
    signals
        .iter()
        .zip(weights)
        .map(|(signal, weight)| f64::from(*signal) * weight)
        .sum()
}

/// 1 if these weights rank all evidence among the first `depth`, else 0.
#[must_use]
pub(super) fn finds(example: &Example, weights: &Weights, depth: usize) -> f64 {
    #[expect(clippy::cast_possible_truncation, reason = "scores are small")]
    let scores: Vec<f32> = example
        .signals
        .iter()
        .map(|signals| score(signals, weights) as f32)
        .collect();
    let order = by_score(&scores);
    let last = order.iter().rposition(|turn| example.is_evidence[*turn]);
    let all = example.missing == 0 && last.is_some_and(|last| last < depth);
    if all { 1.0 } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Evidence has more of the first signal and less of the second; the third says nothing.
    fn examples() -> Vec<Example> {
        let mut random = fastrand::Rng::with_seed(7);
        let example = |_| {
            let is_evidence: Vec<bool> = (0..30).map(|turn| turn % 10 == 0).collect();
            let signals = is_evidence.iter().map(|is_evidence| {
                let mut signals = Signals::default();
                let shift = if *is_evidence { 1.0 } else { 0.0 };
                signals[0] = random.f32() + shift;
                signals[1] = random.f32() - shift;
                signals[2] = random.f32();
                signals
            });
            Example {
                weight: 1.0,
                signals: signals.collect(),
                is_evidence: is_evidence.clone(),
                missing: 0,
            }
        };
        (0..20).map(example).collect()
    }

    #[test]
    fn what_tells_evidence_gets_weight_and_what_says_nothing_little() {
        let examples = examples();
        let learned = learned_on(&examples.iter().collect::<Vec<_>>());
        assert!(learned[0] > 1.0 && learned[1] < -1.0, "{learned:?}");
        assert!(learned[2].abs() < learned[0] / 4.0, "{learned:?}");
        assert!(examples.iter().all(|example| finds(example, &learned, 10) > 0.5));
    }

    #[test]
    fn the_slope_is_that_of_the_loss() {
        let example = &examples()[0];
        let loss = |weights: &Weights| {
            let scores: Vec<f64> = example.signals.iter().map(|signals| score(signals, weights)).collect();
            let pairs = || scores.iter().zip(&example.is_evidence);
            let others: f64 = pairs().filter(|(_, is)| !**is).map(|(score, _)| score.exp()).sum();
            let evidence: Vec<f64> = pairs().filter(|(_, is)| **is).map(|(score, _)| *score).collect();
            let losses = evidence.iter().map(|score| ((others + score.exp()) / score.exp()).ln());
            losses.sum::<f64>() / crate::metrics::as_float(evidence.len())
        };
        let weights = shipped();
        for signal in 0..3 {
            let (mut above, mut below) = (weights, weights);
            above[signal] += 1e-5;
            below[signal] -= 1e-5;
            let expected = (loss(&above) - loss(&below)) / 2e-5;
            assert!((slope(example, &weights)[signal] - expected).abs() < 1e-6);
        }
    }

    #[test]
    fn evidence_that_is_no_candidate_is_never_found() {
        let mut example = examples().remove(0);
        let learned = learned_on(&[&example]);
        assert!(finds(&example, &learned, 30) > 0.5);
        example.missing = 1;
        assert!(finds(&example, &learned, 30) < 0.5);
    }
}
