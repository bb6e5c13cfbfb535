//! What is certain of the store by what it has acknowledged, whatever else may have happened to it.
//!
//! Responsible for: following operations that overlap, failed or were cut off, without guessing what became of them.

use std::collections::{BTreeMap, BTreeSet};

use super::history::{Answer, Asked, EntryKey, History, Operation};
use super::names::quoted;
use crate::records::{LedgerKind, TurnKey};

/// What is certain at the end of a life of the process.
#[derive(Debug, Default)]
pub(super) struct Knowledge {
    pub(super) turns: BTreeMap<TurnKey, KnownTurn>,
    pub(super) entries: BTreeMap<EntryKey, KnownEntry>,
}

/// What is certain of a turn.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct KnownTurn {
    /// Whether it is there.
    pub(super) is_there: Option<bool>,
    /// That it was read.
    pub(super) is_read: bool,
}

/// What is certain of an entry of the ledger.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) enum KnownEntry {
    #[default]
    Nothing,
    Gone,
    Holds(Vec<u8>),
}

impl Knowledge {
    /// What is certain after another life, the operations of which are forgotten by that.
    ///
    /// # Errors
    /// What was answered and cannot all be true.
    pub(super) fn learn(&mut self, history: &mut History) -> Result<(), String> {
        let turns: BTreeSet<TurnKey> = history.said.keys().chain(self.turns.keys()).cloned().collect();
        let turns: BTreeMap<TurnKey, KnownTurn> =
            turns.into_iter().map(|key| (key.clone(), self.turn(history, &key))).collect();
        let entries: BTreeSet<EntryKey> = history.written.keys().cloned().collect();
        for key in entries {
            let known = self.entry(history, &key)?;
            self.entries.insert(key, known);
        }
        self.turns = turns;
        history.operations.clear();
        Ok(())
    }

    fn turn(&self, history: &History, key: &TurnKey) -> KnownTurn {
        // A turn of which nobody has heard before is not there.
        let before = self.turns.get(key).copied().unwrap_or(KnownTurn { is_there: Some(false), is_read: false });
        let removed = history.last_removal(key);
        let operations = &history.operations;
        let accepts =
            |operation: &&Operation| matches!(&operation.asked, Asked::Accept { turns } if turns.contains(key));
        let is_kept = |mut acknowledged: Box<dyn Iterator<Item = &Operation> + '_>| {
            acknowledged.any(|operation| operation.answer != Answer::None && operation.begin > removed)
        };
        let completes = |operation: &&Operation| {
            let is_completion = matches!(operation.asked, Asked::Complete { .. });
            is_completion && matches!(&operation.answer, Answer::Turns(turns) if turns.contains(key))
        };
        let is_read = (before.is_read && removed == 0) || is_kept(Box::new(operations.iter().filter(completes)));
        let was_there = before.is_there == Some(true) && removed == 0;
        if is_read || was_there || is_kept(Box::new(operations.iter().filter(accepts))) {
            return KnownTurn { is_there: Some(true), is_read };
        }
        let last_accept = operations.iter().filter(accepts).map(|operation| operation.end).max().unwrap_or_default();
        let was_gone = before.is_there == Some(false) && last_accept == 0;
        let mut removals = operations.iter().filter(|operation| history.has_removed(operation, key));
        let is_gone = was_gone || removals.any(|removal| removal.begin > last_accept);
        KnownTurn { is_there: is_gone.then_some(false), is_read: false }
    }

    fn entry(&self, history: &History, key: &EntryKey) -> Result<KnownEntry, String> {
        let before = self.entries.get(key).cloned().unwrap_or(KnownEntry::Gone);
        let asked = |operation: &&Operation| matches!(&operation.asked, Asked::Record { entry, .. } if entry == key);
        let records: Vec<&Operation> = history.operations.iter().filter(asked).collect();
        let mut values: Vec<&Vec<u8>> = Vec::new();
        if let KnownEntry::Holds(value) = &before {
            values.push(value);
        }
        for record in &records {
            let Asked::Record { value, .. } = &record.asked else { continue };
            values.push(value);
            if let Answer::Held(held) = &record.answer {
                values.push(held);
            }
        }
        let removed = history.last_removal_of_entry(key, &values);
        let mut holds: BTreeSet<&Vec<u8>> = BTreeSet::new();
        if let (KnownEntry::Holds(value), 0) = (&before, removed) {
            holds.insert(value);
        }
        for record in &records {
            let Answer::Held(value) = &record.answer else { continue };
            if record.begin > removed && self.is_quotable(history, key, value, record) {
                holds.insert(value);
            }
        }
        if holds.len() > 1 {
            return Err(format!("several values are said to hold for {key:?}: {holds:?}"));
        }
        if let Some(value) = holds.into_iter().next() {
            return Ok(KnownEntry::Holds(value.clone()));
        }
        let last_record = records.iter().map(|record| record.end).max().unwrap_or_default();
        let mut removals = history.operations.iter().filter(|operation| history.has_removed_entry(operation, key));
        let is_gone =
            (before == KnownEntry::Gone && last_record == 0) || removals.any(|removal| removal.begin > last_record);
        Ok(if is_gone { KnownEntry::Gone } else { KnownEntry::Nothing })
    }

    /// Whether all that a value quotes was certainly there while it was recorded, so that it was kept.
    fn is_quotable(&self, history: &History, key: &EntryKey, value: &[u8], record: &Operation) -> bool {
        let turns = quoted(LedgerKind::Block, value).unwrap_or_default();
        let was_there = |id| {
            let turn = (key.0.clone(), id);
            let removed = history.last_removal(&turn);
            let is_accepted = |operation: &Operation| {
                let names = matches!(&operation.asked, Asked::Accept { turns } if turns.contains(&turn));
                names && operation.answer != Answer::None && operation.begin > removed && operation.end < record.begin
            };
            let before = self.turns.get(&turn).is_some_and(|known| known.is_there == Some(true)) && removed == 0;
            before || history.operations.iter().any(is_accepted)
        };
        turns.is_empty() || (history.last_deletion(&key.0) < record.begin && turns.into_iter().all(was_there))
    }
}
