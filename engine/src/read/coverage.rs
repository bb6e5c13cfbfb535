//! Which words stand for a passage: those whose tokens are most like everything that is attended to.
//!
//! The tokens of one passage often say nearly the same, so that the most attended ones by themselves repeat each other. What is
//! chosen covers the passage instead: the sum over all tokens of attention × similarity to the nearest chosen token, made
//! greedily as large as it gets (facility location). It must not know words or vectors; it is given groups of tokens and codes.

use crate::Codes;

/// Tokens that may be chosen, with what they are chosen by.
pub(crate) struct Coverage<'a> {
    /// The codes of all tokens.
    pub(crate) codes: &'a Codes,
    /// How much each token counts, at least 0; as many as there are codes.
    pub(crate) attention: &'a [f32],
}

impl Coverage<'_> {
    /// The groups that cover the most, in the order in which they are chosen, until they hold `wanted` tokens; of those that
    /// add as much for each of their tokens the earlier one. A group without tokens is never chosen.
    pub(crate) fn choose(&self, groups: &[Vec<usize>], wanted: usize) -> Vec<usize> {
        let similarities = self.similarities();
        let tokens = self.attention.len();
        let row = |token: usize| &similarities[token * tokens..(token + 1) * tokens];
        // How near the nearest chosen token is, from 0 (opposite) to 1.
        let mut covered = vec![0.0_f32; tokens];
        let mut left: Vec<usize> = (0..groups.len()).filter(|group| !groups[*group].is_empty()).collect();
        let (mut chosen, mut held) = (Vec::new(), 0);
        while held < wanted && !left.is_empty() {
            let gain = |group: usize| {
                let mut gain = 0.0;
                for (token, covered) in covered.iter().enumerate() {
                    let nearest = groups[group].iter().map(|own| row(*own)[token]).fold(0.0, f32::max);
                    gain += self.attention[token] * (nearest - covered).max(0.0);
                }
                gain / as_float(groups[group].len())
            };
            let mut best = (0, f32::NEG_INFINITY);
            for (place, group) in left.iter().enumerate() {
                let gain = gain(*group);
                if gain > best.1 {
                    best = (place, gain);
                }
            }
            let group = left.remove(best.0);
            for own in &groups[group] {
                covered
                    .iter_mut()
                    .zip(row(*own))
                    .for_each(|(covered, near)| *covered = covered.max(*near));
            }
            held += groups[group].len();
            chosen.push(group);
        }
        chosen
    }

    /// The share of equal bits of every pair of tokens: `one * tokens + other`.
    fn similarities(&self) -> Vec<f32> {
        let tokens = self.attention.len();
        let bytes = self.codes.as_bytes();
        let size = bytes.len().checked_div(tokens).unwrap_or(0).max(1);
        let bits = as_float(size * 8);
        let mut found = vec![1.0; tokens * tokens];
        for (one, own) in bytes.chunks_exact(size).enumerate() {
            for (other, another) in bytes.chunks_exact(size).enumerate().take(one) {
                let pairs = own.iter().zip(another);
                let differing: u32 = pairs.map(|(own, another)| (own ^ another).count_ones()).sum();
                #[expect(clippy::cast_precision_loss, reason = "counts of bits")]
                let similarity = 1.0 - differing as f32 / bits;
                found[one * tokens + other] = similarity;
                found[other * tokens + one] = similarity;
            }
        }
        found
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
        let coverage = Coverage {
            codes: &codes,
            attention,
        };
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
    fn a_group_is_worth_what_it_adds_for_each_of_its_tokens() {
        let codes = [0b1111_1111, 0b0000_0000, 0b0000_0011];
        let groups = [vec![1, 2], vec![0], vec![]];
        assert_eq!(chosen(&codes, &[1.0, 1.0, 1.0], &groups, 1), [0]);
        assert_eq!(chosen(&codes, &[9.0, 1.0, 1.0], &groups, 1), [1]);
        assert_eq!(chosen(&codes, &[1.0, 1.0, 1.0], &groups, 9), [0, 1]);
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
