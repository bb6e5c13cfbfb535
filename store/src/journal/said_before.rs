//! What of a scope was said before a time.
//!
//! Responsible for: telling turns that were said nowhere since then from those that only leave some of their places.
//!
//! A turn counts as said at the times of the places where it stands. When it was first seen is the time of those
//! without a record of another one, and of none where all such places were deleted.

use std::collections::{BTreeSet, HashMap};

use chrono::{DateTime, Utc};
use redb::ReadableTable;

use super::Journal;
use super::repetitions::of_scope;
use super::rows::{PLACES, PlaceKey, REPETITIONS, RepetitionKey, every_place};
use crate::error::StoreError;
use crate::records::{ConversationId, OldTurns, Removal, Removed, Scope, TurnId, TurnPlace};

impl Journal {
    /// What a deletion of all that was said before a time takes, as things are now.
    pub(crate) fn said_before(&self, old: &OldTurns) -> Result<Removal, StoreError> {
        self.database.read("look for what was said before a time", |transaction| {
            said_before(&transaction.open_table(PLACES)?, &transaction.open_table(REPETITIONS)?, old)
        })
    }

    /// The scopes where something stands at a place where it was said again before a time.
    pub(crate) fn scopes_said_before(&self, time: DateTime<Utc>) -> Result<BTreeSet<Scope>, StoreError> {
        let time = time.timestamp_micros();
        let names = self.database.read("look for what was said before a time", |transaction| {
            let mut names: BTreeSet<String> = BTreeSet::new();
            for entry in transaction.open_table(REPETITIONS)?.iter()? {
                let (key, _) = entry?;
                let (scope, _, said, _, _) = key.value();
                if said < time && !names.contains(scope) {
                    names.insert(scope.to_owned());
                }
            }
            Ok(names)
        })?;
        names.into_iter().map(Scope::new).collect()
    }
}

/// [`Journal::said_before`] of tables that are open.
pub(super) fn said_before(
    places: &impl ReadableTable<PlaceKey, ()>,
    repetitions: &impl ReadableTable<RepetitionKey, ()>,
    old: &OldTurns,
) -> Result<Removal, redb::Error> {
    let (scope, time) = (old.scope.as_str(), old.time.timestamp_micros());
    let mut noted: HashMap<TurnId, HashMap<TurnPlace, i64>> = HashMap::new();
    for entry in repetitions.range(of_scope(scope))? {
        let (key, _) = entry?;
        let (_, turn, said, conversation, position) = key.value();
        let place = TurnPlace { conversation: ConversationId(*conversation), position };
        noted.entry(TurnId(*turn)).or_default().insert(place, said);
    }
    let (mut ids, mut left) = (old.turns.iter().copied().collect::<BTreeSet<TurnId>>(), BTreeSet::new());
    for (turn, noted) in noted {
        let mut first_seen = Vec::new();
        for entry in places.range(every_place(scope, &turn))? {
            let (key, _) = entry?;
            let (_, _, conversation, position) = key.value();
            let place = TurnPlace { conversation: ConversationId(*conversation), position };
            if !noted.contains_key(&place) {
                first_seen.push(place);
            }
        }
        let mut leaving: Vec<TurnPlace> =
            noted.iter().filter(|(_, said)| **said < time).map(|(place, _)| *place).collect();
        let is_old = old.turns.contains(&turn);
        if leaving.len() == noted.len() && (is_old || first_seen.is_empty()) {
            ids.insert(turn);
            continue;
        }
        if is_old {
            leaving.extend(first_seen);
        }
        ids.remove(&turn);
        left.extend(leaving.into_iter().map(|place| (turn, place)));
    }
    let what = Removed::Turns { ids, conversations: BTreeSet::new(), places: left };
    Ok(Removal { scope: old.scope.clone(), what })
}
