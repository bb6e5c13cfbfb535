//! What of a scope was said plainly, so that what was sent with more around it is shown once.
//!
//! Responsible for: which turn is shown in whose place.

use std::collections::{HashMap, HashSet};

use crate::records::TurnId;

/// Turns that were said plainly later, where both are there.
#[derive(Debug, Default)]
pub(crate) struct Spoken {
    plain: HashMap<TurnId, TurnId>,
}

impl Spoken {
    /// Of what is `noted`, what is there.
    pub(crate) fn new(noted: HashMap<TurnId, TurnId>, is_there: impl Fn(TurnId) -> bool) -> Self {
        let noted = noted.into_iter().filter(|(sent, said)| is_there(*sent) && is_there(*said));
        Self { plain: noted.collect() }
    }

    /// What is shown in the place of a turn: what was said, or the turn itself.
    pub(crate) fn of(&self, turn: TurnId) -> TurnId {
        let (mut said, mut seen) = (turn, HashSet::new());
        while let Some(plain) = self.plain.get(&said).filter(|_| seen.insert(said)) {
            said = *plain;
        }
        said
    }

    /// The turns in whose place something else is shown.
    pub(crate) fn hidden(&self) -> impl Iterator<Item = TurnId> {
        self.plain.keys().copied()
    }

    /// The turns that are shown in the place of others, and need no place of their own.
    pub(crate) fn shown(&self) -> HashSet<TurnId> {
        self.plain.values().copied().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::records::samples_for_tests::id;

    fn spoken(noted: &[(u32, u32)]) -> Spoken {
        let noted = noted.iter().map(|(sent, said)| (id(*sent), id(*said)));
        Spoken::new(noted.collect(), |turn| turn != id(99))
    }

    #[test]
    fn what_was_said_is_shown_also_where_it_had_something_around_it_itself() {
        let spoken = spoken(&[(1, 2), (2, 3), (4, 99), (99, 5)]);
        assert_eq!([1, 2, 3, 4, 99].map(|turn| spoken.of(id(turn))), [3, 3, 3, 4, 99].map(id));
        assert_eq!(spoken.hidden().collect::<HashSet<_>>(), HashSet::from([1, 2].map(id)));
        assert_eq!(spoken.shown(), HashSet::from([2, 3].map(id)));
    }

    #[test]
    fn turns_in_a_circle_have_an_end() {
        let spoken = spoken(&[(1, 2), (2, 1), (3, 3)]);
        assert!([1, 2].map(id).contains(&spoken.of(id(1))));
        assert_eq!(spoken.of(id(3)), id(3));
    }
}
