//! Evictions: when old turns leave a prompt, how many at once, and whether that pays.
//!
//! Pure arithmetic on counts.

use super::provider_cache::CacheState;
use crate::config::{MemoryConfig, Prices};

/// The limits of a forwarded prompt, in tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct EvictionLimits {
    /// Most tokens of the whole prompt.
    pub(crate) budget: usize,
    /// From here on an eviction is made if it pays, once the conversation has been over its budget.
    pub(crate) high: usize,
    /// An eviction goes down to here.
    pub(crate) low: usize,
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
    /// Whether the provider has what no eviction would change.
    pub(crate) cache: CacheState,
}

/// A cut that may be made, and the prompt's tokens after it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Cut {
    /// Index of the message that the eviction would be known by ([`Evictable::horizon`](super::evictable::Evictable::horizon) of
    /// the last evictable that leaves).
    pub(crate) horizon: usize,
    /// Tokens that are left.
    pub(crate) after: usize,
    /// Whether it ends with recent messages. The messages that leave with it may be older: those that an earlier eviction passed over,
    /// because they could not leave then, leave with the next cut, wherever that ends.
    pub(crate) is_recent: bool,
}

/// What an eviction costs and saves, in the unit of the configured prices.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Balance {
    /// Tokens at the prompt's beginning that are in the provider's cache all the same, if anything is.
    pub(crate) kept: usize,
    /// What this request costs more than without, because what stays has to be written to the provider's cache anew. Where nothing
    /// is in the cache, it costs less.
    pub(crate) cost: f64,
    /// What every later request costs less.
    pub(crate) saving_per_turn: f64,
    /// Turns until the prompt has grown to its old size.
    pub(crate) turns: f64,
}

impl EvictionLimits {
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
    ///
    /// Where the provider's cache is cold, the whole prompt is written anew, cut or not. Then a cut is made above the low-water mark
    /// already, if the prompt takes several turns to grow back.
    pub(crate) fn choose(self, situation: Situation, cuts: &[Cut], prices: &Prices) -> Option<(Cut, Balance)> {
        let expected = situation.tokens + situation.coming;
        let is_high = expected > self.high.min(self.budget);
        if !is_high && situation.cache == CacheState::Warm {
            return None;
        }
        // Where memories may take more than the mark leaves them, more leaves.
        let low = self.low.min(self.budget.saturating_sub(situation.coming));
        let smaller = |is_recent: bool| {
            let fits = move |cut: &&Cut| cut.after < situation.tokens && cut.is_recent == is_recent;
            cuts.iter().filter(fits)
        };
        let best = |is_recent: bool| {
            let reaches = smaller(is_recent).find(|cut| cut.after <= low);
            reaches.or_else(|| smaller(is_recent).next_back())
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
        let enough = self.high.max(low + situation.coming);
        let cramped = expected > self.budget && cut.after + situation.coming <= enough;
        let pays = is_high && Balance::new(Situation { cache: CacheState::Warm, ..situation }, *cut, prices).pays();
        let is_cold = situation.cache == CacheState::Cold;
        let is_gained = is_cold && situation.tokens > low && balance.turns >= LEAST_TURNS_GAINED;
        (must || cramped || pays || is_gained).then_some((*cut, balance))
    }
}

impl EvictionLimits {
    /// What it costs and saves to shorten results in the place of a cut that was chosen, with `after` tokens left; `None` where that
    /// is no good. It has to free half of what the cut would, since it writes to the provider's cache anew what stays, and leave
    /// the prompt below the high-water mark with room for memories, or the cut would be made soon all the same.
    pub(crate) fn instead(self, situation: Situation, cut: Cut, after: usize, prices: &Prices) -> Option<Balance> {
        let freed = situation.tokens.saturating_sub(after);
        let would = situation.tokens.saturating_sub(cut.after);
        let is_enough = freed > 0 && freed.saturating_mul(2) >= would;
        let has_room = after <= self.high && after + situation.coming <= self.budget;
        let balance = Balance::new(situation, Cut { after, ..cut }, prices);
        let must = situation.tokens > self.budget || situation.cache == CacheState::Cold;
        (is_enough && has_room && (must || balance.pays())).then_some(balance)
    }
}

/// Turns until the prompt has grown back, for an eviction that costs nothing. With fewer, a conversation whose every request comes
/// late would lose turns with every one, for next to nothing.
const LEAST_TURNS_GAINED: f64 = 4.0;

impl Balance {
    fn new(situation: Situation, cut: Cut, prices: &Prices) -> Self {
        let now = situation.cache.prices(*prices);
        let kept = situation.fixed.min(cut.after);
        let whole = now.prompt(situation.tokens, situation.fresh);
        let left = situation.tokens.saturating_sub(cut.after);
        Self {
            kept,
            cost: now.prompt(cut.after, cut.after - kept) - whole,
            saving_per_turn: left as f64 * prices.cache_read,
            turns: left as f64 / situation.growth.max(1) as f64,
        }
    }

    fn pays(self) -> bool {
        self.saving_per_turn * self.turns >= self.cost
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests fail loudly")]
    use proptest::prelude::*;

    use super::*;

    const PRICES: Prices = Prices { cache_read: 0.1, cache_write: 1.0, cache_lifetime: None };
    const LIMITS: EvictionLimits = EvictionLimits { budget: 1000, high: 500, low: 300 };

    fn situation(tokens: usize) -> Situation {
        Situation { tokens, coming: 50, fixed: 50, fresh: 60, growth: 60, cache: CacheState::Warm }
    }

    fn cold(tokens: usize) -> Situation {
        Situation { cache: CacheState::Cold, growth: 25, ..situation(tokens) }
    }

    fn cuts(afters: &[usize]) -> Vec<Cut> {
        let numbered = afters.iter().enumerate();
        numbered.map(|(horizon, after)| Cut { horizon, after: *after, is_recent: false }).collect()
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
        let free = Prices { cache_read: 0.0, ..PRICES };
        assert_eq!(LIMITS.choose(situation(900), &cuts(&[290]), &free), None);
        assert!(LIMITS.choose(situation(990), &cuts(&[290]), &free).is_some());
        assert_eq!(LIMITS.choose(situation(990), &cuts(&[490]), &free), None);
        assert!(LIMITS.choose(situation(1010), &cuts(&[490]), &free).is_some());
        // Prices of a provider without a cache: it pays at once.
        let none = Prices { cache_read: 1.0, ..PRICES };
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
    fn where_memories_are_the_larger_part_of_the_budget_enough_leaves_for_them() {
        let prompt = Situation { coming: 800, ..situation(450) };
        let chosen = LIMITS.choose(prompt, &cuts(&[290, 240, 190, 100]), &PRICES);
        assert_eq!(chosen.map(|(cut, _)| cut.after), Some(190));
        assert_eq!(LIMITS.choose(Situation { tokens: 190, ..prompt }, &cuts(&[150]), &PRICES), None);
    }

    #[test]
    fn what_was_said_last_leaves_only_when_the_budget_demands_it() {
        let cut = |horizon, after, is_recent| Cut { horizon, after, is_recent };
        let horizon =
            |tokens, cuts: &[Cut]| LIMITS.choose(situation(tokens), cuts, &PRICES).map(|(cut, _)| cut.horizon);
        let enough = [cut(0, 700, false), cut(1, 250, true), cut(2, 100, true)];
        assert_eq!(horizon(1100, &enough), Some(0));
        let too_little = [cut(0, 1050, false), cut(1, 250, true), cut(2, 100, true)];
        assert_eq!(horizon(1100, &too_little), Some(1));
        assert_eq!(horizon(900, &[cut(1, 250, true)]), None);
    }

    #[test]
    fn a_cold_cache_lets_turns_leave_below_the_high_water_mark_if_that_gains_several_turns() {
        let horizon =
            |situation| LIMITS.choose(situation, &cuts(&[350, 290, 200]), &PRICES).map(|(cut, _)| cut.horizon);
        assert_eq!(horizon(Situation { cache: CacheState::Warm, ..cold(400) }), None);
        assert_eq!(horizon(cold(400)), Some(1), "110 tokens, which are more than four turns of 25");
        assert_eq!(horizon(cold(380)), None, "90 tokens");
        assert_eq!(horizon(cold(300)), None, "at the low-water mark");
        let recent = [Cut { horizon: 1, after: 250, is_recent: true }];
        assert_eq!(LIMITS.choose(cold(440), &recent, &PRICES), None, "what was said last stays");
    }

    #[test]
    fn a_cold_prompt_is_written_whole_and_a_shorter_one_for_less() {
        let (_, balance) = LIMITS.choose(cold(440), &cuts(&[240]), &PRICES).unwrap();
        assert_eq!((balance.cost, balance.saving_per_turn, balance.turns), (-200.0, 20.0, 8.0));
        let (_, warm) = LIMITS.choose(situation(990), &cuts(&[240]), &PRICES).unwrap();
        // 50 tokens of instructions are read and 190 written, instead of 930 read and 60 written.
        assert_eq!((warm.kept, warm.cost), (50, 5.0 + 190.0 - 93.0 - 60.0));
        let written = CacheState::Cold.prices(Prices { cache_write: 1.25, ..PRICES });
        assert_eq!((written.prompt(100, 0), written.prompt(100, 100)), (125.0, 125.0));
    }

    #[test]
    fn results_are_shortened_in_the_place_of_a_cut_where_that_frees_half_as_much_and_leaves_room() {
        let cut = Cut { horizon: 3, after: 200, is_recent: true };
        let instead = |tokens, coming, after| {
            let prompt = Situation { coming, ..situation(tokens) };
            LIMITS.instead(prompt, cut, after, &PRICES).map(|balance| balance.kept)
        };
        assert_eq!(instead(1100, 0, 450), Some(50));
        assert_eq!(instead(700, 0, 480), None, "less than half of 500 is freed");
        assert_eq!(instead(1100, 0, 550), None, "over the high-water mark");
        assert_eq!(instead(1100, 600, 450), None, "no room for memories");
        assert_eq!(instead(420, 0, 420), None, "nothing is freed");
    }

    #[test]
    fn within_the_budget_results_are_shortened_only_if_that_pays_or_costs_nothing() {
        let cut = Cut { horizon: 3, after: 300, is_recent: false };
        let slow = Situation { growth: 10, ..situation(900) };
        let quick = Situation { growth: 5000, ..slow };
        assert!(LIMITS.instead(slow, cut, 480, &PRICES).is_some());
        assert_eq!(LIMITS.instead(quick, cut, 480, &PRICES), None);
        assert!(LIMITS.instead(Situation { cache: CacheState::Cold, ..quick }, cut, 480, &PRICES).is_some());
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
                let low = LIMITS.low.min(LIMITS.budget - coming);
                prop_assert!(earlier.into_iter().all(|other| other.after > low || other.after >= tokens));
            } else if tokens > LIMITS.budget {
                prop_assert!(cuts.iter().all(|cut| cut.after > LIMITS.budget));
            }
        }

        #[test]
        fn with_a_cold_cache_nothing_more_is_paid_and_every_cut_of_a_warm_one_is_made(
            tokens in 1..2000usize, coming in 0..500usize, fresh in 0..500usize, growth in 0..200usize,
            mut afters in prop::collection::vec(0..2000usize, 0..12),
        ) {
            afters.sort_unstable_by(|a, b| b.cmp(a));
            let cuts = cuts(&afters);
            let cold = Situation { coming, fresh, growth, ..cold(tokens) };
            let chosen = LIMITS.choose(cold, &cuts, &PRICES);
            let warm = LIMITS.choose(Situation { cache: CacheState::Warm, ..cold }, &cuts, &PRICES);
            if let Some((cut, _)) = warm {
                prop_assert_eq!(chosen.map(|(cut, _)| cut), Some(cut));
            }
            if let Some((cut, balance)) = chosen {
                prop_assert!(balance.cost < 0.0);
                prop_assert!(cut.after < tokens);
                prop_assert!(tokens > LIMITS.low || warm.is_some());
            }
        }
    }
}
