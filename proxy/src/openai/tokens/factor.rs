//! How many tokens of a model one token of our own count is, as the model's answers say: a mean over the latest of them.
//!
//! Pure arithmetic on counts.

use serde::{Deserialize, Serialize};

/// What our own counts are multiplied with.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Factor {
    now: f64,
    /// The largest that ever held for the same model.
    highest: f64,
}

/// What the answers of one model have said.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(crate) struct Learnt {
    /// Natural logarithm of the tokens that an answer names to those that we counted, on average.
    mean: f64,
    /// How many answers are behind the mean, each as its weight says, and [`ANSWERS`] at most.
    weight: f64,
    /// What counts are multiplied with.
    factor: f64,
    /// The largest factor that there was.
    highest: f64,
}

impl Factor {
    /// Our own counts as they are.
    pub(crate) const ONE: Self = Self { now: 1.0, highest: 1.0 };

    /// What counts are multiplied with.
    pub(crate) fn value(self) -> f64 {
        self.now
    }

    /// Tokens of the model that are `counted` tokens of our own count.
    pub(crate) fn of(self, counted: usize) -> usize {
        (counted as f64 * self.now).round() as usize
    }

    /// How many tokens a prompt had at most, by the largest of the model's factors so far, if it has `tokens` by this one.
    pub(crate) fn ever(self, tokens: usize) -> usize {
        (tokens as f64 * (self.highest / self.now)).ceil() as usize
    }
}

impl Default for Learnt {
    fn default() -> Self {
        Self { mean: 0.0, weight: 0.0, factor: 1.0, highest: 1.0 }
    }
}

impl Learnt {
    /// Takes in that a prompt of which we `counted` so many tokens has as many as its answer has `told`; false when that is not
    /// believed. `weight`, at most 1, is the share of the prompt that could be counted well.
    ///
    /// Prompts that are short or mostly definitions say little, and a ratio that no tokenizer has says nothing. A single answer
    /// cannot move what several have said by much. The factor changes only when it is off by more than [`STEP`], because every
    /// change moves what leaves prompts.
    pub(crate) fn learn(&mut self, counted: f64, told: u64, weight: f64) -> bool {
        let ratio = told as f64 / counted;
        if counted < LEAST_COUNTED || weight < LEAST_WEIGHT || !(1.0 / MOST..=MOST).contains(&ratio) {
            return false;
        }
        let mut logarithm = ratio.ln();
        if self.weight >= ENOUGH {
            logarithm = logarithm.clamp(self.mean - JUMP.ln(), self.mean + JUMP.ln());
        }
        self.weight = (self.weight + weight).min(ANSWERS);
        let mean = self.mean + (logarithm - self.mean) * weight / self.weight;
        self.mean = mean.clamp(-MOST.ln(), MOST.ln());
        if self.weight >= ENOUGH && (self.mean - self.factor.ln()).abs() > STEP.ln() {
            self.factor = self.mean.exp().clamp(1.0 / MOST, MOST);
            self.highest = self.highest.max(self.factor);
        }
        true
    }

    /// What counts are multiplied with.
    pub(crate) fn factor(self) -> Factor {
        Factor { now: self.factor, highest: self.highest }
    }

    /// Whether this can have been learnt: what was written down somewhere may be anything.
    pub(crate) fn is_sound(self) -> bool {
        let bounds = 1.0 / MOST..=MOST;
        (-MOST.ln()..=MOST.ln()).contains(&self.mean)
            && (0.0..=ANSWERS).contains(&self.weight)
            && bounds.contains(&self.factor)
            && bounds.contains(&self.highest)
            && self.highest >= self.factor.max(1.0)
    }
}

/// The largest factor; the smallest is its inverse.
const MOST: f64 = 4.0;
/// Tokens of the shortest prompt that says something: in shorter ones, what a provider adds to each weighs too much.
const LEAST_COUNTED: f64 = 300.0;
/// The least share of a prompt that could be counted well.
const LEAST_WEIGHT: f64 = 0.5;
/// How many answers it takes, a little less than three, since no prompt could be counted well in all its parts.
const ENOUGH: f64 = 2.5;
/// Over how many of the latest answers the mean is taken, about.
const ANSWERS: f64 = 20.0;
/// An answer that is further from the mean counts as if it were so far.
const JUMP: f64 = 1.25;
/// A factor that is nearer to the mean stays.
const STEP: f64 = 1.02;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const COUNTED: f64 = 100_000.0;

    fn taught(ratios: &[f64]) -> Learnt {
        let mut learnt = Learnt::default();
        for ratio in ratios {
            assert!(learnt.learn(COUNTED, (COUNTED * ratio) as u64, 1.0), "{ratio}");
        }
        learnt
    }

    #[test]
    fn two_answers_are_not_enough_and_three_are() {
        assert_eq!(taught(&[1.5; 2]).factor(), Factor::ONE);
        let factor = taught(&[1.5; 3]).factor();
        assert!((factor.value() - 1.5).abs() < 0.001, "{factor:?}");
        assert_eq!((factor.of(1000), factor.of(0), factor.ever(1500)), (1500, 0, 1500));
        let less = Learnt { factor: 0.5, highest: 2.0, ..Learnt::default() }.factor();
        assert_eq!((less.of(1000), less.ever(500)), (500, 2000));
    }

    #[test]
    fn short_prompts_prompts_of_definitions_and_ratios_of_no_tokenizer_say_nothing() {
        for (counted, told, weight) in
            [(299.0, 299, 1.0), (1000.0, 1000, 0.4), (1000.0, 0, 1.0), (1000.0, 11, 1.0), (1000.0, 4001, 1.0)]
        {
            let mut learnt = Learnt::default();
            assert!(!learnt.learn(counted, told, weight), "{counted} {told} {weight}");
            assert_eq!(learnt, Learnt::default());
        }
        assert!(!Learnt::default().learn(1000.0, u64::MAX, 1.0));
    }

    #[test]
    fn a_lasting_change_is_followed() {
        let mut ratios = vec![1.0; 20];
        ratios.extend([2.0; 150]);
        let factor = taught(&ratios).factor();
        assert!((factor.value() / 2.0 - 1.0).abs() < 0.02, "{factor:?}");
    }

    #[test]
    fn what_cannot_have_been_learnt_is_not_sound() {
        let sound = taught(&[0.5; 5]);
        assert!(sound.is_sound() && Learnt::default().is_sound());
        for odd in [
            Learnt { mean: f64::NAN, ..sound },
            Learnt { mean: 2.0, ..sound },
            Learnt { weight: -1.0, ..sound },
            Learnt { factor: 0.0, ..sound },
            Learnt { highest: 0.5, ..sound },
            Learnt { highest: f64::INFINITY, ..sound },
        ] {
            assert!(!odd.is_sound(), "{odd:?}");
        }
    }

    proptest! {
        #[test]
        fn the_factor_lies_among_what_was_told(ratios in prop::collection::vec(0.3..3.5_f64, 3..60)) {
            let learnt = taught(&ratios);
            let least = ratios.iter().copied().fold(f64::INFINITY, f64::min);
            let most = ratios.iter().copied().fold(0.0, f64::max);
            let value = learnt.factor().value();
            prop_assert!((least / 1.03..=most * 1.03).contains(&value), "{least} to {most}: {value}");
        }

        #[test]
        fn whatever_is_told_what_is_learnt_is_sound(
            answers in prop::collection::vec((0.0..10_000.0_f64, prop_oneof![any::<u64>(), 0..40_000_u64], 0.0..=1.0_f64), 0..60),
        ) {
            let mut learnt = Learnt::default();
            for (counted, told, weight) in answers {
                let before = learnt;
                let is_believed = learnt.learn(counted, told, weight);
                prop_assert!(learnt.is_sound() && learnt.highest >= before.highest, "{learnt:?}");
                prop_assert!(is_believed || learnt == before);
            }
        }

        #[test]
        fn one_answer_moves_what_several_have_said_by_little(
            ratio in 0.5..2.0_f64, count in 3..40_usize, odd in 0.26..3.9_f64,
        ) {
            let mut ratios = vec![ratio; count];
            let before = taught(&ratios).factor().value();
            ratios.push(odd);
            let after = taught(&ratios).factor().value();
            prop_assert!((after / before).ln().abs() < 0.08, "{before} became {after}");
        }

        #[test]
        fn noise_within_the_step_leaves_the_factor_as_it_is(
            ratio in prop_oneof![0.5..0.96_f64, 1.04..2.0_f64], noise in prop::collection::vec(0.99..1.01_f64, 0..60),
        ) {
            let mut learnt = taught(&[ratio; 5]);
            let before = learnt.factor();
            for noise in noise {
                learnt.learn(COUNTED, (COUNTED * ratio * noise) as u64, 1.0);
            }
            prop_assert_eq!(learnt.factor(), before);
        }
    }
}
