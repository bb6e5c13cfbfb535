//! A memory without model and disk, for tests of what prompts become.
//!
//! It keeps its ledger as the store does: what was written first holds.

use std::collections::{HashMap, HashSet};
use std::sync::{Mutex, PoisonError};

use chrono::{DateTime, Utc};
use mainpoint_store::{
    ConversationMatch, DeletionMark, LedgerEntry, LedgerKey, LedgerKind, Point, Scope, Turn, TurnId, TurnKind,
};

use crate::error::MemoryError;
use crate::memory::{MOST_POINTS, MemoryPart, PromptMemory, RecallQuery, RecallResult, RecalledTurn};
use crate::telemetry::stopwatch::Stopwatch;

/// A memory that has read everything but what it is said not to have, and recalls the same turns for every question.
#[derive(Default)]
pub(super) struct FakeMemory {
    /// What is recalled, best first.
    pub(super) recalled: Vec<RecalledTurn>,
    /// What the conversation has besides.
    pub(super) conversation_match: ConversationMatch,
    /// Turns whose words are known.
    pub(super) turns: Vec<Turn>,
    /// The main points of some of them.
    pub(super) points: Vec<Point>,
    /// Why no turn is taken in.
    pub(super) refusal: Option<&'static str>,
    /// Has not read a turn yet.
    pub(super) has_read_nothing: bool,
    /// Turns that it has not read yet.
    pub(super) unread: HashSet<TurnId>,
    /// Finds nothing that is near enough to any question.
    pub(super) abstains: bool,
    /// Never answers a question.
    pub(super) is_stuck: bool,
    /// What other requests write to the ledger, each just before one of ours does.
    pub(super) rivals: Mutex<Vec<Vec<u8>>>,
    pub(super) ledger: Mutex<HashMap<(LedgerKey, u8), LedgerEntry>>,
}

impl FakeMemory {
    /// How many entries the ledger has.
    pub(super) fn entries(&self) -> usize {
        self.ledger.lock().unwrap_or_else(PoisonError::into_inner).len()
    }
}

impl PromptMemory for FakeMemory {
    fn stopped_part(&self) -> Option<MemoryPart> {
        None
    }

    fn takes_turns(&self) -> bool {
        true
    }

    fn unseen(&self, _: &Scope, turns: &[TurnId]) -> Vec<usize> {
        (0..turns.len()).collect()
    }

    fn as_stored(&self, text: String) -> String {
        text.replace(SECRET, MASK)
    }

    async fn match_conversation(
        &self,
        _: &Scope,
        _: Vec<TurnId>,
        _: Vec<TurnKind>,
        _: DateTime<Utc>,
        _: impl Fn(usize, &Turn) -> bool + Send,
    ) -> Result<ConversationMatch, MemoryError> {
        Ok(self.conversation_match.clone())
    }

    async fn turns(&self, _: &Scope, ids: &[TurnId]) -> Result<Vec<Turn>, MemoryError> {
        Ok(self.turns.iter().filter(|turn| ids.contains(&turn.id)).cloned().collect())
    }

    fn refuses(&self, _: &[Turn]) -> Option<&'static str> {
        self.refusal
    }

    async fn read_or_unreadable(&self, _: &Scope, turns: &[TurnId]) -> Result<HashSet<TurnId>, MemoryError> {
        Ok(turns.iter().copied().filter(|turn| !self.has_read_nothing && !self.unread.contains(turn)).collect())
    }

    async fn main_points(&self, _: &Scope, ids: Vec<TurnId>) -> Result<(Vec<Turn>, Vec<Point>), MemoryError> {
        let turns = self.turns.iter().filter(|turn| ids.contains(&turn.id));
        let points = self.points.iter().filter(|point| ids.contains(&point.turn));
        Ok((turns.cloned().collect(), points.take(MOST_POINTS).cloned().collect()))
    }

    async fn ledger(&self, _: &Scope, keys: &[LedgerKey]) -> Result<Vec<LedgerEntry>, MemoryError> {
        let ledger = self.ledger.lock().unwrap_or_else(PoisonError::into_inner);
        let known = ledger.values().filter(|entry| keys.contains(&entry.key));
        Ok(known.cloned().collect())
    }

    fn deletion_mark(&self, _: &Scope) -> DeletionMark {
        DeletionMark::default()
    }

    async fn record(
        &self,
        _: &Scope,
        _: DeletionMark,
        entries: Vec<LedgerEntry>,
    ) -> Result<Vec<LedgerEntry>, MemoryError> {
        let rival = self.rivals.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let mut ledger = self.ledger.lock().unwrap_or_else(PoisonError::into_inner);
        let key = |entry: &LedgerEntry| (entry.key, kind(entry.kind));
        if let (Some(value), Some(first)) = (rival, entries.first()) {
            let entry = LedgerEntry { value, ..first.clone() };
            ledger.insert(key(&entry), entry);
        }
        let held = entries.into_iter().map(|entry| ledger.entry(key(&entry)).or_insert(entry).clone());
        Ok(held.collect())
    }

    async fn recall(&self, _: RecallQuery<'_>) -> Result<RecallResult, MemoryError> {
        if self.is_stuck {
            std::future::pending::<()>().await;
        }
        let mut watch = Stopwatch::start();
        watch.lap("search");
        let turns = if self.abstains { Vec::new() } else { self.recalled.clone() };
        Ok(RecallResult { turns, abstained: self.abstains, steps: watch.laps(), ..RecallResult::default() })
    }
}

/// What this memory takes for a secret, and what stands in its place.
pub(super) const SECRET: &str = "hush";
pub(super) const MASK: &str = "[secret: password]";

fn kind(kind: LedgerKind) -> u8 {
    match kind {
        LedgerKind::Eviction => 0,
        LedgerKind::Block => 1,
        LedgerKind::Unreadable => 2,
        LedgerKind::Shortened => 3,
    }
}
