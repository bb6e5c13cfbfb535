//! What may leave a prompt: groups of messages, and where an eviction ends that takes them.

use std::collections::BTreeSet;

/// How a conversation may be cut: evictables that leave together, oldest first. What is in none of them stays.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Shape {
    /// Whole exchanges, the newest ones in rounds, then the rounds of the last exchange but the last round.
    pub(crate) evictables: Vec<Evictable>,
}

/// Messages that leave together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Evictable {
    /// Their indices, ascending. None at the end of an exchange that stays, where an eviction may end as well.
    pub(crate) messages: Vec<usize>,
    /// Index of the message at which an eviction ends that takes them: the last of them that has a prefix id, or, where there are none,
    /// the last such message of the exchange that stays.
    pub(crate) horizon: usize,
    /// Whether it is recent: of the last exchange or of the two before it, whole or in rounds. The question's lead-up is.
    pub(crate) is_recent: bool,
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
    use super::*;

    #[test]
    fn what_has_left_is_known_by_its_horizon() {
        let evictable =
            |messages: &[usize], horizon| Evictable { messages: messages.to_vec(), horizon, is_recent: false };
        let shape = Shape { evictables: vec![evictable(&[1, 2, 3], 2), evictable(&[5, 6], 6), evictable(&[7], 7)] };
        assert_eq!(shape.dropped(2), [1, 2, 3].into());
        assert_eq!(shape.dropped(6), [1, 2, 3, 5, 6].into());
        assert!(shape.dropped(0).is_empty());
    }
}
