//! Which words stand for a passage: those whose tokens are most like everything that is attended to.
//!
//! The tokens of one passage often say nearly the same, so that the most attended ones by themselves repeat each other.
//! What is chosen covers the passage instead: the sum over all tokens of attention × similarity to the nearest chosen
//! token, made greedily as large as it gets (facility location).

use std::cmp::Ordering;
use std::collections::BinaryHeap;

use crate::Codes;

/// Tokens that may be chosen, with what they are chosen by.
pub(crate) struct Coverage<'a> {
    /// The codes of all tokens.
    pub(crate) codes: &'a Codes,
    /// How much each token counts, at least 0; as many as there are codes.
    pub(crate) attention: &'a [f32],
}

impl Coverage<'_> {
    /// The groups that cover the most, in the order in which they are chosen, until they hold `wanted` tokens: first the one that
    /// covers the most, then what adds the most for each of its tokens; of equal ones the earlier one. A group without tokens is
    /// never chosen.
    pub(crate) fn choose(&self, groups: &[Vec<usize>], wanted: usize) -> Vec<usize> {
        let similarities = Similarities::new(self.codes, self.attention.len());
        // How similar the most similar chosen token is.
        let mut covered = vec![0.0_f32; self.attention.len()];
        let gain = |group: usize, covered: &[f32], tokens: usize| {
            let mut gain = 0.0;
            for (token, covered) in covered.iter().enumerate() {
                let near = groups[group].iter().map(|own| similarities.row(*own)[token]);
                gain += self.attention[token] * (near.fold(0.0, f32::max) - covered).max(0.0);
            }
            Gain { gain: gain / as_float(tokens), group }
        };
        let some = (0..groups.len()).filter(|group| !groups[*group].is_empty());
        let mut left: BinaryHeap<Gain> = some.map(|group| gain(group, &covered, 1)).collect();
        let (mut chosen, mut held) = (Vec::new(), 0);
        while held < wanted
            && let Some(best) = left.pop()
        {
            // What a group adds only becomes less, so that one which still adds more than the next ones did is the best of all.
            let tokens = if chosen.is_empty() { 1 } else { groups[best.group].len() };
            let now = gain(best.group, &covered, tokens);
            if left.peek().is_some_and(|next| *next > now) {
                left.push(now);
                continue;
            }
            for own in &groups[best.group] {
                let near = covered.iter_mut().zip(similarities.row(*own));
                near.for_each(|(covered, near)| *covered = covered.max(*near));
            }
            held += groups[best.group].len();
            chosen.push(best.group);
        }
        chosen
    }
}

/// What a group adds for each of its tokens; of equal ones the earlier group is greater.
#[derive(Debug, Clone, Copy)]
struct Gain {
    gain: f32,
    group: usize,
}

impl Ord for Gain {
    fn cmp(&self, other: &Self) -> Ordering {
        self.gain.total_cmp(&other.gain).then(other.group.cmp(&self.group))
    }
}

impl PartialOrd for Gain {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Gain {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Gain {}

/// The share of equal bits of every pair of tokens.
struct Similarities {
    tokens: usize,
    all: Vec<f32>,
}

impl Similarities {
    fn new(codes: &Codes, tokens: usize) -> Self {
        let bytes = codes.as_bytes();
        let size = bytes.len().checked_div(tokens).unwrap_or(0).max(1);
        let bits = as_float(size * 8);
        let mut all = vec![1.0; tokens * tokens];
        for (one, own) in bytes.chunks_exact(size).enumerate() {
            for (other, another) in bytes.chunks_exact(size).enumerate().take(one) {
                let pairs = own.iter().zip(another);
                let differing: u32 = pairs.map(|(own, another)| (own ^ another).count_ones()).sum();
                #[expect(clippy::cast_precision_loss, reason = "counts of bits")]
                let similarity = 1.0 - differing as f32 / bits;
                all[one * tokens + other] = similarity;
                all[other * tokens + one] = similarity;
            }
        }
        Self { tokens, all }
    }

    /// One token's with all tokens.
    fn row(&self, token: usize) -> &[f32] {
        &self.all[token * self.tokens..(token + 1) * self.tokens]
    }
}

#[expect(clippy::cast_precision_loss, reason = "counts of tokens and bits")]
fn as_float(count: usize) -> f32 {
    count as f32
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests fail loudly")]

    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    fn chosen(codes: &[u8], attention: &[f32], groups: &[Vec<usize>], wanted: usize) -> Vec<usize> {
        let codes = Codes::from_bytes(8, codes.to_vec()).unwrap();
        let coverage = Coverage { codes: &codes, attention };
        coverage.choose(groups, wanted)
    }

    fn each(tokens: usize) -> Vec<Vec<usize>> {
        (0..tokens).map(|token| vec![token]).collect()
    }

    #[test]
    fn what_repeats_the_most_attended_token_comes_after_what_says_something_else() {
        let codes = [0b0000_0000, 0b0000_0001, 0b1111_0000];
        assert_eq!(chosen(&codes, &[1.0, 0.9, 0.5], &each(3), 3), [0, 2, 1]);
    }

    #[test]
    fn of_tokens_that_say_the_same_the_attended_ones_decide() {
        let codes = [0b1111_1111, 0b0000_0000];
        assert_eq!(chosen(&codes, &[0.2, 0.8], &each(2), 1), [1]);
        assert_eq!(chosen(&codes, &[0.8, 0.2], &each(2), 1), [0]);
        assert_eq!(chosen(&codes, &[0.0, 0.0], &each(2), 1), [0]);
    }

    #[test]
    fn the_first_group_covers_the_most_and_the_next_ones_add_the_most_for_each_of_their_tokens() {
        let codes = [0b1111_1111, 0b0000_0000, 0b0000_0011];
        let groups = [vec![1, 2], vec![0], vec![]];
        assert_eq!(chosen(&codes, &[1.0, 1.0, 1.0], &groups, 1), [0]);
        assert_eq!(chosen(&codes, &[9.0, 1.0, 1.0], &groups, 1), [1]);
        assert_eq!(chosen(&codes, &[1.0, 1.0, 1.0], &groups, 9), [0, 1]);
        // Two tokens that add .6 together come after one that adds .5.
        let codes = [0b0000_0000, 0b0001_1111, 0b0001_1110, 0b1110_0000];
        let groups = [vec![1, 2], vec![3], vec![0]];
        assert_eq!(chosen(&codes, &[9.0, 0.5, 0.5, 1.0], &groups, 9), [2, 1, 0]);
    }

    /// The same, looking at every group in every step.
    fn slowly(codes: &[u8], attention: &[f32], wanted: usize) -> Vec<usize> {
        let mut chosen: Vec<usize> = Vec::new();
        while chosen.len() < wanted {
            let with = |token: usize| {
                let tokens = [chosen.as_slice(), &[token]].concat();
                worth(codes, attention, &tokens)
            };
            let left = (0..codes.len()).filter(|token| !chosen.contains(token));
            let best = left.max_by(|one, other| with(*one).total_cmp(&with(*other)).then(other.cmp(one)));
            chosen.extend(best);
        }
        chosen
    }

    /// The sum that is to be large.
    fn worth(codes: &[u8], attention: &[f32], tokens: &[usize]) -> f32 {
        let near = |token: usize| {
            let similar = |own: &usize| 1.0 - as_float((codes[*own] ^ codes[token]).count_ones() as usize) / 8.0;
            tokens.iter().map(similar).fold(0.0, f32::max)
        };
        (0..codes.len()).map(|token| attention[token] * near(token)).sum()
    }

    proptest! {
        #[test]
        fn looking_only_at_what_may_be_best_chooses_as_well(
            codes in vec(any::<u8>(), 12), attention in vec(0.0_f32..1.0, 12), wanted in 1_usize..12,
        ) {
            let found = chosen(&codes, &attention, &each(12), wanted);
            let expected = slowly(&codes, &attention, wanted);
            // Rounding may take another one of two that add as much.
            prop_assert!((worth(&codes, &attention, &found) - worth(&codes, &attention, &expected)).abs() < 1e-3);
        }

        #[test]
        fn greed_comes_as_near_to_the_best_choice_as_it_promises(
            codes in vec(any::<u8>(), 6), attention in vec(0.0_f32..1.0, 6), wanted in 1_usize..6,
        ) {
            let found = chosen(&codes, &attention, &each(6), wanted);
            prop_assert_eq!(found.len(), wanted);
            let choices = (0_u32..64).filter(|choice| choice.count_ones() as usize == wanted);
            let best = choices.map(|choice| {
                let tokens: Vec<usize> = (0..6).filter(|token| choice >> token & 1 == 1).collect();
                worth(&codes, &attention, &tokens)
            });
            let best = best.fold(0.0, f32::max);
            // Nemhauser, Wolsey and Fisher 1978: at least 1 - 1/e of the best.
            prop_assert!(worth(&codes, &attention, &found) >= 0.632 * best - 1e-4);
        }
    }
}
