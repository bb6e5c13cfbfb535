//! The memory block of a request's question: the one that it was given before, or a new one.

use std::collections::HashSet;
use std::time::{Duration, Instant};

use super::Draft;
use super::eviction::Eviction;
use crate::error::MemoryError;
use crate::memory::{PromptMemory, RecallQuery};
use crate::openai::request::Message;
use crate::prompt::blocking::block_in_place_if_large;
use crate::prompt::injections::BlockRecord;
use crate::prompt::pack::{self, Packed, Place};
use crate::telemetry::stopwatch::{Laps, Stopwatch};

/// The memory block of the last user message.
#[derive(Default)]
pub(super) struct Remembered {
    pub(super) block: Option<BlockRecord>,
    /// What a new block is made of; `None` when it was recorded before or nothing was found.
    pub(super) packed: Option<Packed>,
    pub(super) is_new: bool,
    /// Whether nothing that was found is near enough to the question.
    pub(super) abstained: bool,
    pub(super) time: Duration,
    pub(super) steps: Laps,
}

impl<M: PromptMemory> Draft<'_, M> {
    /// Whether the last user message may get a new block. Where tools have been called since that message, the model has seen it
    /// without a block already. It stays so, and the provider's cache with it, unless turns leave with this request (`evicts`).
    pub(super) fn may_remember(&self, evicts: bool) -> bool {
        let messages = &self.prepared.request.messages;
        let takes_it = messages.get(self.question).is_some_and(Message::takes_blocks);
        let mut since = messages.iter().skip(self.question);
        takes_it && (evicts || since.all(|message| message.answers.is_empty()))
    }

    /// The block recorded for the last user message, or a new one.
    pub(super) async fn remember(&self, eviction: &Eviction) -> Result<Remembered, MemoryError> {
        if let Some(block) = self.recorded.blocks.get(&self.question) {
            return Ok(Remembered { block: Some(block.clone()), ..Remembered::default() });
        }
        if !self.may_remember(eviction.balance.is_some()) {
            return Ok(Remembered::default());
        }
        let started = Instant::now();
        let mut watch = Stopwatch::start();
        let config = &self.planner.config;
        let question = block_in_place_if_large(self.size(), || self.ask(eviction));
        let result = self.planner.memory.recall(question).await?;
        watch.absorb(result.steps);
        let quoted = self.recorded.quoted(|index| !eviction.dropped.contains(&index));
        let retained = block_in_place_if_large(self.size(), || self.count(&self.edits(eviction)))?.unwrap_or_default();
        // When what must stay is over the budget by itself, the question still deserves its memories.
        let free = config.budget_tokens.checked_sub(retained).unwrap_or(config.memory_limit());
        let count = |text: &str| self.planner.preparer.counter.text(self.prepared.tokenizer, text);
        let place = Place {
            room: free.min(config.memory_limit()),
            least_relevance: config.least_relevance,
            seal: self.prepared.seal(self.question),
        };
        let packed = pack::pack(&result.turns, &quoted, place, count)?;
        watch.lap("pack");
        Ok(Remembered {
            block: Some(record_of(packed.as_ref())),
            packed,
            is_new: true,
            abstained: result.abstained,
            time: started.elapsed(),
            steps: watch.laps(),
        })
    }

    /// The question of the last user message to what the prompt has not got.
    pub(super) fn ask(&self, eviction: &Eviction) -> RecallQuery<'_> {
        let prepared = self.prepared;
        let (mut missing, mut retained) = (prepared.lost().to_vec(), HashSet::new());
        for (at, index) in prepared.spoken.iter().enumerate() {
            let Some(id) = prepared.turn_id(at) else { continue };
            if eviction.lacks(*index) {
                missing.push(id);
            } else {
                retained.insert(id);
            }
        }
        // What is said twice is still there when one of both has left.
        missing.retain(|turn| !retained.contains(turn));
        let message = prepared.request.messages.get(self.question);
        RecallQuery {
            scope: &prepared.scope,
            text: message.map(Message::text).unwrap_or_default(),
            asked: prepared.time,
            reach: self.options.reach,
            view: prepared.view(),
            missing,
            retained,
        }
    }
}

impl Remembered {
    /// Leaves out the weakest memory of a new block; false when there is none.
    pub(super) fn drop_weakest(&mut self) -> bool {
        let Some(packed) = self.packed.as_mut().filter(|packed| self.is_new && packed.memories() > 0) else {
            return false;
        };
        packed.drop_weakest();
        self.block = Some(record_of(Some(packed)));
        true
    }
}

fn record_of(packed: Option<&Packed>) -> BlockRecord {
    match packed.filter(|packed| packed.memories() > 0) {
        Some(packed) => BlockRecord { text: Some(packed.block()), sources: packed.sources() },
        None => BlockRecord::default(),
    }
}
