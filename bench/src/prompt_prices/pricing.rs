//! What a provider with prompt caching charges for a prompt.

use super::message::{Prompt, shared_tokens, tokens};
use crate::stats::as_float;

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

/// What a token costs that is read from the cache, at OpenAI; to write it costs nothing extra there.
pub(super) const CACHE_READ: f64 = 0.1;
/// The same as the proxy is told it.
pub(super) const TOLD: [(&str, &str); 2] = [("prices.cache_read", "0.1"), ("prices.cache_write", "1.0")];
/// Shorter prompts are not cached.
const MINIMUM: usize = 1024;
/// The cache holds whole steps of a prompt.
const STEP: usize = 128;

/// How many of `tokens` tokens that were there before come from the cache.
pub(super) fn cacheable(tokens: usize) -> usize {
    if tokens < MINIMUM { 0 } else { tokens / STEP * STEP }
}

impl Charge {
    /// What it costs, where a token that is not read from the cache costs 1.
    pub(super) fn price(self) -> f64 {
        as_float(self.tokens.saturating_sub(self.cached)) + as_float(self.cached) * CACHE_READ
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
    fn what_comes_from_the_cache_costs_what_the_proxy_is_told() {
        let price = |tokens, cached| Charge { tokens, cached }.price();
        assert!((price(1023, 0) - 1023.0).abs() < 1e-9);
        assert!((price(1500, 1408) - (140.8 + 92.0)).abs() < 1e-9);
        assert_eq!(TOLD[0].1, CACHE_READ.to_string());
    }
}
