//! What a model may still ask for of what has left its prompt, and how it is told.
//!
//! A call always has a result: whatever fails, nothing was found.

use std::borrow::Cow;
use std::collections::HashSet;

use chrono::{DateTime, Utc};
use mainpoint_store::{ConversationView, Scope, TurnId};

use super::Planner;
use super::pack::{Place, Source, pack};
use crate::config::RecallReach;
use crate::error::MemoryError;
use crate::memory::{PromptMemory, RecallQuery};
use crate::openai::block::Seal;
use crate::openai::recall_tool::Offer;
use crate::openai::tokens::Tokenizer;

/// A rewritten prompt that offers the tool, and what its calls are answered with.
pub(crate) struct RecallToolContext {
    /// The prompt.
    pub(crate) offer: Offer,
    scope: Scope,
    asked: DateTime<Utc>,
    reach: RecallReach,
    view: Option<ConversationView>,
    missing: Vec<TurnId>,
    retained: HashSet<TurnId>,
    /// The turns that the prompt quotes.
    quoted: HashSet<TurnId>,
    tokenizer: Tokenizer,
}

impl std::fmt::Debug for RecallToolContext {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("RecallToolContext").field("offer", &self.offer).finish_non_exhaustive()
    }
}

/// The result of a call.
#[derive(Debug)]
pub(crate) struct Found {
    /// What the model reads: a memory block, or why there is none.
    text: Cow<'static, str>,
    /// Where its memories came from, in the order in which they stand.
    pub(crate) sources: Vec<Source>,
}

impl RecallToolContext {
    /// A prompt, the question that its memories were found with, the turns that it quotes, and the tokenizer of its model.
    pub(crate) fn new(offer: Offer, question: RecallQuery<'_>, quoted: HashSet<TurnId>, tokenizer: Tokenizer) -> Self {
        let RecallQuery { scope, asked, reach, view, missing, retained, .. } = question;
        Self { offer, scope: scope.clone(), asked, reach, view, missing, retained, quoted, tokenizer }
    }

    /// Recalls what matters for `query`, as it is for a question, within `memory.deadline_ms`. The result shares the tokens that
    /// memories may take with `calls - 1` others. A failure is reported.
    pub(crate) async fn recall<M: PromptMemory>(&self, planner: &Planner<M>, query: &str, calls: usize) -> Found {
        let room = planner.config.memory_limit() / calls.max(1);
        let found = tokio::time::timeout(planner.config.deadline, self.find(planner, query, room)).await;
        found.unwrap_or(Err(MemoryError::Deadline)).unwrap_or_else(|error| {
            planner.report(&error);
            Found::default()
        })
    }

    async fn find<M: PromptMemory>(
        &self,
        planner: &Planner<M>,
        query: &str,
        room: usize,
    ) -> Result<Found, MemoryError> {
        let question = RecallQuery {
            scope: &self.scope,
            text: query.to_owned(),
            asked: self.asked,
            reach: self.reach,
            view: self.view.clone(),
            missing: self.missing.clone(),
            retained: self.retained.clone(),
        };
        let result = planner.memory.recall(question).await?;
        // Clients never see a result, so that its number need not be known again.
        // What the model asks for is worth what there is room for.
        let place = Place { room, least_relevance: 0.0, seal: Seal::new([0; 32]) };
        let count = |text: &str| planner.preparer.counter.text(self.tokenizer, text);
        let packed = pack(&result.turns, &self.quoted, place, count)?;
        Ok(match packed {
            Some(packed) => Found { text: packed.block().into(), sources: packed.sources() },
            None if result.turns.is_empty() => Found::default(),
            None => Found::none(NO_ROOM),
        })
    }
}

impl Default for Found {
    fn default() -> Self {
        Self::none(NOTHING)
    }
}

impl Found {
    fn none(why: &'static str) -> Self {
        Self { text: why.into(), sources: Vec::new() }
    }

    /// The result as the model reads it.
    pub(crate) fn text(&self) -> &str {
        &self.text
    }
}

const NOTHING: &str = "Nothing was found.";
const NO_ROOM: &str = "What was found is too long for the room that is left here, or stands in the prompt already.";
