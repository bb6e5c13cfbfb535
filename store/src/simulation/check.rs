//! Whether the store is as it has to be by what is certain of it.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet, HashSet};

use super::disk::SimulatedDisk;
use super::history::{EntryKey, History};
use super::knowledge::{Knowledge, KnownEntry};
use super::names::{conversation, home, points, quoted, turn};
use super::tables;
use crate::Store;
use crate::query::loading;
use crate::records::{ConversationId, LedgerKey, LedgerKind, Pending, Point, PrefixId, Scope, Turn, TurnId, TurnKey};
use crate::state::turn_index::State;

/// What the store holds, while nobody uses it.
struct Found {
    pending: BTreeMap<TurnKey, Pending>,
    completed: BTreeMap<TurnKey, (Turn, Vec<Point>)>,
    turns: BTreeMap<TurnKey, Vec<Turn>>,
    points: BTreeMap<TurnKey, Vec<Point>>,
    entries: BTreeMap<EntryKey, Vec<u8>>,
    /// Turns at their places.
    placed: BTreeMap<Scope, BTreeMap<(ConversationId, u32), TurnId>>,
}

/// When it is looked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Moment {
    /// The store has just been opened, and every deletion carried out.
    Opened,
    /// All that was read has been flushed since.
    Flushed,
}

/// Compares the store with what is certain.
///
/// # Errors
/// What is not as it has to be.
pub(super) async fn check(
    store: &Store,
    disk: &SimulatedDisk,
    knowledge: &Knowledge,
    history: &RefCell<History>,
    moment: Moment,
) -> Result<(), String> {
    let found = Found::new(store, disk, &history.borrow())?;
    found.check_turns(knowledge, moment)?;
    found.check_entries(knowledge)?;
    found.check_places(store, knowledge, &history.borrow())?;
    found.check_memory(store).await
}

impl Found {
    fn new(store: &Store, disk: &SimulatedDisk, history: &History) -> Result<Self, String> {
        let journal = &store.shared().journal;
        let failed = |error| format!("the journal can't be read: {error:?}");
        let keys = journal.keys().map_err(failed)?;
        let pending: BTreeMap<TurnKey, Pending> = keys.iter().cloned().collect();
        if pending.len() < keys.len() {
            return Err(format!("a turn is both accepted and completed: {keys:?}"));
        }
        let keys: Vec<TurnKey> = pending.keys().cloned().collect();
        let completed = journal.completed(&keys).map_err(failed)?.into_iter();
        let (turns, points) = tables::newest(disk);
        let mut entries = BTreeMap::new();
        for line in journal.ledger_lines().map_err(failed)? {
            entries.insert((line.scope, line.id[0]), line.value);
        }
        let scopes: BTreeSet<&Scope> = history.said.keys().map(|(scope, _)| scope).collect();
        let mut placed = BTreeMap::new();
        for scope in scopes {
            let places = journal.scope_places(scope).map_err(failed)?.placed.into_iter();
            let gone = TurnId([0; 16]);
            let there = places.filter(|(_, turn)| *turn != gone);
            placed.insert(scope.clone(), there.map(|(at, turn)| ((at.conversation, at.position), turn)).collect());
        }
        Ok(Self {
            pending,
            completed: completed.map(|one| ((one.turn.scope.clone(), one.turn.id), (one.turn, one.points))).collect(),
            turns: (*turns).clone(),
            points: (*points).clone(),
            entries,
            placed,
        })
    }

    fn check_turns(&self, knowledge: &Knowledge, moment: Moment) -> Result<(), String> {
        let mut keys: BTreeSet<&TurnKey> = knowledge.turns.keys().collect();
        keys.extend(self.pending.keys().chain(self.turns.keys()).chain(self.points.keys()));
        for key in keys {
            let known = knowledge.turns.get(key).copied().unwrap_or_default();
            let state = self.pending.get(key);
            let is_there = state.is_some() || self.turns.contains_key(key);
            let has_points = self.points.contains_key(key);
            match known.is_there {
                Some(true) if !is_there => return Err(format!("{key:?} was acknowledged and is lost")),
                Some(false) if is_there || has_points => return Err(format!("{key:?} was deleted and is there")),
                _ => {}
            }
            if known.is_read && state == Some(&Pending::Accepted) {
                return Err(format!("{key:?} was read and is unread again"));
            }
            if state == Some(&Pending::Accepted) && (self.turns.contains_key(key) || has_points) {
                return Err(format!("{key:?} is in the tables and is read again"));
            }
            let is_whole = self.turns.contains_key(key) && has_points;
            if (self.turns.contains_key(key) || has_points) && !is_whole && state.is_none() {
                return Err(format!("{key:?} lacks its points or its words"));
            }
            if moment == Moment::Flushed && state == Some(&Pending::Completed) {
                return Err(format!("{key:?} is still in the journal"));
            }
            self.check_words(key)?;
        }
        Ok(())
    }

    /// Each turn once, with its own words and points.
    fn check_words(&self, key: &TurnKey) -> Result<(), String> {
        let (expected, mut expected_points) = (turn(key, 0), points(key.1));
        expected_points.sort_by_key(|point| point.passage);
        let differs = |turn: &Turn| turn.text != expected.text || turn.conversation != expected.conversation;
        if let Some((turn, points)) = self.completed.get(key) {
            if differs(turn) {
                return Err(format!("{key:?} has other words in the journal"));
            }
            let is_completed = self.pending.get(key) == Some(&Pending::Completed);
            if is_completed && *points != expected_points {
                return Err(format!("{key:?} has other points in the journal: {points:?}"));
            }
        }
        match self.turns.get(key).map(Vec::as_slice) {
            None => {}
            Some([turn]) if !differs(turn) => {}
            Some(rows) => return Err(format!("{key:?} is in the tables {} times", rows.len())),
        }
        match self.points.get(key) {
            None => Ok(()),
            Some(points) if *points == expected_points => Ok(()),
            Some(points) => Err(format!("{key:?} has other points in the tables: {points:?}")),
        }
    }

    fn check_entries(&self, knowledge: &Knowledge) -> Result<(), String> {
        for (key, known) in &knowledge.entries {
            match (known, self.entries.get(key)) {
                (KnownEntry::Holds(value), Some(found)) if value == found => {}
                (KnownEntry::Holds(value), found) => {
                    return Err(format!("of the ledger {key:?} should hold {value:?}, and holds {found:?}"));
                }
                (KnownEntry::Gone, Some(found)) => return Err(format!("of the ledger {key:?} is back: {found:?}")),
                (KnownEntry::Gone | KnownEntry::Nothing, _) => {}
            }
        }
        for (key, value) in &self.entries {
            for id in quoted(LedgerKind::Block, value).unwrap_or_default() {
                let known = knowledge.turns.get(&(key.0.clone(), id)).copied().unwrap_or_default();
                if known.is_there == Some(false) {
                    return Err(format!("of the ledger {key:?} quotes {id}, which was deleted"));
                }
            }
        }
        Ok(())
    }

    fn check_places(&self, store: &Store, knowledge: &Knowledge, history: &History) -> Result<(), String> {
        for (scope, placed) in &self.placed {
            let standing: HashSet<TurnId> = placed.values().copied().collect();
            let asked: HashSet<TurnId> =
                knowledge.turns.keys().filter(|(of, _)| of == scope).map(|(_, id)| *id).collect();
            let listed = store.shared().journal.in_other_conversations(scope, &asked, &HashSet::new());
            let listed = listed.map_err(|error| format!("places can't be read: {error:?}"))?;
            if let Some(id) = listed.symmetric_difference(&standing).min() {
                return Err(format!("the place of {id} in {scope} is in one of two tables"));
            }
            for ((of, id), known) in &knowledge.turns {
                if of != scope {
                    continue;
                }
                if known.is_there == Some(false) && standing.contains(id) {
                    return Err(format!("{id} of {scope} was deleted and has a place"));
                }
                let place = (conversation(home(*id)), u32::from(id.0[2]));
                let is_clear = !history.is_vague(scope, *id) && !history.deleted.contains(scope);
                if known.is_there == Some(true) && !standing.contains(id) {
                    return Err(format!("{id} of {scope} has no place"));
                }
                if known.is_there == Some(true) && is_clear && placed.get(&place) != Some(id) {
                    return Err(format!("{id} of {scope} is not where it was said: {placed:?}"));
                }
            }
        }
        Ok(())
    }

    /// Memory knows what is there, and nothing else.
    async fn check_memory(&self, store: &Store) -> Result<(), String> {
        let shared = store.shared();
        for scope in self.placed.keys() {
            let loaded = loading::load_scope(shared, scope, None).await;
            loaded.map_err(|error| format!("a scope can't be loaded: {error:?}"))?;
            let known: BTreeSet<TurnId> = shared.turn_index().known(scope).into_iter().collect();
            let keys = self.pending.keys().chain(self.turns.keys()).filter(|(of, _)| of == scope);
            let there: BTreeSet<TurnId> = keys.map(|(_, id)| *id).collect();
            if known != there {
                return Err(format!("memory has {known:?} of {scope}, where there is {there:?}"));
            }
            for id in there {
                let key = (scope.clone(), id);
                let state = shared.turn_index().state(scope, id);
                if self.pending.get(&key).is_some_and(|pending| state != Some(State::Pending(*pending))) {
                    return Err(format!("memory takes {key:?} for {state:?}"));
                }
            }
        }
        Ok(())
    }
}

/// The key of an entry.
pub(super) fn ledger_key(prefix: u8) -> LedgerKey {
    LedgerKey::Prefix(PrefixId([prefix; 16]))
}
