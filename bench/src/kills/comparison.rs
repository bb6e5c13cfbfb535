//! What clients have seen, compared with what is kept.
//!
//! It must not know how either came about.

use std::collections::{HashMap, HashSet};

use super::crowd::Acknowledged;
use super::inspection::Kept;

/// What is wrong with the acknowledged turns.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Comparison {
    /// Turns that are not there.
    pub(super) lost: usize,
    /// How often turns are there once more than they should be.
    pub(super) doubled: usize,
    /// Turns that lie where another caller's turns are, or apart from their own caller's.
    pub(super) strayed: usize,
    pub(super) examples: Vec<String>,
}

const EXAMPLES: usize = 5;

impl Comparison {
    /// Every acknowledged turn should be kept exactly once, beside its caller's other turns and nobody else's.
    pub(super) fn of(acknowledged: &[Acknowledged], kept: &Kept) -> Self {
        let mut scopes: HashMap<&str, Vec<&str>> = HashMap::new();
        for (scope, text) in &kept.turns {
            scopes.entry(text).or_default().push(scope);
        }
        let mut found = Self::default();
        let mut of_callers = HashMap::new();
        let mut taken = HashSet::new();
        for turn in acknowledged {
            let places = scopes.get(turn.text.as_str()).map_or(&[][..], Vec::as_slice);
            let Some(place) = places.first() else {
                found.lost += 1;
                found.note("lost", turn);
                continue;
            };
            if places.len() > 1 {
                found.doubled += places.len() - 1;
                found.note("doubled", turn);
            }
            // A caller's first turn that is found says where the caller's turns lie, unless somebody else's lie there.
            let own = *of_callers.entry(turn.caller).or_insert_with(|| taken.insert(*place).then_some(*place));
            if places.iter().any(|place| own != Some(*place)) {
                found.strayed += 1;
                found.note("with another caller", turn);
            }
        }
        found
    }

    fn note(&mut self, what: &str, turn: &Acknowledged) {
        if self.examples.len() < EXAMPLES {
            self.examples.push(format!("{what}: \"{}\" of caller {}", turn.text, turn.caller));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(text: &str, caller: usize) -> Acknowledged {
        Acknowledged { text: text.to_owned(), caller }
    }

    fn kept(turns: &[(&str, &str)]) -> Kept {
        let turns = turns.iter().map(|(text, scope)| ((*scope).to_owned(), (*text).to_owned()));
        Kept { turns: turns.collect(), unread: 0 }
    }

    #[test]
    fn turns_that_are_there_once_beside_those_of_their_caller_are_right() {
        let acknowledged = [seen("a", 0), seen("b", 1), seen("c", 0)];
        let kept = kept(&[("a", "s"), ("b", "t"), ("c", "s"), ("no", "t"), ("no", "t")]);
        assert_eq!(Comparison::of(&acknowledged, &kept), Comparison::default());
    }

    #[test]
    fn a_lost_and_a_doubled_turn_and_one_with_another_caller_are_noticed() {
        let acknowledged = [seen("a", 0), seen("b", 1), seen("c", 0), seen("d", 1), seen("e", 2)];
        let kept = kept(&[("a", "s"), ("b", "t"), ("b", "t"), ("b", "t"), ("d", "s"), ("e", "s")]);
        let found = Comparison::of(&acknowledged, &kept);
        assert_eq!((found.lost, found.doubled, found.strayed), (1, 2, 2));
        let examples = ["doubled: \"b\" of caller 1", "lost: \"c\" of caller 0"];
        assert_eq!(found.examples[..2], examples);
    }
}
