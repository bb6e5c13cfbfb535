//! What prompts ask of a memory, as a trait, so that they can be tried with another one; and how the memory on disk answers: within
//! its limits, with secrets masked, repetitions of the question left out and newer turns put before what they replace.

use std::collections::HashSet;
use std::future::Future;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use mainpoint_store::{
    ConversationMatch, DeletionMark, LedgerEntry, LedgerKey, Point, Scope, Turn, TurnId, TurnKind, Within,
};

use super::{Memory, MemoryPart, Recall, RecallQuery, RecallResult};
use crate::config::MemoryConfig;
use crate::error::MemoryError;

/// A memory, as far as prompts need one. All of it is asked within one scope, and fails when the engine or the store does.
pub(crate) trait PromptMemory: Send + Sync {
    /// A part that has stopped, if one has.
    fn stopped_part(&self) -> Option<MemoryPart>;

    /// Whether turns can be taken in at all.
    fn takes_turns(&self) -> bool;

    /// The places in `turns` of those that are not known to be in the journal or read, and so are to be taken in. It waits for
    /// nothing; what the store knows of the scope is loaded in the background meanwhile.
    fn unseen(&self, scope: &Scope, turns: &[TurnId]) -> Vec<usize>;

    /// What a text is when it is stored: without its secrets.
    fn as_stored(&self, text: String) -> String;

    /// The conversation of its scope that a request, sent at this time, goes on with by its turns, each of its kind. `says_again`
    /// tells whether its turn at a place says in other words what this turn said.
    fn match_conversation(
        &self,
        scope: &Scope,
        turns: Vec<TurnId>,
        kinds: Vec<TurnKind>,
        time: DateTime<Utc>,
        says_again: impl Fn(usize, &Turn) -> bool + Send,
    ) -> impl Future<Output = Result<ConversationMatch, MemoryError>> + Send;

    /// Those of these turns that are there, in the order asked.
    fn turns(&self, scope: &Scope, ids: &[TurnId]) -> impl Future<Output = Result<Vec<Turn>, MemoryError>> + Send;

    /// Why turns of one scope would not be taken in at the moment, as its metric label; `None` when they would.
    fn refuses(&self, turns: &[Turn]) -> Option<&'static str>;

    /// Which of these turns have been read.
    fn read_or_unreadable(
        &self,
        scope: &Scope,
        turns: &[TurnId],
    ) -> impl Future<Output = Result<HashSet<TurnId>, MemoryError>> + Send;

    /// Turns in the order asked, as they came, and their main points: at most [`MOST_POINTS`], any of them where there are more.
    fn main_points(
        &self,
        scope: &Scope,
        turns: Vec<TurnId>,
    ) -> impl Future<Output = Result<(Vec<Turn>, Vec<Point>), MemoryError>> + Send;

    /// What the ledger has for these keys.
    fn ledger(
        &self,
        scope: &Scope,
        keys: &[LedgerKey],
    ) -> impl Future<Output = Result<Vec<LedgerEntry>, MemoryError>> + Send;

    /// What has been deleted of a scope by now.
    fn deletion_mark(&self, scope: &Scope) -> DeletionMark;

    /// Writes to the ledger what is not there yet, and returns what holds. What quotes something is not kept where anything of the
    /// scope was deleted since a mark was made.
    fn record(
        &self,
        scope: &Scope,
        mark: DeletionMark,
        entries: Vec<LedgerEntry>,
    ) -> impl Future<Output = Result<Vec<LedgerEntry>, MemoryError>> + Send;

    /// The turns that matter for a question, best first.
    fn recall(&self, question: RecallQuery<'_>) -> impl Future<Output = Result<RecallResult, MemoryError>> + Send;
}

impl PromptMemory for Memory {
    fn stopped_part(&self) -> Option<MemoryPart> {
        self.dead_parts().first().copied()
    }

    fn takes_turns(&self) -> bool {
        self.store_status().alive
    }

    fn unseen(&self, scope: &Scope, turns: &[TurnId]) -> Vec<usize> {
        self.ingest.unseen(scope, turns)
    }

    fn as_stored(&self, text: String) -> String {
        let masked = self.masker.mask(&text);
        if masked.kinds.is_empty() { text } else { masked.text.into_owned() }
    }

    async fn match_conversation(
        &self,
        scope: &Scope,
        turns: Vec<TurnId>,
        kinds: Vec<TurnKind>,
        time: DateTime<Utc>,
        says_again: impl Fn(usize, &Turn) -> bool + Send,
    ) -> Result<ConversationMatch, MemoryError> {
        Ok(self.store.match_conversation(scope, turns, kinds, Some(time), says_again).await?)
    }

    async fn turns(&self, scope: &Scope, ids: &[TurnId]) -> Result<Vec<Turn>, MemoryError> {
        Ok(self.store.turns(scope, ids).await?)
    }

    fn refuses(&self, turns: &[Turn]) -> Option<&'static str> {
        self.ingest.refuses(turns)
    }

    async fn read_or_unreadable(&self, scope: &Scope, turns: &[TurnId]) -> Result<HashSet<TurnId>, MemoryError> {
        Ok(self.store.read_or_unreadable(scope, turns).await?)
    }

    async fn main_points(&self, scope: &Scope, turns: Vec<TurnId>) -> Result<(Vec<Turn>, Vec<Point>), MemoryError> {
        let found = self.store.turns_as_they_came(scope, &turns).await?;
        let within = Within::Turns(turns);
        let points = self.store.points(scope, &within, MOST_POINTS).await?;
        Ok((found, points))
    }

    async fn ledger(&self, scope: &Scope, keys: &[LedgerKey]) -> Result<Vec<LedgerEntry>, MemoryError> {
        Ok(self.store.ledger(scope, keys).await?)
    }

    fn deletion_mark(&self, scope: &Scope) -> DeletionMark {
        self.store.deletion_mark(scope)
    }

    async fn record(
        &self,
        scope: &Scope,
        mark: DeletionMark,
        entries: Vec<LedgerEntry>,
    ) -> Result<Vec<LedgerEntry>, MemoryError> {
        Ok(self.store.record_read_since(scope, mark, entries).await?)
    }

    async fn recall(&self, mut question: RecallQuery<'_>) -> Result<RecallResult, MemoryError> {
        // What was said of a secret was stored without it, so that it is asked for without it.
        if question.text.len() < LONG_QUESTION {
            question.text = self.as_stored(question.text);
        } else {
            let (masker, text) = (Arc::clone(&self.masker), std::mem::take(&mut question.text));
            question.text = tokio::task::spawn_blocking(move || masker.mask(&text).text.into_owned()).await?;
        }
        let (text, asked) = (question.text.clone(), question.asked);
        let found = Recall {
            engine: &self.engine,
            store: &self.store,
            config: &self.config,
            small_talk: self.ingest.small_talk().await,
            most: most_recalled(&self.config),
            room: Some(&self.room),
        }
        .run(question)
        .await?;
        Ok(found.without_repetitions(&text).newest_first(&text, asked))
    }
}

/// Most turns that are recalled for a question.
pub(super) fn most_recalled(config: &MemoryConfig) -> usize {
    (config.memory_limit() / SHORTEST_QUOTE).clamp(1, MOST_TURNS)
}

/// Bytes of a question from which on its masking would keep other tasks waiting.
const LONG_QUESTION: usize = 64 << 10;
/// Tokens that a quote takes at least, nearly always.
const SHORTEST_QUOTE: usize = 16;
/// Most turns that are read for one question.
const MOST_TURNS: usize = 64;
/// Most main points that are read at once for a prompt.
pub(crate) const MOST_POINTS: usize = 1000;
