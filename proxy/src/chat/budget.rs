//! Decides which messages leave a prompt that is over its budget.
//!
//! It must not know tokenizers, memory or JSON: it works on counts.

use std::collections::BTreeSet;

/// How many tokens a prompt may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Budget {
    /// Most tokens of the forwarded prompt.
    pub(crate) total: usize,
    /// How many of them memories may take.
    pub(crate) memory: usize,
}

/// What leaves the prompt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Cut {
    /// Indices of the messages that leave.
    pub(crate) dropped: BTreeSet<usize>,
    /// Tokens of the prompt without them.
    pub(crate) kept_tokens: usize,
}

impl Budget {
    /// Drops the oldest units that may be dropped until memories have room beside what is kept. The last unit, which
    /// holds the last user message, always stays. `None` when nothing may be dropped.
    ///
    /// `tokens` are those of each message, `prompt` those of the whole prompt.
    pub(crate) fn cut(
        self,
        units: &[Vec<usize>],
        tokens: &[usize],
        prompt: usize,
        may_drop: impl Fn(usize) -> bool,
    ) -> Option<Cut> {
        let goal = self.total.saturating_sub(self.memory);
        let mut cut = Cut {
            dropped: BTreeSet::new(),
            kept_tokens: prompt,
        };
        let (_, older) = units.split_last()?;
        for unit in older {
            if cut.kept_tokens <= goal {
                break;
            }
            if unit.iter().all(|index| may_drop(*index)) {
                let freed: usize = unit.iter().filter_map(|index| tokens.get(*index)).sum();
                cut.kept_tokens = cut.kept_tokens.saturating_sub(freed);
                cut.dropped.extend(unit);
            }
        }
        (!cut.dropped.is_empty()).then_some(cut)
    }

    /// Tokens that memories may take beside `kept_tokens`.
    ///
    /// When what must be kept is over the budget by itself, the budget is lost whatever is done; the question still
    /// deserves its memories then.
    pub(crate) fn room(self, kept_tokens: usize) -> usize {
        match self.total.checked_sub(kept_tokens) {
            Some(free) => free.min(self.memory),
            None => self.memory,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn each_its_own(count: usize) -> Vec<Vec<usize>> {
        (0..count).map(|index| vec![index]).collect()
    }

    #[test]
    fn the_oldest_units_leave_first_and_no_more_than_needed() {
        let budget = Budget { total: 60, memory: 10 };
        let cut = budget.cut(&each_its_own(10), &[10; 10], 100, |_| true);
        assert_eq!(
            cut,
            Some(Cut {
                dropped: (0..5).collect(),
                kept_tokens: 50
            })
        );
    }

    #[test]
    fn a_unit_that_is_not_read_yet_stays_and_the_next_one_leaves() {
        let budget = Budget { total: 60, memory: 10 };
        let cut = budget.cut(&each_its_own(10), &[10; 10], 100, |index| index != 1);
        assert_eq!(
            cut,
            Some(Cut {
                dropped: [0, 2, 3, 4, 5].into(),
                kept_tokens: 50
            })
        );
    }

    #[test]
    fn nothing_to_drop_is_no_cut() {
        let budget = Budget { total: 5, memory: 1 };
        assert_eq!(budget.cut(&each_its_own(3), &[10; 3], 30, |_| false), None);
        assert_eq!(budget.cut(&each_its_own(1), &[10], 10, |_| true), None);
        assert_eq!(budget.cut(&[], &[], 10, |_| true), None);
    }

    proptest! {
        #[test]
        fn a_cut_keeps_the_last_unit_whole_units_and_true_counts(
            sizes in prop::collection::vec((1..4usize, 1..50usize), 1..20),
            readable in prop::collection::vec(any::<bool>(), 80),
            total in 1..600usize, memory in 1..200usize,
        ) {
            let mut units = Vec::new();
            let mut tokens = Vec::new();
            for (length, cost) in &sizes {
                units.push((tokens.len()..tokens.len() + length).collect::<Vec<_>>());
                tokens.extend(vec![*cost; *length]);
            }
            let prompt: usize = tokens.iter().sum();
            let budget = Budget { total, memory };
            if let Some(cut) = budget.cut(&units, &tokens, prompt, |index| readable[index]) {
                let kept: usize =
                    (0..tokens.len()).filter(|index| !cut.dropped.contains(index)).map(|index| tokens[index]).sum();
                prop_assert_eq!(kept, cut.kept_tokens);
                for unit in &units {
                    let gone = unit.iter().filter(|index| cut.dropped.contains(index)).count();
                    prop_assert!(gone == 0 || gone == unit.len());
                }
                prop_assert!(units.last().into_iter().flatten().all(|index| !cut.dropped.contains(index)));
                prop_assert!(cut.dropped.iter().all(|index| readable[*index]));
                if cut.kept_tokens <= total {
                    prop_assert!(cut.kept_tokens + budget.room(cut.kept_tokens) <= total);
                }
            }
        }
    }
}
