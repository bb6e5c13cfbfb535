//! Which turns the store knows and how far each one is, in memory.
//!
//! Responsible for: answering "is this turn read?" in microseconds, and "is anything pending?".
//!
//! Pending turns (in the journal only) are always here. The ids already in LanceDB are loaded for one scope at a time,
//! when it is first asked for, and the least recently used scopes are forgotten above so many ids, of about 100 bytes each.

use std::collections::{HashMap, HashSet};

use chrono::{DateTime, Utc};

use crate::records::{ConversationId, FoundTurn, Pending, Scope, ScopeCounts, Seen, TurnId};

/// The stored turns of some conversations but for a few: a short way to name many turns.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Complement {
    pub(crate) conversations: Vec<ConversationId>,
    pub(crate) except: Vec<TurnId>,
}

/// What is known about a turn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum State {
    /// Only the journal has it.
    Pending(Pending),
    /// Read, in LanceDB.
    Stored,
}

/// What is kept of a stored turn.
#[derive(Debug, Clone, Copy)]
struct StoredTurn {
    /// The place of its conversation in `conversations`.
    place: u32,
    /// As it was last found; none before it is looked up.
    seen: Option<Seen>,
}

#[derive(Debug, Default)]
struct ScopeTurns {
    pending: HashMap<TurnId, Pending>,
    completed: usize,
    stored: HashMap<TurnId, StoredTurn>,
    conversations: Vec<ConversationId>,
    places: HashMap<ConversationId, u32>,
    loaded: bool,
    /// The clock when ids were last taken away, so that a load that began before does not bring them back.
    generation: u64,
    used: u64,
}

impl ScopeTurns {
    fn store(&mut self, id: TurnId, conversation: ConversationId, seen: Option<Seen>) {
        let next = self.conversations.len() as u32;
        let place = *self.places.entry(conversation).or_insert(next);
        if place == next {
            self.conversations.push(conversation);
        }
        self.stored.insert(id, StoredTurn { place, seen });
    }
}

/// Which turns the store knows.
#[derive(Debug)]
pub(crate) struct TurnIndex {
    scopes: HashMap<Scope, ScopeTurns>,
    clock: u64,
    accepted: usize,
    completed: usize,
    /// Ids kept in memory over all scopes.
    capacity: usize,
}

impl TurnIndex {
    /// Keeps so many ids, over all scopes.
    pub(crate) fn holding(capacity: usize) -> Self {
        Self { scopes: HashMap::new(), clock: 0, accepted: 0, completed: 0, capacity }
    }

    /// Forgets everything but what the journal has. What is stored is loaded again when it is asked for.
    pub(crate) fn reset(&mut self, pending: &[((Scope, TurnId), Pending)]) {
        self.scopes.clear();
        (self.accepted, self.completed) = (0, 0);
        // Loads that began before are refused, since their scope is another one now.
        self.clock += 1;
        for ((scope, id), state) in pending {
            self.set_pending(scope, *id, *state);
        }
    }

    /// Whether the stored ids of the scope are in memory; if not, the generation to hand to [`TurnIndex::load`].
    pub(crate) fn begin_load(&mut self, scope: &Scope) -> Option<u64> {
        let turns = self.touch(scope);
        (!turns.loaded).then_some(turns.generation)
    }

    /// Whether the stored ids of the scope are in memory.
    pub(crate) fn is_loaded(&self, scope: &Scope) -> bool {
        self.scopes.get(scope).is_some_and(|turns| turns.loaded)
    }

    /// Takes the stored turns of a scope as read from LanceDB. False if some were taken away meanwhile: read again.
    pub(crate) fn load(&mut self, scope: &Scope, generation: u64, found: Vec<FoundTurn>) -> bool {
        let turns = self.touch(scope);
        if turns.generation != generation {
            return false;
        }
        for FoundTurn { id, conversation, seen } in found {
            turns.store(id, conversation, Some(seen));
        }
        turns.loaded = true;
        self.evict(scope);
        true
    }

    /// What is known about a turn. Complete only while the scope is loaded.
    pub(crate) fn state(&self, scope: &Scope, id: TurnId) -> Option<State> {
        let turns = self.scopes.get(scope)?;
        let stored = || turns.stored.contains_key(&id).then_some(State::Stored);
        turns.pending.get(&id).map(|state| State::Pending(*state)).or_else(stored)
    }

    /// Whether any of these turns is completed and in the journal only.
    pub(crate) fn has_completed(&self, scope: &Scope, ids: &[TurnId]) -> bool {
        let Some(turns) = self.scopes.get(scope).filter(|turns| turns.completed > 0) else {
            return false;
        };
        ids.iter().any(|id| turns.pending.get(id) == Some(&Pending::Completed))
    }

    /// Whether any turn of the scope is completed and in the journal only.
    pub(crate) fn has_any_completed(&self, scope: &Scope) -> bool {
        self.scopes.get(scope).is_some_and(|turns| turns.completed > 0)
    }

    /// The turns of a scope that only the journal knows.
    pub(crate) fn pending(&self, scope: &Scope) -> Vec<TurnId> {
        self.scopes.get(scope).map(|turns| turns.pending.keys().copied().collect()).unwrap_or_default()
    }

    /// Every turn that is completed and in the journal only.
    pub(crate) fn completed(&self) -> Vec<(Scope, TurnId)> {
        let of_scope = |(scope, turns): (&Scope, &ScopeTurns)| {
            let completed = turns.pending.iter().filter(|(_, state)| **state == Pending::Completed);
            completed.map(|(id, _)| (scope.clone(), *id)).collect::<Vec<_>>()
        };
        self.scopes.iter().filter(|(_, turns)| turns.completed > 0).flat_map(of_scope).collect()
    }

    /// Number of turns accepted and not completed.
    pub(crate) fn unread_len(&self) -> usize {
        self.accepted
    }

    /// Number of turns completed and in the journal only.
    pub(crate) fn unflushed_len(&self) -> usize {
        self.completed
    }

    /// Scopes with turns that only the journal knows.
    pub(crate) fn pending_scopes(&self) -> Vec<Scope> {
        let pending = self.scopes.iter().filter(|(_, turns)| !turns.pending.is_empty());
        pending.map(|(scope, _)| scope.clone()).collect()
    }

    /// Notes that only the journal has a turn, and how far it is.
    pub(crate) fn set_pending(&mut self, scope: &Scope, id: TurnId, state: Pending) {
        self.clear_pending(scope, id);
        let turns = self.touch(scope);
        turns.pending.insert(id, state);
        match state {
            Pending::Accepted => self.accepted += 1,
            Pending::Completed => {
                turns.completed += 1;
                self.completed += 1;
            }
        }
    }

    /// Notes that LanceDB has a turn.
    pub(crate) fn set_stored(&mut self, scope: &Scope, id: TurnId, conversation: ConversationId) {
        self.clear_pending(scope, id);
        self.touch(scope).store(id, conversation, None);
    }

    /// Those of `ids` that are stored, or all of a scope, each once; `None` if there are more than `limit`. Complete only while
    /// the scope is loaded.
    pub(crate) fn stored(&self, scope: &Scope, ids: Option<&[TurnId]>, limit: usize) -> Option<Vec<TurnId>> {
        let Some(turns) = self.scopes.get(scope) else {
            return Some(Vec::new());
        };
        let stored: Vec<TurnId> = match ids {
            None if turns.stored.len() > limit => return None,
            None => turns.stored.keys().copied().collect(),
            Some(ids) => {
                let mut seen = HashSet::with_capacity(ids.len());
                let is_stored = |id: &TurnId| turns.stored.contains_key(id);
                ids.iter().copied().filter(|id| is_stored(id) && seen.insert(*id)).collect()
            }
        };
        (stored.len() <= limit).then_some(stored)
    }

    /// The rows in which those of the turns were last seen that are stored. They may have moved since.
    pub(crate) fn rows(&self, scope: &Scope, ids: &[TurnId]) -> Vec<u64> {
        let stored = self.scopes.get(scope).map(|turns| &turns.stored);
        let row = |id: &TurnId| Some(stored?.get(id)?.seen?.row);
        ids.iter().filter_map(row).collect()
    }

    /// When those of the turns were first seen that are stored and were found before.
    pub(crate) fn times(&self, scope: &Scope, ids: &[TurnId]) -> HashMap<TurnId, DateTime<Utc>> {
        let stored = self.scopes.get(scope).map(|turns| &turns.stored);
        let time = |id: &TurnId| Some((*id, stored?.get(id)?.seen?.time));
        ids.iter().filter_map(time).collect()
    }

    /// Notes how a stored turn was found.
    pub(crate) fn set_seen(&mut self, scope: &Scope, id: TurnId, seen: Seen) {
        let stored = self.scopes.get_mut(scope).and_then(|turns| turns.stored.get_mut(&id));
        if let Some(stored) = stored {
            stored.seen = Some(seen);
        }
    }

    /// Says the same as "these turns" in fewer ids, where that is possible: whole conversations but for the stored turns
    /// not among `ids`. Every completed turn counts as stored. `None` while the scope is not loaded.
    pub(crate) fn complement(&self, scope: &Scope, ids: &[TurnId]) -> Option<Complement> {
        let turns = self.scopes.get(scope).filter(|turns| turns.loaded)?;
        let wanted: HashSet<TurnId> = ids.iter().copied().collect();
        let places: HashSet<u32> = wanted.iter().filter_map(|id| Some(turns.stored.get(id)?.place)).collect();
        let stored = turns.stored.iter().filter(|(_, stored)| places.contains(&stored.place)).map(|(id, _)| *id);
        let completed = turns.pending.iter().filter(|(_, state)| **state == Pending::Completed).map(|(id, _)| *id);
        let most = wanted.len() / 2;
        let except: Vec<TurnId> = stored.chain(completed).filter(|id| !wanted.contains(id)).take(most + 1).collect();
        if places.is_empty() || places.len() + except.len() > most {
            return None;
        }
        let conversations = places.into_iter().filter_map(|place| turns.conversations.get(place as usize).copied());
        Some(Complement { conversations: conversations.collect(), except })
    }

    /// Forgets a pending turn.
    pub(crate) fn clear_pending(&mut self, scope: &Scope, id: TurnId) {
        let Some(turns) = self.scopes.get_mut(scope) else {
            return;
        };
        match turns.pending.remove(&id) {
            Some(Pending::Accepted) => self.accepted -= 1,
            Some(Pending::Completed) => {
                turns.completed -= 1;
                self.completed -= 1;
            }
            None => {}
        }
    }

    /// Forgets turns that were deleted. A load that began before does not bring them back.
    pub(crate) fn forget(&mut self, scope: &Scope, is_deleted: impl Fn(TurnId) -> bool) {
        let pending: Vec<TurnId> = self.pending(scope).into_iter().filter(|id| is_deleted(*id)).collect();
        for id in pending {
            self.clear_pending(scope, id);
        }
        let turns = self.touch(scope);
        turns.stored.retain(|id, _| !is_deleted(*id));
        turns.generation = turns.used;
    }

    /// Every turn of a scope, read or not. Complete only while the scope is loaded.
    pub(crate) fn known(&self, scope: &Scope) -> Vec<TurnId> {
        let Some(turns) = self.scopes.get(scope) else {
            return Vec::new();
        };
        let pending = turns.pending.keys().filter(|id| !turns.stored.contains_key(*id));
        turns.stored.keys().chain(pending).copied().collect()
    }

    /// How many turns a scope has. Complete only while the scope is loaded.
    pub(crate) fn counts(&self, scope: &Scope) -> ScopeCounts {
        let Some(turns) = self.scopes.get(scope) else {
            return ScopeCounts::default();
        };
        // After a crash LanceDB may have what the journal has, too.
        let only_pending = turns.pending.keys().filter(|id| !turns.stored.contains_key(*id)).count();
        ScopeCounts { turns: turns.stored.len() + only_pending, waiting: turns.pending.len() - turns.completed }
    }

    /// Forgets what is stored in a scope; it is loaded again when next asked for.
    pub(crate) fn unload(&mut self, scope: &Scope) {
        let turns = self.touch(scope);
        turns.stored = HashMap::new();
        turns.conversations = Vec::new();
        turns.places = HashMap::new();
        turns.loaded = false;
        turns.generation = turns.used;
    }

    fn touch(&mut self, scope: &Scope) -> &mut ScopeTurns {
        self.clock += 1;
        let fresh = || ScopeTurns { generation: self.clock, ..ScopeTurns::default() };
        let turns = self.scopes.entry(scope.clone()).or_insert_with(fresh);
        turns.used = self.clock;
        turns
    }

    /// Unloads the least recently used scopes until the ids fit; the one just asked for stays.
    fn evict(&mut self, current: &Scope) {
        let capacity = self.capacity;
        let mut total: usize = self.scopes.values().map(|turns| turns.stored.len() + 1).sum();
        if total <= capacity {
            return;
        }
        let evictable = |(scope, turns): &(&Scope, &ScopeTurns)| *scope != current && turns.pending.is_empty();
        let mut oldest: Vec<(u64, Scope)> =
            self.scopes.iter().filter(evictable).map(|(scope, turns)| (turns.used, scope.clone())).collect();
        oldest.sort_unstable();
        for (_, scope) in oldest {
            if total <= capacity {
                break;
            }
            if let Some(turns) = self.scopes.remove(&scope) {
                total -= turns.stored.len() + 1;
            }
        }
    }
}

#[cfg(test)]
#[path = "turn_index_tests.rs"]
mod tests;
