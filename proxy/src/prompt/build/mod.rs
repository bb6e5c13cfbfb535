//! Builds the prompt that is forwarded in place of one that is over its budget, or that lacks turns of its conversation.
//!
//! What earlier requests of the conversation were given is given again, byte for byte; an eviction is made only when it
//! must be or when it pays. Whatever grows with the request is done beside the other requests, and ends at the
//! deadline.

mod bounds;
mod count;
mod eviction;
mod main_point;
mod remember;
mod shortening;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;
use std::time::Duration;

use bytes::Bytes;
use mainpoint_store::{DeletionMark, LedgerEntry, LedgerKey, LedgerKind, TurnId};

use self::bounds::Bounds;
use self::eviction::Eviction;
use self::remember::Remembered;
use super::Planner;
use super::blocking::block_in_place_if_large;
use super::cuttable::Cuttable;
use super::eviction_policy::Balance;
use super::injections::{BlockRecord, Recorded, entry};
use super::pack::Source;
use super::provider_cache::CacheState;
use super::recall_tool_context::RecallToolContext;
use crate::config::{Mode, RecallReach, Storing};
use crate::conversation::prepared_request::PreparedRequest;
use crate::error::MemoryError;
use crate::memory::PromptMemory;
use crate::openai::recall_tool::{self, Offer, ToolChoice, ToolReach};
use crate::openai::request::{ChatRequest, Message, Surface};
use crate::openai::results;
use crate::openai::splice::{self, Edits};
use crate::telemetry::stopwatch::{Laps, Stopwatch};

/// What came of building a prompt.
#[derive(Debug, Default)]
pub(crate) struct BuildResult {
    /// What to forward in place of the original prompt; `None` when nothing leaves that and no memory is added to it.
    pub(crate) prompt: Option<RewrittenPrompt>,
    /// What came of asking the memory, also where nothing of it is put into a prompt.
    pub(crate) recall: RecallNotes,
    /// Turns that could leave if they had been read.
    pub(crate) unread_turns: usize,
}

/// What came of asking the memory the request's question, if it was asked.
#[derive(Debug, Default)]
pub(crate) struct RecallNotes {
    /// Whether there are no memories because nothing that was found is near enough to the question.
    pub(crate) abstained: bool,
    /// Time spent on finding memories.
    pub(crate) time: Duration,
    /// Time spent on each step of making the prompt.
    pub(crate) steps: Laps,
}

/// A prompt to forward in place of the original one.
#[derive(Debug)]
pub(crate) struct RewrittenPrompt {
    /// The body.
    pub(crate) body: Bytes,
    /// Tokens of the prompt.
    pub(crate) tokens: usize,
    /// Messages that have left it.
    pub(crate) dropped: usize,
    /// Results of tools that stand in it shortened.
    pub(crate) shortened: usize,
    /// How many of them are shortened with this request. It makes no eviction then.
    pub(crate) freshly_shortened: usize,
    /// What the eviction, or the shortening, that this request makes costs and saves; `None` when it makes none.
    pub(crate) balance: Option<Balance>,
    /// Where the memories for this question came from, in the order in which they stand.
    pub(crate) sources: Vec<Source>,
    /// What the model may still ask for; `None` where it is offered no tool.
    pub(crate) recall_tool_context: Option<RecallToolContext>,
}

/// What holds for one request besides what it says.
#[derive(Debug, Clone, Copy)]
pub(crate) struct RequestOptions {
    /// The ledger is written only for a prompt that will be forwarded.
    pub(crate) mode: Mode,
    /// Whose turns are recalled.
    pub(crate) reach: RecallReach,
    /// Of a request that is not stored nothing is written to the ledger either.
    pub(crate) storing: Storing,
    /// What the provider has of the conversation's last prompt.
    pub(crate) cache: CacheState,
}

/// What becomes of the prompt of a request, of which there are three kinds. Over its budget, turns leave and memories are added.
/// Within it, memories are added if there may be turns that the prompt lacks. And a prompt that is within its budget may have been
/// over it while its model's token factor was larger: what left then stays out.
///
/// # Errors
/// When the engine, the store or a tokenizer fails.
pub(crate) async fn build_prompt<M: PromptMemory>(
    planner: &Planner<M>,
    prepared: &PreparedRequest,
    options: RequestOptions,
) -> Result<BuildResult, MemoryError> {
    let budget = planner.config.budget_tokens;
    let is_within = prepared.tokens.total() <= budget;
    let was_within = prepared.tokenizer.ever(prepared.tokens.total()) <= budget;
    let lacks = options.reach == RecallReach::Caller || !prepared.lost().is_empty();
    let Some(question) = prepared.request.last_user().filter(|_| !was_within || lacks) else {
        return Ok(BuildResult::default());
    };
    let size = prepared.request.body.len();
    let tool = if planner.config.tools && !was_within {
        block_in_place_if_large(size, || tool_tokens(planner, prepared, options.reach))?
    } else {
        0
    };
    for _ in 0..ATTEMPTS {
        let mut watch = Stopwatch::start();
        let keys: Vec<LedgerKey> = block_in_place_if_large(size, || {
            let prefixes = prepared.prefix_ids.iter().copied().flatten().map(LedgerKey::Prefix);
            prefixes.chain(prepared.spoken_ids().iter().copied().map(LedgerKey::Turn)).collect()
        });
        let mark = planner.memory.deletion_mark(&prepared.scope);
        let entries = planner.memory.ledger(&prepared.scope, &keys).await?;
        watch.lap("ledger");
        let recorded = block_in_place_if_large(size, || recorded(prepared, &entries));
        let leaves = !is_within || recorded.eviction.is_some() || !recorded.shortened.is_empty();
        if !leaves && !lacks {
            return Ok(BuildResult::default());
        }
        let bounds = match leaves {
            true => block_in_place_if_large(size, || Bounds::new(prepared, &recorded, &planner.config)),
            false => Bounds::default(),
        };
        let (replaced, block_tokens) = (Mutex::default(), Mutex::default());
        let draft =
            Draft { planner, options, prepared, question, bounds, tool, mark, recorded, replaced, block_tokens, watch };
        let unread = if leaves { draft.unread().await? } else { BTreeSet::new() };
        let attempt = if leaves { draft.evicting(&unread).await? } else { draft.complete(Eviction::none()).await? };
        if let Attempt::Built(result) = attempt {
            return Ok(BuildResult { unread_turns: unread.len(), ..*result });
        }
    }
    Err(MemoryError::Contention)
}

/// How often a request yields to others of its conversation that wrote to the ledger at the same time.
const ATTEMPTS: usize = 4;

enum Attempt {
    /// The ledger holds what the prompt says. Unread turns are counted elsewhere.
    Built(Box<BuildResult>),
    /// Another request was first; what it wrote holds.
    LedgerChanged,
}

/// A request and everything recorded about it.
struct Draft<'a, M> {
    planner: &'a Planner<M>,
    options: RequestOptions,
    prepared: &'a PreparedRequest,
    /// Index of the last user message.
    question: usize,
    /// How far the prompt may be cut.
    bounds: Bounds,
    /// Tokens of the tool that the prompt offers; 0 where it offers none.
    tool: usize,
    /// Made before anything was read of what is recorded or recalled.
    mark: DeletionMark,
    recorded: Recorded,
    /// Tokens of the messages that have a text in the place of their result, by index, as far as they were counted.
    replaced: Mutex<BTreeMap<usize, usize>>,
    /// Tokens of the blocks that were recorded, by index, as far as they were counted.
    block_tokens: Mutex<BTreeMap<usize, usize>>,
    watch: Stopwatch,
}

impl<M: PromptMemory> Draft<'_, M> {
    async fn evicting(mut self, unread: &BTreeSet<usize>) -> Result<Attempt, MemoryError> {
        let Some(eviction) = self.eviction(unread).await? else {
            return Ok(Attempt::Built(Box::default()));
        };
        self.watch.lap("eviction");
        self.complete(eviction).await
    }

    async fn complete(mut self, eviction: Eviction) -> Result<Attempt, MemoryError> {
        let mut remembered = self.remember(&eviction).await?;
        self.watch.absorb(std::mem::take(&mut remembered.steps));
        let written = block_in_place_if_large(self.size(), || self.write(&eviction, &mut remembered))?;
        self.watch.lap("rewrite");
        let (abstained, time) = (remembered.abstained, remembered.time);
        let Some((body, tokens)) = written else {
            let recall = RecallNotes { abstained, time, steps: self.watch.laps() };
            return Ok(Attempt::Built(Box::new(BuildResult { recall, ..BuildResult::default() })));
        };
        if self.options.mode == Mode::On {
            self.prepared.deadline.check()?;
            if self.options.storing == Storing::On {
                if !self.record(&eviction, &remembered).await? {
                    return Ok(Attempt::LedgerChanged);
                }
                self.watch.lap("record");
            }
        }
        let recall_tool_context = block_in_place_if_large(body.len(), || self.recall_tool_context(&body, &eviction));
        let body = recall_tool_context.as_ref().map_or(body, |context| context.offer.body(ToolChoice::Allowed));
        let prompt = RewrittenPrompt {
            body,
            tokens,
            dropped: eviction.dropped.len(),
            shortened: eviction.shortened.len(),
            freshly_shortened: eviction.fresh,
            balance: eviction.balance,
            sources: remembered.block.map(|block| block.sources).unwrap_or_default(),
            recall_tool_context,
        };
        let recall = RecallNotes { abstained, time, steps: self.watch.laps() };
        Ok(Attempt::Built(Box::new(BuildResult { prompt: Some(prompt), recall, ..BuildResult::default() })))
    }

    /// The new body and its tokens; `None` when it cannot be written, or would be no better: where turns have left it, it is to be
    /// shorter, and else it is to have memories.
    fn write(
        &mut self,
        eviction: &Eviction,
        remembered: &mut Remembered,
    ) -> Result<Option<(Bytes, usize)>, MemoryError> {
        let limit = self.planner.config.budget_tokens;
        let (edits, tokens) = loop {
            if let Some(block) = remembered.block.clone() {
                self.recorded.blocks.insert(self.question, block);
            }
            let edits = self.edits(eviction);
            let Some(tokens) = self.count(&edits)? else {
                return Ok(None);
            };
            // Should the block cost more at its place than it did alone, the weakest memories go. What stays whatever happens
            // may be over the budget by itself; they stay then.
            let is_over = tokens > limit && self.without_block(tokens, remembered)? <= limit;
            if !is_over || !remembered.drop_weakest() {
                break (edits, tokens);
            }
        };
        let is_better = match eviction.dropped.is_empty() && eviction.shortened.is_empty() {
            true => !edits.blocks.is_empty() && tokens <= limit,
            false => tokens < self.prepared.tokens.total(),
        };
        let body = if is_better { splice::rewrite(&self.prepared.request, &edits) } else { None };
        Ok(body.map(|body| (body, tokens)))
    }

    /// What calls of the tool are answered with, for a prompt that offers it.
    fn recall_tool_context(&self, body: &Bytes, eviction: &Eviction) -> Option<RecallToolContext> {
        let offer = (self.tool > 0).then(|| Offer::new(body.clone(), tool_reach(self.options.reach))).flatten()?;
        let quoted = self.recorded.quoted(|index| !eviction.dropped.contains(&index));
        Some(RecallToolContext::new(offer, self.ask(eviction), quoted, self.prepared.tokenizer))
    }

    fn edits(&self, eviction: &Eviction) -> Edits {
        let edits = edits(self.prepared, &eviction.dropped, &self.recorded.blocks);
        let replaced = eviction.shortened.iter().map(|(index, record)| (*index, record.text.clone()));
        Edits { replaced: replaced.collect(), ..edits }
    }

    /// Bytes of the request.
    fn size(&self) -> usize {
        self.prepared.request.body.len()
    }

    /// Writes what is new to the ledger; false when another request was first.
    async fn record(&self, eviction: &Eviction, remembered: &Remembered) -> Result<bool, MemoryError> {
        let prepared = self.prepared;
        let prefix_id = |index: usize| prepared.prefix_ids.get(index).copied().flatten();
        let conversation = prepared.conversation();
        let mut entries: Vec<LedgerEntry> = Vec::new();
        if let Some(horizon) = eviction.horizon.and_then(prefix_id) {
            entries.push(entry(LedgerKind::Eviction, horizon, conversation, &eviction.record));
        }
        for (index, record) in &eviction.shortened {
            if let (Some(result), false) = (prefix_id(*index), self.recorded.shortened.contains_key(index)) {
                entries.push(entry(LedgerKind::Shortened, result, conversation, record));
            }
        }
        if let (Some(question), Some(block), true) = (prefix_id(self.question), &remembered.block, remembered.is_new) {
            entries.push(entry(LedgerKind::Block, question, conversation, block));
        }
        if entries.is_empty() {
            return Ok(true);
        }
        let held = self.planner.memory.record(&prepared.scope, self.mark, entries.clone()).await?;
        Ok(held == entries)
    }
}

/// What earlier requests recorded for the messages of this one.
fn recorded(prepared: &PreparedRequest, entries: &[LedgerEntry]) -> Recorded {
    let spoken: Vec<(usize, TurnId)> =
        prepared.spoken.iter().copied().zip(prepared.spoken_ids().iter().copied()).collect();
    let mut recorded = Recorded::from_entries(&prepared.prefix_ids, &spoken, entries);
    // A block is known by the number that it has for what its message says now.
    for index in prepared.restated() {
        if let Some(text) = recorded.blocks.get_mut(&index).and_then(|block| block.text.as_mut())
            && let Some(anew) = prepared.seal(index).memory_anew(text)
        {
            *text = anew;
        }
    }
    // The same words may have come in another form before.
    let takes_text = |message: &Message| results::takes_text(&prepared.request, message);
    recorded.shortened.retain(|index, _| prepared.request.messages.get(*index).is_some_and(takes_text));
    if !recorded.shortened.is_empty() {
        // In a request that goes back to an earlier state of its conversation they may be among the newest.
        let newest = Cuttable::new(prepared).newest_results(shortening::KEPT_ROUNDS);
        recorded.shortened.retain(|index, _| !newest.contains(index));
    }
    recorded
}

/// Tokens of the tool that a rewritten prompt offers; 0 where it can offer none.
fn tool_tokens<M>(planner: &Planner<M>, prepared: &PreparedRequest, reach: RecallReach) -> Result<usize, MemoryError> {
    let ChatRequest { surface, body, .. } = &prepared.request;
    if *surface != Surface::ChatCompletions || !recall_tool::takes_offer(body) {
        return Ok(0);
    }
    Ok(planner.preparer.counter.text(prepared.tokenizer, tool_reach(reach).definition())?)
}

/// What the tool searches: what questions are answered from.
fn tool_reach(reach: RecallReach) -> ToolReach {
    match reach {
        RecallReach::Conversation => ToolReach::Conversation,
        RecallReach::Caller => ToolReach::AllConversations,
    }
}

/// What leaves and what is put in: blocks at the tails of the messages that stay and take them.
pub(crate) fn edits(
    prepared: &PreparedRequest,
    dropped: &BTreeSet<usize>,
    blocks: &BTreeMap<usize, BlockRecord>,
) -> Edits {
    let messages = &prepared.request.messages;
    let takes_blocks =
        |index: &usize| !dropped.contains(index) && messages.get(*index).is_some_and(Message::takes_blocks);
    let blocks = blocks.iter().filter(|(index, _)| takes_blocks(index));
    let blocks = blocks.filter_map(|(index, block)| Some((*index, block.text.clone()?)));
    Edits { dropped: dropped.clone(), blocks: blocks.collect(), ..Edits::default() }
}
