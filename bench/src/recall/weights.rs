//! `mainpoint-bench weights`: learns what the signals of relevance are worth.
//!
//! Question: which weights find most, in every kind of conversation and language? Method: over the conversations that
//! things are chosen on, the softmax loss of each evidence turn against all turns that are no evidence, among the
//! candidates of the product's own search, plus a small quadratic one that keeps weights small; BEAM's few questions
//! count several times. Baseline: the weights that are shipped. Whether what is learned holds elsewhere is seen by
//! learning without each conversation and judging on it; one chat in several languages is one conversation there.

use std::collections::BTreeSet;

use mainpoint::memory::recall::relevance::{Signals, WEIGHTS, signals};

use super::material::{Material, gather};
use super::{CHOSEN_ON, ReadingOptions, SEED, sets};
use crate::BenchError;
use crate::data::{Conversation, DataSet, Kind};
use crate::progress::over;
use crate::ranking::by_score;
use crate::report::{Row, Table, table, table_of};
use crate::stats::{RESAMPLES, Resamples, as_float, mean};

/// One question as the learner sees it.
#[derive(Debug, Clone)]
struct Example {
    /// What is left out together.
    family: String,
    weight: f64,
    signals: Vec<Signals>,
    is_evidence: Vec<bool>,
    /// Evidence that is no candidate, so that nothing can find it.
    missing: usize,
}

type Weights = [f64; WEIGHTS.len()];

/// What every question of BEAM counts: there are 36 beside LoCoMo's 231 and 30 in each language.
const BEAM_WEIGHT: f64 = 5.0;
/// All evidence is to be among so many.
const DEPTH: usize = 10;
/// Strength of the quadratic loss, a question.
const DECAY: f64 = 0.002;
const STEPS: i32 = 3000;
const RATE: f64 = 0.05;

/// Learns weights on the conversations of [`CHOSEN_ON`] and on all languages, and prints them beside those that are
/// shipped.
///
/// # Errors
/// Any failure of data, engine, store or files.
pub async fn learn(options: &ReadingOptions) -> Result<(), BenchError> {
    let (_, library) = options.open().await?;
    let mut examples = Vec::new();
    for DataSet { kind, conversations } in sets()? {
        let is_chosen = |one: &Conversation| kind == Kind::Language || CHOSEN_ON.contains(&one.name.as_str());
        let chosen: Vec<Conversation> = conversations.into_iter().filter(is_chosen).collect();
        if !chosen.is_empty() {
            let (materials, shelf) = gather(&library, &chosen).await?;
            shelf.close().await?;
            examples.extend(materials.iter().flat_map(|material| examples_of(kind, material)));
        }
    }
    let learned = learned_on(&examples.iter().collect::<Vec<_>>());
    let mut weights = table(["signal", "shipped", "learned"]);
    for ((name, shipped), learned) in WEIGHTS.iter().zip(learned) {
        weights.add_row([(*name).to_owned(), format!("{shipped:.2}"), format!("{learned:.2}")]);
    }
    anstream::println!("{weights}\n{}", judged(&examples));
    Ok(())
}

fn examples_of(kind: Kind, material: &Material<'_>) -> Vec<Example> {
    let conversation = material.conversation;
    let questions = conversation.questions.iter().zip(&material.candidates);
    let examples = questions.map(|(question, found)| {
        let is_evidence = found.turns.iter().map(|turn| question.evidence.contains(turn));
        let is_evidence: Vec<bool> = is_evidence.collect();
        let count = is_evidence.iter().filter(|is_evidence| **is_evidence).count();
        let is_language = kind == Kind::Language;
        Example {
            family: if is_language { kind.name() } else { &conversation.name }.to_owned(),
            weight: if kind == Kind::Beam { BEAM_WEIGHT } else { 1.0 },
            signals: signals(&found.candidates),
            missing: question.evidence.len().saturating_sub(count),
            is_evidence,
        }
    });
    examples.collect()
}

/// `recall_all` of the shipped weights and of those that were learned on the other conversations.
fn judged(examples: &[Example]) -> Table {
    let mut rows = Vec::new();
    let families: BTreeSet<&str> = examples.iter().map(|example| example.family.as_str()).collect();
    let shipped = WEIGHTS.map(|(_, weight)| f64::from(weight));
    for family in over("learning without each conversation", families) {
        let (own, others): (Vec<_>, Vec<_>) = examples.iter().partition(|example| example.family == family);
        let learned = learned_on(&others);
        let found = |weights: &Weights| own.iter().map(|example| finds(example, weights)).collect::<Vec<f64>>();
        let (before, after) = (found(&shipped), found(&learned));
        let gain = Resamples::draw(own.len(), RESAMPLES, SEED).difference(&after, &before);
        let figures = [mean(&before).into(), mean(&after).into(), gain];
        for (measure, figure) in ["shipped", "learned on the others", "difference"].into_iter().zip(figures) {
            rows.push(Row::new("weights", measure, family, figure).over(own.len()));
        }
    }
    table_of(&rows)
}

/// The weights that minimise the loss, by gradient descent with momentum from nothing.
fn learned_on(examples: &[&Example]) -> Weights {
    let mut weights = Weights::default();
    let (mut momentum, mut square) = (Weights::default(), Weights::default());
    let total: f64 = examples.iter().map(|example| example.weight).sum();
    for step in 1..=STEPS {
        let mut gradient = weights.map(|weight| 2.0 * DECAY * weight);
        for example in examples {
            for (sum, part) in gradient.iter_mut().zip(slope(example, &weights)) {
                *sum += part * example.weight / total.max(1.0);
            }
        }
        // Adam (Kingma and Ba, 2015).
        for (at, part) in gradient.into_iter().enumerate() {
            momentum[at] = 0.9 * momentum[at] + 0.1 * part;
            square[at] = 0.999 * square[at] + 0.001 * part * part;
            let (mean, spread) = (1.0 - 0.9_f64.powi(step), 1.0 - 0.999_f64.powi(step));
            weights[at] -= RATE * momentum[at] / mean / ((square[at] / spread).sqrt() + 1e-8);
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
    let count = example.is_evidence.iter().filter(|is_evidence| **is_evidence).count();
    for ((signals, score), _) in turns().filter(|(_, is_evidence)| **is_evidence) {
        let own = share(*score);
        for ((sum, mean), signal) in slope.iter_mut().zip(mean).zip(signals) {
            let signal = f64::from(*signal);
            *sum += ((mean + own * signal) / (others + own) - signal) / as_float(count);
        }
    }
    slope
}

fn score(signals: &Signals, weights: &Weights) -> f64 {
    let products = signals.iter().zip(weights);
    products.map(|(signal, weight)| f64::from(*signal) * weight).sum()
}

/// 1 if these weights rank all evidence among the first [`DEPTH`], else 0.
fn finds(example: &Example, weights: &Weights) -> f64 {
    #[expect(clippy::cast_possible_truncation, reason = "scores are small")]
    let scores = example.signals.iter().map(|signals| score(signals, weights) as f32);
    let order = by_score(&scores.collect::<Vec<f32>>());
    let last = order.iter().rposition(|turn| example.is_evidence[*turn]);
    let all = example.missing == 0 && last.is_some_and(|last| last < DEPTH);
    if all { 1.0 } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Evidence has more of the first signal and less of the second; the third says nothing.
    fn examples() -> Vec<Example> {
        let mut random = fastrand::Rng::with_seed(7);
        let example = |number: usize| {
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
                family: format!("{}", number % 2),
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
        let mut examples = examples();
        let learned = learned_on(&examples.iter().collect::<Vec<_>>());
        assert!(learned[0] > 1.0 && learned[1] < -1.0, "{learned:?}");
        assert!(learned[2].abs() < learned[0] / 4.0, "{learned:?}");
        assert!(examples.iter().all(|example| finds(example, &learned) > 0.5));
        let judged = judged(&examples).to_string();
        assert!(judged.contains("learned on the others") && judged.contains("difference"), "{judged}");
        examples[0].missing = 1;
        assert!(finds(&examples[0], &learned) < 0.5, "evidence that is no candidate is never found");
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
            losses.sum::<f64>() / as_float(evidence.len())
        };
        let weights = [0.5; WEIGHTS.len()];
        for signal in 0..3 {
            let (mut above, mut below) = (weights, weights);
            above[signal] += 1e-5;
            below[signal] -= 1e-5;
            let expected = (loss(&above) - loss(&below)) / 2e-5;
            assert!((slope(example, &weights)[signal] - expected).abs() < 1e-6);
        }
    }
}
