//! Joins recalled turns that say the same, word for word, into one memory: the latest of them, with the times of the others.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use chrono::{DateTime, Utc};
use mainpoint_store::TurnId;

use crate::memory::{RecalledTurn, words_of};

/// What one or several recalled turns say.
#[derive(Debug)]
pub(crate) struct JoinedMemory<'a> {
    /// The latest of them.
    pub(crate) latest: &'a RecalledTurn,
    /// When it was said before, oldest first, each minute once.
    pub(crate) before: Vec<DateTime<Utc>>,
    /// All of them, and those that said it with more around it.
    pub(crate) turns: Vec<TurnId>,
}

/// One memory for each thing said, in the order of the first turn that says it. Two turns say the same when one role speaks the
/// same words, whatever their case and punctuation.
#[must_use]
pub(crate) fn joined(recalled: &[RecalledTurn]) -> Vec<JoinedMemory<'_>> {
    let mut groups: Vec<Vec<&RecalledTurn>> = Vec::new();
    let mut places: HashMap<(&str, String), usize> = HashMap::new();
    for one in recalled {
        let words = words_of(&one.turn.text);
        if words.is_empty() {
            groups.push(vec![one]);
            continue;
        }
        match places.entry((one.turn.role.as_str(), words)) {
            Entry::Occupied(place) => groups.get_mut(*place.get()).into_iter().for_each(|group| group.push(one)),
            Entry::Vacant(place) => {
                place.insert(groups.len());
                groups.push(vec![one]);
            }
        }
    }
    groups.into_iter().filter_map(memory).collect()
}

fn memory(mut group: Vec<&RecalledTurn>) -> Option<JoinedMemory<'_>> {
    group.sort_by_key(|one| (one.turn.time, one.turn.position));
    let turns = group.iter().flat_map(|one| std::iter::once(one.turn.id).chain(one.sent_as)).collect();
    let latest = group.pop()?;
    let mut before: Vec<DateTime<Utc>> = group.iter().map(|one| one.turn.time).collect();
    before.retain(|time| minute(*time) != minute(latest.turn.time));
    before.dedup_by_key(|time| minute(*time));
    Some(JoinedMemory { latest, before, turns })
}

/// Times are told to the minute.
fn minute(time: DateTime<Utc>) -> i64 {
    time.timestamp().div_euclid(60)
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;
    use mainpoint_store::Turn;
    use proptest::prelude::*;

    use super::*;
    use crate::memory::turns_for_tests::{id, recalled, turn};

    fn said(position: u32, role: &str, text: &str) -> RecalledTurn {
        let time = DateTime::UNIX_EPOCH + TimeDelta::hours(i64::from(position));
        recalled(Turn { role: role.to_owned(), time, ..turn(position, text) })
    }

    #[test]
    fn the_latest_of_equal_turns_stands_for_all_at_the_best_place() {
        let recalled = [
            said(4, "user", "My budget is 16 thousand."),
            said(2, "user", "I live in Berlin!"),
            said(9, "user", "my budget is 16 THOUSAND"),
            said(7, "assistant", "My budget is 16 thousand."),
            said(1, "user", "My budget is 16 thousand…"),
        ];
        let memories = joined(&recalled);
        let order: Vec<u32> = memories.iter().map(|memory| memory.latest.turn.position).collect();
        assert_eq!(order, [9, 2, 7]);
        let hours = |hour| DateTime::UNIX_EPOCH + TimeDelta::hours(hour);
        assert_eq!(memories[0].before, [hours(1), hours(4)]);
        assert_eq!(memories[0].turns, [1, 4, 9].map(id));
        assert!(memories[1].before.is_empty());
    }

    #[test]
    fn what_was_said_several_times_in_a_minute_was_said_once_then() {
        let mut recalled = [1, 1, 4, 4].map(|hour| said(hour, "user", "Hello?"));
        for (position, one) in (0..).zip(&mut recalled) {
            one.turn.position = position;
            one.turn.time += TimeDelta::seconds(i64::from(position));
        }
        let before = joined(&recalled)[0].before.clone();
        assert_eq!(before, [DateTime::UNIX_EPOCH + TimeDelta::hours(1)]);
    }

    #[test]
    fn turns_without_words_stay_apart() {
        assert_eq!(joined(&[said(1, "user", "?!"), said(2, "user", "🦦")]).len(), 2);
    }

    proptest! {
        #[test]
        fn every_turn_is_in_one_memory(texts in prop::collection::vec("[abAB .]{0,3}", 0..20)) {
            let recalled: Vec<RecalledTurn> =
                texts.iter().enumerate().map(|(at, text)| said(at as u32, "user", text)).collect();
            let mut turns: Vec<TurnId> = joined(&recalled).into_iter().flat_map(|memory| memory.turns).collect();
            turns.sort_unstable();
            prop_assert_eq!(turns, recalled.iter().map(|one| one.turn.id).collect::<Vec<_>>());
        }
    }
}
