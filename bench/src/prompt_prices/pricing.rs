//! What a provider with prompt caching charges for a prompt.
//!
//! It must not know how prompts are made.

use super::message::{Prompt, shared_tokens, tokens};
use crate::stats::as_float;

/// Prices of a prompt's tokens, in any unit.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Prices {
    /// A token of a prompt that is too short to be cached.
    pub(super) input: f64,
    /// A token that is read from the cache.
    pub(super) cache_read: f64,
    /// A token that is written to the cache.
    pub(super) cache_write: f64,
}

/// The tokens of one prompt.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Charge {
    pub(super) tokens: usize,
    /// Those that were read from the cache.
    pub(super) cached: usize,
}

/// A provider's cache of the prompts of one conversation. Nothing expires.
///
/// All earlier prompts are kept: a prompt is a list of shared messages, so that a thousand of them weigh less than their texts.
#[derive(Debug, Default)]
pub(super) struct PromptCache {
    earlier: Vec<Prompt>,
}

/// Shorter prompts are not cached.
const MINIMUM: usize = 1024;
/// The cache holds whole steps of a prompt.
const STEP: usize = 128;

/// How many of `tokens` tokens that were there before come from the cache.
pub(super) fn cacheable(tokens: usize) -> usize {
    if tokens < MINIMUM { 0 } else { tokens / STEP * STEP }
}

impl Prices {
    pub(super) fn of(&self, charge: Charge) -> f64 {
        let rest = as_float(charge.tokens.saturating_sub(charge.cached));
        if charge.tokens < MINIMUM {
            return rest * self.input;
        }
        as_float(charge.cached) * self.cache_read + rest * self.cache_write
    }
}

impl PromptCache {
    /// Takes the next prompt in and says how much of it was there before.
    pub(super) fn charge(&mut self, prompt: Prompt) -> Charge {
        let shared = self.earlier.iter().map(|earlier| shared_tokens(earlier, &prompt));
        let charge = Charge { tokens: tokens(&prompt), cached: cacheable(shared.max().unwrap_or(0)) };
        self.earlier.push(prompt);
        charge
    }
}

#[cfg(test)]
mod tests {
    use super::super::message::{FRAME, Messages, Role};
    use super::*;

    /// Prompts of one message for each text; every word is a token.
    fn charges(prompts: &[&[&str]]) -> Vec<(usize, usize)> {
        let mut messages = Messages::new();
        let mut cache = PromptCache::default();
        let mut charge = |texts: &[&str]| {
            let prompt = texts.iter().map(|text| messages.make(Role::User, text)).collect();
            let charge = cache.charge(prompt);
            (charge.tokens, charge.cached)
        };
        prompts.iter().map(|texts| charge(texts)).collect()
    }

    #[test]
    fn what_comes_from_the_cache_is_in_whole_steps_from_the_minimum_on() {
        let expected = [(0, 0), (1023, 0), (1024, 1024), (1151, 1024), (1152, 1152), (2000, 1920)];
        for (tokens, cached) in expected {
            assert_eq!(cacheable(tokens), cached, "{tokens}");
        }
    }

    #[test]
    fn the_longest_beginning_of_any_earlier_prompt_counts() {
        let long = "word".to_owned() + &" word".repeat(1499);
        let longer = "word".to_owned() + &" word".repeat(1999);
        let found = charges(&[&[&long], &["other"], &[&long, "more"], &[&longer]]);
        assert_eq!(found[0], (1500 + FRAME, 0));
        assert_eq!(found[1].1, 0);
        // 1,504 tokens are shared, 11 whole steps.
        assert_eq!(found[2], (1500 + FRAME + 1 + FRAME, 11 * 128));
        // The first message goes on where the earlier one ended: 3 tokens of its frame and 1,500 words are shared.
        assert_eq!(found[3], (2000 + FRAME, 11 * 128));
    }

    #[test]
    fn short_prompts_cost_input_and_long_ones_reads_and_writes() {
        let prices = Prices { input: 2.0, cache_read: 0.5, cache_write: 3.0 };
        let charge = |tokens, cached| Charge { tokens, cached };
        assert!((prices.of(charge(1023, 0)) - 2046.0).abs() < 1e-9);
        assert!((prices.of(charge(1500, 0)) - 4500.0).abs() < 1e-9);
        assert!((prices.of(charge(1500, 1408)) - (704.0 + 276.0)).abs() < 1e-9);
    }
}
