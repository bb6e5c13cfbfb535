//! Which turns the store knows and how far each one is, in memory.
//!
//! Responsible for: answering "is this turn read?" in microseconds, and "is anything pending?". Must not know: disks.
//!
//! Pending turns (in the journal only) are always here. The ids already in LanceDB are loaded for one scope at a time,
//! when it is first asked for, and the least recently used scopes are forgotten above [`CAPACITY`] ids (about 80 MB).

use std::collections::{HashMap, HashSet};

use crate::record::{Scope, TurnId};

/// Ids kept in memory over all scopes.
const CAPACITY: usize = 1_000_000;

/// The stored turns of some conversations but for a few: a short way to name many turns.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Complement {
    pub(crate) conversations: Vec<TurnId>,
    pub(crate) except: Vec<TurnId>,
}

/// How far a turn is that only the journal has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Pending {
    /// Not read yet.
    Accepted,
    /// Read.
    Completed,
}

/// What is known about a turn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum State {
    /// Only the journal has it.
    Pending(Pending),
    /// Read, in LanceDB.
    Stored,
}

/// A turn as it was found in LanceDB.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct FoundTurn {
    pub(crate) id: TurnId,
    pub(crate) conversation: TurnId,
    /// Its row, as long as that file is not merged with others.
    pub(crate) row: u64,
}

/// What is kept of a stored turn.
#[derive(Debug, Clone, Copy)]
struct StoredTurn {
    /// The place of its conversation in `conversations`.
    place: u32,
    /// Where it was last seen.
    row: Option<u64>,
}

#[derive(Debug, Default)]
struct ScopeTurns {
    pending: HashMap<TurnId, Pending>,
    completed: usize,
    stored: HashMap<TurnId, StoredTurn>,
    conversations: Vec<TurnId>,
    places: HashMap<TurnId, u32>,
    loaded: bool,
    /// The clock when ids were last taken away, so that a load that began before does not bring them back.
    epoch: u64,
    used: u64,
}

impl ScopeTurns {
    fn store(&mut self, id: TurnId, conversation: TurnId, row: Option<u64>) {
        let next = self.conversations.len() as u32;
        let place = *self.places.entry(conversation).or_insert(next);
        if place == next {
            self.conversations.push(conversation);
        }
        self.stored.insert(id, StoredTurn { place, row });
    }
}

/// Which turns the store knows.
#[derive(Debug, Default)]
pub(crate) struct Presence {
    scopes: HashMap<Scope, ScopeTurns>,
    clock: u64,
    accepted: usize,
    completed: usize,
    capacity: Option<usize>,
}

impl Presence {
    /// Forgets everything but what the journal has. What is stored is loaded again when it is asked for.
    pub(crate) fn begin_anew(&mut self, pending: &[((Scope, TurnId), Pending)]) {
        self.scopes.clear();
        (self.accepted, self.completed) = (0, 0);
        // Loads that began before are refused, since their scope is another one now.
        self.clock += 1;
        for ((scope, id), state) in pending {
            self.set_pending(scope, *id, *state);
        }
    }

    /// Whether the stored ids of the scope are in memory; if not, the epoch to hand to [`Presence::load`].
    pub(crate) fn begin_load(&mut self, scope: &Scope) -> Option<u64> {
        let turns = self.touch(scope);
        (!turns.loaded).then_some(turns.epoch)
    }

    /// Takes the stored turns of a scope as read from LanceDB. False if some were taken away meanwhile: read again.
    pub(crate) fn load(&mut self, scope: &Scope, epoch: u64, found: Vec<FoundTurn>) -> bool {
        let turns = self.touch(scope);
        if turns.epoch != epoch {
            return false;
        }
        for FoundTurn { id, conversation, row } in found {
            turns.store(id, conversation, Some(row));
        }
        turns.loaded = true;
        self.evict(scope);
        true
    }

    /// What is known about a turn. Complete only while the scope is loaded.
    pub(crate) fn state(&self, scope: &Scope, id: TurnId) -> Option<State> {
        let turns = self.scopes.get(scope)?;
        let stored = || turns.stored.contains_key(&id).then_some(State::Stored);
        turns
            .pending
            .get(&id)
            .map(|state| State::Pending(*state))
            .or_else(stored)
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
        self.scopes
            .get(scope)
            .map(|turns| turns.pending.keys().copied().collect())
            .unwrap_or_default()
    }

    /// Every turn that is completed and in the journal only.
    pub(crate) fn completed(&self) -> Vec<(Scope, TurnId)> {
        let of_scope = |(scope, turns): (&Scope, &ScopeTurns)| {
            let completed = turns.pending.iter().filter(|(_, state)| **state == Pending::Completed);
            completed.map(|(id, _)| (scope.clone(), *id)).collect::<Vec<_>>()
        };
        self.scopes
            .iter()
            .filter(|(_, turns)| turns.completed > 0)
            .flat_map(of_scope)
            .collect()
    }

    /// Number of turns accepted and not completed.
    pub(crate) fn accepted_len(&self) -> usize {
        self.accepted
    }

    /// Number of turns completed and in the journal only.
    pub(crate) fn completed_len(&self) -> usize {
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
    pub(crate) fn set_stored(&mut self, scope: &Scope, id: TurnId, conversation: TurnId) {
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
                ids.iter()
                    .copied()
                    .filter(|id| is_stored(id) && seen.insert(*id))
                    .collect()
            }
        };
        (stored.len() <= limit).then_some(stored)
    }

    /// The rows in which those of the turns were last seen that are stored. They may have moved since.
    pub(crate) fn rows(&self, scope: &Scope, ids: &[TurnId]) -> Vec<u64> {
        let stored = self.scopes.get(scope).map(|turns| &turns.stored);
        let row = |id: &TurnId| stored?.get(id)?.row;
        ids.iter().filter_map(row).collect()
    }

    /// Notes in which row a stored turn was seen.
    pub(crate) fn set_row(&mut self, scope: &Scope, id: TurnId, row: u64) {
        let stored = self.scopes.get_mut(scope).and_then(|turns| turns.stored.get_mut(&id));
        if let Some(stored) = stored {
            stored.row = Some(row);
        }
    }

    /// Says the same as "these turns" in fewer ids, where that is possible: whole conversations but for the stored turns
    /// not among `ids`. Every completed turn counts as stored. `None` while the scope is not loaded.
    pub(crate) fn complement(&self, scope: &Scope, ids: &[TurnId]) -> Option<Complement> {
        let turns = self.scopes.get(scope).filter(|turns| turns.loaded)?;
        let wanted: HashSet<TurnId> = ids.iter().copied().collect();
        let places: HashSet<u32> = wanted
            .iter()
            .filter_map(|id| Some(turns.stored.get(id)?.place))
            .collect();
        let stored = turns
            .stored
            .iter()
            .filter(|(_, stored)| places.contains(&stored.place))
            .map(|(id, _)| *id);
        let completed = turns
            .pending
            .iter()
            .filter(|(_, state)| **state == Pending::Completed)
            .map(|(id, _)| *id);
        let most = wanted.len() / 2;
        let except: Vec<TurnId> = stored
            .chain(completed)
            .filter(|id| !wanted.contains(id))
            .take(most + 1)
            .collect();
        if places.is_empty() || places.len() + except.len() > most {
            return None;
        }
        let conversations = places
            .into_iter()
            .filter_map(|place| turns.conversations.get(place as usize).copied());
        Some(Complement {
            conversations: conversations.collect(),
            except,
        })
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

    /// Forgets what is stored in a scope; it is loaded again when next asked for.
    pub(crate) fn unload(&mut self, scope: &Scope) {
        let turns = self.touch(scope);
        turns.stored = HashMap::new();
        turns.conversations = Vec::new();
        turns.places = HashMap::new();
        turns.loaded = false;
        turns.epoch = turns.used;
    }

    fn touch(&mut self, scope: &Scope) -> &mut ScopeTurns {
        self.clock += 1;
        let fresh = || ScopeTurns {
            epoch: self.clock,
            ..ScopeTurns::default()
        };
        let turns = self.scopes.entry(scope.clone()).or_insert_with(fresh);
        turns.used = self.clock;
        turns
    }

    /// Unloads the least recently used scopes until the ids fit; the one just asked for stays.
    fn evict(&mut self, keep: &Scope) {
        let capacity = self.capacity.unwrap_or(CAPACITY);
        let mut total: usize = self.scopes.values().map(|turns| turns.stored.len() + 1).sum();
        if total <= capacity {
            return;
        }
        let evictable = |(scope, turns): &(&Scope, &ScopeTurns)| *scope != keep && turns.pending.is_empty();
        let mut oldest: Vec<(u64, Scope)> = self
            .scopes
            .iter()
            .filter(evictable)
            .map(|(scope, turns)| (turns.used, scope.clone()))
            .collect();
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
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests fail loudly")]

    use super::*;

    fn scope(name: &str) -> Scope {
        Scope::new(name).unwrap()
    }

    fn id(number: u8) -> TurnId {
        TurnId([number; 16])
    }

    fn found(number: u8, conversation: u8) -> FoundTurn {
        FoundTurn {
            id: id(number),
            conversation: id(conversation),
            row: u64::from(number) + 1000,
        }
    }

    #[test]
    fn a_turn_is_counted_where_it_is() {
        let (mut presence, scope) = (Presence::default(), scope("a"));
        presence.set_pending(&scope, id(1), Pending::Accepted);
        presence.set_pending(&scope, id(2), Pending::Accepted);
        presence.set_pending(&scope, id(2), Pending::Completed);
        assert_eq!((presence.accepted_len(), presence.completed_len()), (1, 1));
        assert!(presence.has_any_completed(&scope));
        assert!(presence.has_completed(&scope, &[id(2)]));
        assert!(!presence.has_completed(&scope, &[id(1)]));
        presence.set_stored(&scope, id(2), id(0));
        assert_eq!((presence.accepted_len(), presence.completed_len()), (1, 0));
        assert!(!presence.has_any_completed(&scope));
        assert_eq!(presence.state(&scope, id(2)), Some(State::Stored));
        assert_eq!(presence.state(&scope, id(3)), None);
    }

    #[test]
    fn a_load_that_began_before_a_delete_is_refused() {
        let (mut presence, scope) = (Presence::default(), scope("a"));
        let epoch = presence.begin_load(&scope).unwrap();
        presence.unload(&scope);
        assert!(!presence.load(&scope, epoch, vec![found(1, 0)]));
        let epoch = presence.begin_load(&scope).unwrap();
        assert!(presence.load(&scope, epoch, vec![found(2, 0)]));
        assert_eq!(presence.state(&scope, id(1)), None);
        assert!(presence.begin_load(&scope).is_none());
    }

    #[test]
    fn after_beginning_anew_only_what_the_journal_has_is_known_and_earlier_loads_are_refused() {
        let (mut presence, scope) = (Presence::default(), scope("a"));
        presence.set_pending(&scope, id(1), Pending::Completed);
        presence.set_pending(&scope, id(2), Pending::Accepted);
        presence.set_stored(&scope, id(3), id(0));
        let epoch = presence.begin_load(&scope).unwrap();
        presence.begin_anew(&[((scope.clone(), id(2)), Pending::Completed)]);
        assert_eq!((presence.accepted_len(), presence.completed_len()), (0, 1));
        assert!(!presence.load(&scope, epoch, vec![found(3, 0)]));
        assert_eq!([1, 3].map(|number| presence.state(&scope, id(number))), [None, None]);
    }

    #[test]
    fn rows_stored_during_a_load_are_not_lost() {
        let (mut presence, scope) = (Presence::default(), scope("a"));
        let epoch = presence.begin_load(&scope).unwrap();
        presence.set_stored(&scope, id(1), id(0));
        assert!(presence.load(&scope, epoch, vec![]));
        assert_eq!(presence.state(&scope, id(1)), Some(State::Stored));
    }

    #[test]
    fn rows_are_those_in_which_turns_were_last_seen() {
        let (mut presence, scope) = (Presence::default(), scope("a"));
        let epoch = presence.begin_load(&scope).unwrap();
        assert!(presence.load(&scope, epoch, vec![found(1, 0), found(2, 0)]));
        presence.set_stored(&scope, id(3), id(0));
        let asked = [id(3), id(2), id(9), id(1)];
        assert_eq!(presence.rows(&scope, &asked), [1002, 1001]);
        for (number, row) in [(3, 7), (1, 8), (9, 9)] {
            presence.set_row(&scope, id(number), row);
        }
        assert_eq!(presence.rows(&scope, &asked), [7, 1002, 8]);
        presence.unload(&scope);
        assert!(presence.rows(&scope, &asked).is_empty());
    }

    #[test]
    fn above_its_capacity_the_scope_used_longest_ago_is_forgotten_unless_something_is_pending_there() {
        let mut presence = Presence {
            capacity: Some(10),
            ..Presence::default()
        };
        for (name, first) in [("pending", 0), ("old", 10), ("new", 20)] {
            let scope = scope(name);
            let epoch = presence.begin_load(&scope).unwrap();
            if name == "pending" {
                presence.set_pending(&scope, id(100), Pending::Accepted);
            }
            assert!(presence.load(
                &scope,
                epoch,
                (first..first + 4).map(|number| found(number, first)).collect()
            ));
        }
        assert!(presence.begin_load(&scope("old")).is_some());
        assert!(presence.begin_load(&scope("new")).is_none());
        assert!(presence.begin_load(&scope("pending")).is_none());
    }

    #[test]
    fn many_turns_are_named_by_their_conversations_and_the_few_that_are_not_asked_for() {
        let (mut presence, scope) = (Presence::default(), scope("a"));
        assert_eq!(presence.complement(&scope, &[id(1)]), None, "not loaded");
        let epoch = presence.begin_load(&scope).unwrap();
        let stored = (0..20)
            .map(|number| found(number, 0))
            .chain((100..130).map(|number| found(number, 100)));
        assert!(presence.load(&scope, epoch, stored.collect()));
        presence.set_pending(&scope, id(20), Pending::Completed);
        presence.set_pending(&scope, id(21), Pending::Accepted);

        let asked: Vec<TurnId> = (0..18).chain(200..210).map(id).collect();
        let mut complement = presence.complement(&scope, &asked).unwrap();
        complement.except.sort();
        assert_eq!(
            complement,
            Complement {
                conversations: vec![id(0)],
                except: vec![id(18), id(19), id(20)]
            }
        );

        let few: Vec<TurnId> = (0..5).map(id).collect();
        assert_eq!(presence.complement(&scope, &few), None, "naming them is shorter");
        let unknown: Vec<TurnId> = (200..240).map(id).collect();
        assert_eq!(presence.complement(&scope, &unknown), None);
    }
}
