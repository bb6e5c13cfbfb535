//! What the results of several conversations come to, for each policy.
//!
//! It must not know how the figures are shown.

use super::policies::Policy;
use super::pricing::{Charge, Prices};
use super::results::{BetweenEpochs, ChatResult};
use crate::bootstrap::{Interval, Resamples};
use crate::metrics::as_float;

/// One policy over some conversations.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Figures {
    /// The price of all rounds.
    pub(super) price: f64,
    /// The price divided by that of untouched prompts, resampled over conversations.
    pub(super) ratio: Interval,
    /// The share of all tokens that came from the cache, resampled over conversations.
    pub(super) cached: Interval,
    /// All tokens of all prompts.
    pub(super) tokens: usize,
    /// The mean share of evidence present, resampled over questions.
    pub(super) evidence: Interval,
    /// How many questions there are.
    pub(super) questions: usize,
}

/// What the cache gave mainpoint between two epochs.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct CacheFigures {
    /// Cached tokens divided by what an append-only prompt of that size would have had cached.
    pub(super) of_append_only: Interval,
    /// Cached tokens divided by all tokens.
    pub(super) share: Interval,
    /// The same of the untouched prompts of the same rounds.
    pub(super) untouched: Interval,
}

/// Results with what resampling needs.
#[derive(Debug)]
pub(super) struct Sample<'a> {
    results: &'a [ChatResult],
    prices: Prices,
    chats: Resamples,
    questions: Resamples,
}

/// Resamples of every bootstrap interval.
pub(super) const RESAMPLES: usize = 10_000;
/// The seed that they are drawn from.
pub(super) const SEED: u64 = 20_261_123;

impl<'a> Sample<'a> {
    /// The results at these prices.
    #[must_use]
    pub(super) fn of(results: &'a [ChatResult], prices: Prices) -> Self {
        let evidence = |result: &ChatResult| result.policy(Policy::Mainpoint).evidence.len();
        Self {
            results,
            prices,
            chats: Resamples::draw(results.len(), RESAMPLES, SEED),
            questions: Resamples::draw(results.iter().map(evidence).sum(), RESAMPLES, SEED),
        }
    }

    /// The conversations.
    #[must_use]
    pub(super) fn results(&self) -> &'a [ChatResult] {
        self.results
    }

    /// A policy's figures.
    #[must_use]
    pub(super) fn figures(&self, policy: Policy) -> Figures {
        let price = self.price_by_chat(policy);
        let totals = self.by_chat(|result| result.policy(policy).total());
        let of_totals = |part: fn(&Charge) -> usize| totals.iter().map(part).map(as_float).collect::<Vec<f64>>();
        let evidence = self.results.iter().flat_map(|result| &result.policy(policy).evidence);
        let evidence: Vec<f64> = evidence.copied().collect();
        Figures {
            price: price.iter().sum(),
            ratio: self.chats.ratio(&price, &self.price_by_chat(Policy::Untouched)),
            cached: self
                .chats
                .ratio(&of_totals(|total| total.cached), &of_totals(|total| total.tokens)),
            tokens: totals.iter().map(|total| total.tokens).sum(),
            evidence: self.questions.interval(&evidence),
            questions: evidence.len(),
        }
    }

    /// What the cache gave mainpoint between two epochs.
    #[must_use]
    pub(super) fn between_epochs(&self) -> CacheFigures {
        let sums = self.by_chat(ChatResult::between_epochs);
        let of_sums = |part: fn(&BetweenEpochs) -> usize| sums.iter().map(part).map(as_float).collect::<Vec<f64>>();
        let cached = of_sums(|sums| sums.cached);
        CacheFigures {
            of_append_only: self.chats.ratio(&cached, &of_sums(|sums| sums.append_only)),
            share: self.chats.ratio(&cached, &of_sums(|sums| sums.tokens)),
            untouched: self.chats.ratio(
                &of_sums(|sums| sums.untouched.cached),
                &of_sums(|sums| sums.untouched.tokens),
            ),
        }
    }

    /// The cheapest other policy that keeps at least mainpoint's evidence, and mainpoint's price divided by its price.
    #[must_use]
    pub(super) fn best_rival(&self) -> Option<(Policy, Interval)> {
        let own = self.figures(Policy::Mainpoint);
        let rivals = Policy::ALL.into_iter().filter(|policy| *policy != Policy::Mainpoint);
        let (rival, _) = rivals
            .map(|policy| (policy, self.figures(policy)))
            .filter(|(_, figures)| figures.evidence.mean >= own.evidence.mean)
            .min_by(|(_, left), (_, right)| left.price.total_cmp(&right.price))?;
        let ratio = self
            .chats
            .ratio(&self.price_by_chat(Policy::Mainpoint), &self.price_by_chat(rival));
        Some((rival, ratio))
    }

    fn price_by_chat(&self, policy: Policy) -> Vec<f64> {
        self.by_chat(|result| {
            let charges = result.policy(policy).charges.iter();
            charges.map(|charge| self.prices.of(*charge)).sum()
        })
    }

    fn by_chat<T>(&self, value: impl Fn(&ChatResult) -> T) -> Vec<T> {
        self.results.iter().map(value).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::super::results::tests::result;
    use super::*;

    #[test]
    fn prices_are_summed_and_compared_with_untouched() {
        let results = [result(), result()];
        let sample = Sample::of(&results, Prices::OPENAI);
        let (own, untouched) = (sample.figures(Policy::Mainpoint), sample.figures(Policy::Untouched));
        assert_eq!(untouched.ratio.mean, 1.0);
        assert!(untouched.price > 0.0 && (own.ratio.mean - own.price / untouched.price).abs() < 1e-9);
        assert_eq!(own.tokens, 2 * results[0].policy(Policy::Mainpoint).total().tokens);
        assert_eq!((own.questions, own.evidence.mean), (2, 1.0));
    }

    #[test]
    fn what_lies_between_epochs_is_held_against_append_only_prompts() {
        let results = [result()];
        let found = Sample::of(&results, Prices::ANTHROPIC).between_epochs();
        assert_eq!(found.of_append_only.mean, 1.0);
        assert!(found.share.mean > 0.5 && found.share.mean < 1.0 && found.untouched.mean > 0.0);
    }

    #[test]
    fn a_rival_is_the_cheapest_of_those_with_as_much_evidence() {
        let results = [result()];
        let sample = Sample::of(&results, Prices::OPENAI);
        // The window is cheaper than untouched, but it has lost the evidence.
        assert_eq!(sample.figures(Policy::SlidingWindow).evidence.mean, 0.0);
        let prices =
            [Policy::Untouched, Policy::SystemMemory, Policy::Recompressed].map(|rival| sample.figures(rival).price);
        let cheapest = prices.into_iter().fold(f64::INFINITY, f64::min);
        let found = sample.best_rival();
        assert_eq!(found.map(|(rival, _)| sample.figures(rival).price), Some(cheapest));
        let expected = sample.figures(Policy::Mainpoint).price / cheapest;
        assert!(found.is_some_and(|(_, ratio)| (ratio.mean - expected).abs() < 1e-9));
    }
}
