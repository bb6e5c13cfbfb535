//! What clients have seen, compared with what is kept.

use std::collections::{HashMap, HashSet};

use super::crowd::Acknowledged;
use super::inspection::Kept;

/// What is wrong with the acknowledged turns.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Comparison {
    /// Turns that are nowhere.
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
        let mut found = Self::default();
        let (mut of_callers, mut taken) = (HashMap::new(), HashSet::new());
        for turn in acknowledged {
            let places = kept.turns.get(&turn.text).map_or(&[][..], Vec::as_slice);
            // A caller's first turn that is found says where the caller's turns lie, unless somebody else's lie there.
            let own = places.first().and_then(|place| {
                *of_callers.entry(turn.caller).or_insert_with(|| taken.insert(place).then_some(place))
            });
            let [lost, strayed] = [places.is_empty(), places.iter().any(|place| own != Some(place))].map(usize::from);
            let doubled = places.len().saturating_sub(1);
            found.lost += lost;
            found.doubled += doubled;
            found.strayed += strayed;
            let wrongs = [("lost", lost), ("doubled", doubled), ("with another caller", strayed)];
            for (wrong, _) in wrongs.into_iter().filter(|(_, count)| *count > 0) {
                if found.examples.len() < EXAMPLES {
                    found.examples.push(format!("{wrong}: \"{}\" of caller {}", turn.text, turn.caller));
                }
            }
        }
        found
    }

    /// Adds what is wrong elsewhere.
    pub(super) fn add(&mut self, other: Self) {
        self.lost += other.lost;
        self.doubled += other.doubled;
        self.strayed += other.strayed;
        self.examples.extend(other.examples);
        self.examples.truncate(EXAMPLES);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(text: &str, caller: usize) -> Acknowledged {
        Acknowledged { text: text.to_owned(), caller }
    }

    fn kept(turns: &[(&str, &[&str])]) -> Kept {
        let owned = |scopes: &[&str]| scopes.iter().map(|scope| (*scope).to_owned()).collect();
        Kept { turns: turns.iter().map(|(text, scopes)| ((*text).to_owned(), owned(scopes))).collect(), unread: 0 }
    }

    #[test]
    fn turns_that_are_there_once_beside_those_of_their_caller_are_right() {
        let acknowledged = [seen("a", 0), seen("b", 1), seen("c", 0)];
        let kept = kept(&[("a", &["s"]), ("b", &["t"]), ("c", &["s"]), ("no", &["t", "t"])]);
        assert_eq!(Comparison::of(&acknowledged, &kept), Comparison::default());
    }

    #[test]
    fn a_lost_and_a_doubled_turn_and_one_with_another_caller_are_noticed() {
        let acknowledged = [seen("a", 0), seen("b", 1), seen("c", 0), seen("d", 1), seen("e", 2)];
        let kept = kept(&[("a", &["s"]), ("b", &["t", "t", "t"]), ("d", &["s"]), ("e", &["s"])]);
        let found = Comparison::of(&acknowledged, &kept);
        assert_eq!((found.lost, found.doubled, found.strayed), (1, 2, 2));
        let mut both = Comparison::default();
        [Comparison::of(&acknowledged, &kept), Comparison::default()].into_iter().for_each(|one| both.add(one));
        assert_eq!(both, found);
        let examples = ["doubled: \"b\" of caller 1", "lost: \"c\" of caller 0"];
        assert_eq!(found.examples[..2], examples);
    }
}
