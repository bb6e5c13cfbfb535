//! When turns were said: anywhere, or in one conversation.
//!
//! Responsible for: the times of the places where turns stand.
//!
//! When a turn was first seen is the time of each of its places without a record of another time. It is no time of the
//! turn any more where all such places were deleted.

use std::collections::HashMap;
use std::ops::RangeInclusive;

use chrono::{DateTime, Utc};
use redb::ReadableTable;

use super::Journal;
use super::lineage::Lineage;
use super::repetitions::{of_scope, of_turn};
use super::rows::{ACCEPTED, COMPLETED, PLACES, PlaceKey, REPETITIONS, RepetitionKey, every_place, time_from};
use crate::error::StoreError;
use crate::records::{ConversationId, ConversationView, Scope, TurnId, TurnPlace};

/// A turn and when it was first seen.
type FirstSeen = (TurnId, DateTime<Utc>);

/// Where a turn stands in the conversations of its scope.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Standing {
    /// Somewhere.
    Placed,
    /// Nowhere, but the journal has its words.
    InJournal,
    /// Nowhere, and the journal has not its words either: it is new, or was recorded without a place.
    Nowhere,
}

impl Journal {
    /// When these turns were said, at most `most` times of each, the latest among them; nothing of those that were said
    /// once, when they were first seen.
    pub(crate) fn times(
        &self,
        scope: &Scope,
        first_seen: &[FirstSeen],
        most: usize,
    ) -> Result<HashMap<TurnId, Vec<DateTime<Utc>>>, StoreError> {
        let found = self.database.read("look up when turns were said", |transaction| {
            let (repetitions, places) = (transaction.open_table(REPETITIONS)?, transaction.open_table(PLACES)?);
            let mut few = few(&repetitions, scope, first_seen.len())?;
            let mut found = HashMap::new();
            for (turn, first) in first_seen {
                let mut times = match &mut few {
                    Some(all) => all.remove(turn).unwrap_or_default(),
                    None => latest(&repetitions, scope, *turn, most)?,
                };
                times.truncate(most);
                // Of what was said so often the first time is only one of many.
                let is_enough = times.is_empty() || times.len() == most;
                if !is_enough && stands_where_first_seen(&places, &repetitions, scope, *turn)? {
                    times.push(first.timestamp_micros());
                }
                if !times.is_empty() {
                    found.insert(*turn, times);
                }
            }
            Ok(found)
        })?;
        found.into_iter().map(read_times).collect()
    }

    /// When these turns, first seen at these times, were said last; nothing of those that were said once.
    pub(crate) fn said_last(
        &self,
        scope: &Scope,
        first_seen: &[FirstSeen],
    ) -> Result<HashMap<TurnId, DateTime<Utc>>, StoreError> {
        let found = self.database.read("look up what was said last", |transaction| {
            let (repetitions, places) = (transaction.open_table(REPETITIONS)?, transaction.open_table(PLACES)?);
            let mut found = HashMap::new();
            for (turn, first) in first_seen {
                let last = repetitions.range(of_turn(scope.as_str(), turn))?.next_back().transpose()?;
                let Some(last) = last.map(|(key, _)| key.value().2) else { continue };
                let first = first.timestamp_micros();
                let is_first_last = first > last && stands_where_first_seen(&places, &repetitions, scope, *turn)?;
                found.insert(*turn, if is_first_last { first } else { last });
            }
            Ok(found)
        })?;
        found.into_iter().map(|(turn, micros)| Ok((turn, time_from(micros)?))).collect()
    }

    /// The last of the times of [`Journal::said_in`].
    pub(crate) fn said_last_in(
        &self,
        scope: &Scope,
        conversation: &ConversationView,
        first_seen: &[FirstSeen],
    ) -> Result<HashMap<TurnId, DateTime<Utc>>, StoreError> {
        let times = self.said_in(scope, conversation, first_seen, 1)?;
        Ok(times.into_iter().filter_map(|(turn, times)| Some((turn, *times.first()?))).collect())
    }

    /// When these turns were said in a conversation, at most `most` times of each, the latest place first. What stands
    /// elsewhere and not there is said there now, unless the conversation says when; nothing of turns that stand nowhere.
    pub(crate) fn said_in(
        &self,
        scope: &Scope,
        conversation: &ConversationView,
        first_seen: &[FirstSeen],
        most: usize,
    ) -> Result<HashMap<TurnId, Vec<DateTime<Utc>>>, StoreError> {
        let found = self.database.read("look up when turns were said in a conversation", |transaction| {
            let (repetitions, places) = (transaction.open_table(REPETITIONS)?, transaction.open_table(PLACES)?);
            let lineage = Lineage::new(transaction, scope)?;
            let ends = conversation.tip.map_or(Ok(Vec::new()), |tip| lineage.ends(tip))?;
            let mut found = HashMap::new();
            for (turn, first) in first_seen {
                let mut stands = Vec::new();
                for TurnPlace { conversation, position } in &ends {
                    let whole = (scope.as_str(), &turn.0, &conversation.0, 0);
                    let end = (scope.as_str(), &turn.0, &conversation.0, *position);
                    for entry in places.range(whole..=end)?.rev().take(most.saturating_sub(stands.len())) {
                        let (key, _) = entry?;
                        stands.push(TurnPlace { conversation: *conversation, position: key.value().3 });
                    }
                    if stands.len() >= most {
                        break;
                    }
                }
                let noted = if stands.is_empty() { HashMap::new() } else { noted(&repetitions, scope, *turn)? };
                let first = first.timestamp_micros();
                let times = stands.iter().map(|place| noted.get(place).copied().unwrap_or(first));
                let mut times: Vec<i64> = times.collect();
                if times.is_empty() && places.range(every_place(scope.as_str(), turn))?.next().transpose()?.is_some() {
                    let earlier = conversation.earlier.iter().rev().filter(|said| said.turn == *turn);
                    times.extend(earlier.map(|said| said.time.timestamp_micros()).take(most));
                    if times.is_empty() {
                        times.push(conversation.now.timestamp_micros());
                    }
                }
                if !times.is_empty() {
                    found.insert(*turn, times);
                }
            }
            Ok(found)
        })?;
        found.into_iter().map(read_times).collect()
    }

    /// How far it is known of each of these turns, in order, when it was said.
    pub(crate) fn standings(&self, scope: &Scope, turns: &[TurnId]) -> Result<Vec<Standing>, StoreError> {
        self.database.read("look up where turns stand", |transaction| {
            let places = transaction.open_table(PLACES)?;
            let (accepted, completed) = (transaction.open_table(ACCEPTED)?, transaction.open_table(COMPLETED)?);
            let mut standings = Vec::with_capacity(turns.len());
            for turn in turns {
                let key = (scope.as_str(), &turn.0);
                standings.push(if places.range(every_place(scope.as_str(), turn))?.next().transpose()?.is_some() {
                    Standing::Placed
                } else if accepted.get(key)?.is_some() || completed.get(key)?.is_some() {
                    Standing::InJournal
                } else {
                    Standing::Nowhere
                });
            }
            Ok(standings)
        })
    }

    /// Where a conversation begins with a turn that was said again within some time, the latest one.
    pub(crate) fn said_again_at_a_beginning(
        &self,
        scope: &Scope,
        turn: TurnId,
        span: RangeInclusive<DateTime<Utc>>,
    ) -> Result<Option<TurnPlace>, StoreError> {
        let (from, to) = (span.start().timestamp_micros(), span.end().timestamp_micros());
        self.database.read("look up which conversation began with a turn", |transaction| {
            let whole =
                (scope.as_str(), &turn.0, from, &[0; 16], 0)..=(scope.as_str(), &turn.0, to, &[u8::MAX; 16], u32::MAX);
            for entry in transaction.open_table(REPETITIONS)?.range(whole)?.rev() {
                let (key, _) = entry?;
                if let (_, _, _, conversation, position @ 0) = key.value() {
                    return Ok(Some(TurnPlace { conversation: ConversationId(*conversation), position }));
                }
            }
            Ok(None)
        })
    }

    /// Where a conversation begins with a turn that was said there when it was first seen.
    pub(crate) fn first_seen_at_a_beginning(
        &self,
        scope: &Scope,
        turn: TurnId,
    ) -> Result<Option<TurnPlace>, StoreError> {
        self.database.read("look up which conversation began with a turn", |transaction| {
            let noted = noted(&transaction.open_table(REPETITIONS)?, scope, turn)?;
            for entry in transaction.open_table(PLACES)?.range(every_place(scope.as_str(), &turn))? {
                let (key, _) = entry?;
                let (_, _, conversation, position) = key.value();
                let place = TurnPlace { conversation: ConversationId(*conversation), position };
                if position == 0 && !noted.contains_key(&place) {
                    return Ok(Some(place));
                }
            }
            Ok(None)
        })
    }

    /// When a turn was said at a place; `None` where that is when it was first seen.
    pub(crate) fn said_at(
        &self,
        scope: &Scope,
        turn: TurnId,
        place: TurnPlace,
    ) -> Result<Option<DateTime<Utc>>, StoreError> {
        let found = self.database.read("look up when a turn was said at a place", |transaction| {
            Ok(noted(&transaction.open_table(REPETITIONS)?, scope, turn)?.get(&place).copied())
        })?;
        found.map(time_from).transpose()
    }
}

fn read_times((turn, times): (TurnId, Vec<i64>)) -> Result<(TurnId, Vec<DateTime<Utc>>), StoreError> {
    Ok((turn, times.into_iter().map(time_from).collect::<Result<_, StoreError>>()?))
}

/// The times of every record of a scope, the latest first, if there are at most `most`: to look through those takes
/// less time than to look for so many turns.
fn few(
    repetitions: &impl ReadableTable<RepetitionKey, ()>,
    scope: &Scope,
    most: usize,
) -> Result<Option<HashMap<TurnId, Vec<i64>>>, redb::Error> {
    let mut found: HashMap<TurnId, Vec<i64>> = HashMap::new();
    for (count, entry) in repetitions.range(of_scope(scope.as_str()))?.rev().enumerate() {
        if count == most {
            return Ok(None);
        }
        let (key, _) = entry?;
        let (_, turn, time, _, _) = key.value();
        found.entry(TurnId(*turn)).or_default().push(time);
    }
    Ok(Some(found))
}

/// The last times at which a turn was said again, the latest first.
fn latest(
    repetitions: &impl ReadableTable<RepetitionKey, ()>,
    scope: &Scope,
    turn: TurnId,
    most: usize,
) -> Result<Vec<i64>, redb::Error> {
    let mut times = Vec::new();
    for entry in repetitions.range(of_turn(scope.as_str(), &turn))?.rev().take(most) {
        let (key, _) = entry?;
        times.push(key.value().2);
    }
    Ok(times)
}

/// The times that are recorded for a turn, by its places.
fn noted(
    repetitions: &impl ReadableTable<RepetitionKey, ()>,
    scope: &Scope,
    turn: TurnId,
) -> Result<HashMap<TurnPlace, i64>, redb::Error> {
    let mut noted = HashMap::new();
    for entry in repetitions.range(of_turn(scope.as_str(), &turn))? {
        let (key, _) = entry?;
        let (_, _, time, conversation, position) = key.value();
        noted.insert(TurnPlace { conversation: ConversationId(*conversation), position }, time);
    }
    Ok(noted)
}

/// Whether a turn that was said again still stands at a place where it was said when it was first seen.
fn stands_where_first_seen(
    places: &impl ReadableTable<PlaceKey, ()>,
    repetitions: &impl ReadableTable<RepetitionKey, ()>,
    scope: &Scope,
    turn: TurnId,
) -> Result<bool, redb::Error> {
    let noted = noted(repetitions, scope, turn)?;
    for entry in places.range(every_place(scope.as_str(), &turn))? {
        let (key, _) = entry?;
        let (_, _, conversation, position) = key.value();
        if !noted.contains_key(&TurnPlace { conversation: ConversationId(*conversation), position }) {
            return Ok(true);
        }
    }
    Ok(false)
}
