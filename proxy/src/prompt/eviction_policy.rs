//! Evictions: when old turns leave a prompt, how many at once, and whether that pays.
//!
//! Pure arithmetic on counts. It must not know tokenizers, memory or JSON.

use std::collections::BTreeSet;

use crate::config::{MemoryConfig, PricesConfig};

/// The limits of a forwarded prompt, in tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Limits {
    /// Most tokens of the whole prompt.
    pub(crate) budget: usize,
    /// From here on an eviction is made if it pays.
    pub(crate) high: usize,
    /// An eviction goes down to here.
    pub(crate) low: usize,
}

/// How a conversation may be cut: evictables that leave together, oldest first. What is in none of them stays.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Shape {
    /// Whole exchanges but the last one, then the rounds of the last exchange but the last round.
    pub(crate) evictables: Vec<Evictable>,
}

/// Messages that leave together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Evictable {
    /// Their indices, ascending.
    pub(crate) messages: Vec<usize>,
    /// The last of them that has a turn id; an eviction that ends here is known by it.
    pub(crate) horizon: usize,
    /// Whether it was said last: the newest whole exchanges and the rounds of the exchange still going on.
    pub(crate) is_recent: bool,
}

/// The prompt as it would be forwarded without a new eviction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Situation {
    /// Its tokens.
    pub(crate) tokens: usize,
    /// Tokens that the coming memory block may add.
    pub(crate) coming: usize,
    /// Tokens in front of the conversation: instructions and tools. Their cache outlives an eviction.
    pub(crate) fixed: usize,
    /// Tokens that no earlier request had.
    pub(crate) fresh: usize,
    /// Tokens by which the conversation grows from one user message to the next, on average.
    pub(crate) growth: usize,
}

/// A cut that may be made, and the prompt's tokens after it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Cut {
    /// Index of the last message with a turn id that leaves.
    pub(crate) horizon: usize,
    /// Tokens that are left, the new digest included.
    pub(crate) after: usize,
    /// Most tokens of the new digest.
    pub(crate) digest: usize,
    /// Whether it takes from what was said last, which the question may lean on.
    pub(crate) is_deep: bool,
}

/// What an eviction costs and saves, in the unit of the configured prices.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Balance {
    /// What this request costs.
    pub(crate) anew: f64,
    /// What this request costs more than without, because what stays has to be written to the provider's cache anew.
    pub(crate) cost: f64,
    /// What every later request costs less.
    pub(crate) saving_per_turn: f64,
    /// Turns until the prompt has grown to its old size.
    pub(crate) turns: f64,
}

impl Limits {
    /// The limits that a configuration sets.
    pub(crate) fn new(config: &MemoryConfig) -> Self {
        let share = |share: f64| (config.budget_tokens as f64 * share) as usize;
        Self { budget: config.budget_tokens, high: share(config.high_water), low: share(config.low_water) }
    }

    /// The cut that is to be made now, of those that may be made (ascending, each leaving less).
    ///
    /// Over the budget a cut is made whether it pays or not, provided that it brings the prompt within the budget. What was said
    /// last leaves only then. Where what stays whatever happens is over the budget by itself, a cut is made as soon as it frees
    /// as many tokens as an eviction otherwise does, so that such a conversation does not evict with every request.
    pub(crate) fn choose(self, situation: Situation, cuts: &[Cut], prices: &PricesConfig) -> Option<(Cut, Balance)> {
        let expected = situation.tokens + situation.coming;
        if expected <= self.high.min(self.budget) {
            return None;
        }
        let smaller = |is_deep: bool| {
            let fits = move |cut: &&Cut| cut.after < situation.tokens && cut.is_deep == is_deep;
            cuts.iter().filter(fits)
        };
        let best = |is_deep: bool| {
            let reaches = smaller(is_deep).find(|cut| cut.after <= self.low);
            reaches.or_else(|| smaller(is_deep).next_back())
        };
        let over = situation.tokens > self.budget;
        let reaches = |cut: &&Cut| cut.after <= self.budget;
        let cut = match best(false) {
            Some(cut) if !over || reaches(&cut) => cut,
            gentle if over => best(true).or(gentle)?,
            _ => return None,
        };
        let balance = Balance::new(situation, *cut, prices);
        let freed = situation.tokens.saturating_sub(cut.after);
        let must = over && (reaches(&cut) || freed >= self.high.saturating_sub(self.low).max(1));
        // The memories would have less room than they may take, and afterwards they have enough for some time.
        let cramped = expected > self.budget && cut.after + situation.coming <= self.high;
        (must || cramped || balance.pays()).then_some((*cut, balance))
    }
}

impl Balance {
    fn new(situation: Situation, cut: Cut, prices: &PricesConfig) -> Self {
        let price = |tokens: usize, price: f64| tokens as f64 * price;
        let whole = Self::append(situation.tokens, situation.fresh, prices);
        let fixed = situation.fixed.min(cut.after);
        let anew = price(fixed, prices.cache_read) + price(cut.after - fixed, prices.cache_write);
        let left = situation.tokens.saturating_sub(cut.after);
        Self {
            anew,
            cost: anew - whole,
            saving_per_turn: price(left, prices.cache_read),
            turns: left as f64 / situation.growth.max(1) as f64,
        }
    }

    /// The price of a prompt that goes on where the last one ended.
    pub(crate) fn append(tokens: usize, fresh: usize, prices: &PricesConfig) -> f64 {
        let fresh = fresh.min(tokens);
        (tokens - fresh) as f64 * prices.cache_read + fresh as f64 * prices.cache_write
    }

    fn pays(self) -> bool {
        self.saving_per_turn * self.turns >= self.cost
    }
}

impl Shape {
    /// What has left after an eviction that ended at `horizon`.
    pub(crate) fn dropped(&self, horizon: usize) -> BTreeSet<usize> {
        let left = self.evictables.iter().take_while(|evictable| evictable.horizon <= horizon);
        left.flat_map(|evictable| evictable.messages.iter().copied()).collect()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const PRICES: PricesConfig = PricesConfig { cache_read: 0.1, cache_write: 1.0 };
    const LIMITS: Limits = Limits { budget: 1000, high: 500, low: 300 };

    fn situation(tokens: usize) -> Situation {
        Situation { tokens, coming: 50, fixed: 50, fresh: 60, growth: 60 }
    }

    fn cuts(afters: &[usize]) -> Vec<Cut> {
        let numbered = afters.iter().enumerate();
        numbered.map(|(horizon, after)| Cut { horizon, after: *after, digest: 0, is_deep: false }).collect()
    }

    #[test]
    fn below_the_high_water_mark_nothing_leaves() {
        assert_eq!(LIMITS.choose(situation(450), &cuts(&[300, 200]), &PRICES), None);
    }

    #[test]
    fn over_the_budget_turns_leave_down_to_the_low_water_mark_and_no_further() {
        let chosen = LIMITS.choose(situation(990), &cuts(&[600, 290, 200]), &PRICES);
        assert_eq!(chosen.map(|(cut, _)| cut.horizon), Some(1));
    }

    #[test]
    fn between_the_marks_an_eviction_that_does_not_pay_waits() {
        // Prices at which reading from the cache costs nothing: dropping what is cached never pays.
        let free = PricesConfig { cache_read: 0.0, ..PRICES };
        assert_eq!(LIMITS.choose(situation(900), &cuts(&[290]), &free), None);
        assert!(LIMITS.choose(situation(990), &cuts(&[290]), &free).is_some());
        assert_eq!(LIMITS.choose(situation(990), &cuts(&[490]), &free), None);
        assert!(LIMITS.choose(situation(1010), &cuts(&[490]), &free).is_some());
        // Prices of a provider without a cache: it pays at once.
        let none = PricesConfig { cache_read: 1.0, ..PRICES };
        assert!(LIMITS.choose(situation(600), &cuts(&[290]), &none).is_some());
    }

    #[test]
    fn a_cut_that_cannot_reach_the_budget_is_made_only_if_it_pays_or_frees_what_an_eviction_frees() {
        let prompt = Situation { growth: 5000, ..situation(9000) };
        assert_eq!(LIMITS.choose(prompt, &cuts(&[8900]), &PRICES), None);
        assert!(LIMITS.choose(prompt, &cuts(&[8800]), &PRICES).is_some());
        assert!(LIMITS.choose(situation(9000), &cuts(&[2000]), &PRICES).is_some());
        assert_eq!(LIMITS.choose(situation(9000), &[], &PRICES), None);
    }

    #[test]
    fn what_was_said_last_leaves_only_when_the_budget_demands_it() {
        let cut = |horizon, after, is_deep| Cut { horizon, after, digest: 0, is_deep };
        let horizon =
            |tokens, cuts: &[Cut]| LIMITS.choose(situation(tokens), cuts, &PRICES).map(|(cut, _)| cut.horizon);
        let enough = [cut(0, 700, false), cut(1, 250, true), cut(2, 100, true)];
        assert_eq!(horizon(1100, &enough), Some(0));
        let too_little = [cut(0, 1050, false), cut(1, 250, true), cut(2, 100, true)];
        assert_eq!(horizon(1100, &too_little), Some(1));
        assert_eq!(horizon(900, &[cut(1, 250, true)]), None);
    }

    #[test]
    fn what_has_left_is_known_by_its_horizon() {
        let evictable =
            |messages: &[usize], horizon| Evictable { messages: messages.to_vec(), horizon, is_recent: false };
        let shape = Shape { evictables: vec![evictable(&[1, 2, 3], 2), evictable(&[5, 6], 6), evictable(&[7], 7)] };
        assert_eq!(shape.dropped(2), [1, 2, 3].into());
        assert_eq!(shape.dropped(6), [1, 2, 3, 5, 6].into());
        assert!(shape.dropped(0).is_empty());
    }

    proptest! {
        #[test]
        fn a_chosen_cut_makes_the_prompt_smaller_and_is_the_smallest_that_reaches_the_mark(
            tokens in 1..5000usize, coming in 0..500usize, mut afters in prop::collection::vec(0..5000usize, 0..12),
        ) {
            afters.sort_unstable_by(|a, b| b.cmp(a));
            let cuts = cuts(&afters);
            let situation = Situation { coming, ..situation(tokens) };
            if let Some((cut, _)) = LIMITS.choose(situation, &cuts, &PRICES) {
                prop_assert!(cut.after < tokens);
                prop_assert!(tokens + coming > LIMITS.high);
                let earlier = cuts.iter().take_while(|other| other.horizon < cut.horizon);
                prop_assert!(earlier.into_iter().all(|other| other.after > LIMITS.low || other.after >= tokens));
            } else if tokens > LIMITS.budget {
                prop_assert!(cuts.iter().all(|cut| cut.after > LIMITS.budget));
            }
        }
    }
}
