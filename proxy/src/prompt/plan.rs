//! Decides what is forwarded: the original bytes, or those that [`super::build`] makes of them. It sets aside what is to be stored
//! once the upstream has accepted, and gathers the figures of the receipt.
//!
//! Whatever fails or takes too long, the original bytes remain.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use chrono::{DateTime, Utc};
use mainpoint_store::Scope;

use super::Planner;
use super::blocking::block_in_place_if_large;
use super::build::{BuildResult, RecallNotes, RequestOptions, RewrittenPrompt, build_prompt};
use super::conversation_match::match_conversation;
use super::recall_tool_context::RecallToolContext;
use super::receipt::{EvictionNote, Receipt};
use crate::config::{Mode, RecallReach, Storing};
use crate::conversation::prepared_request::PreparedRequest;
use crate::conversation::reply_slot::ReplySlot;
use crate::conversation::request_preparer::RawRequest;
use crate::conversation::scope::Sender;
use crate::deadline::Deadline;
use crate::error::MemoryError;
use crate::memory::{IncomingTurns, PromptMemory};
use crate::openai::request::Surface;
use crate::openai::tokens::EstimatedPrompt;
use crate::reason::Reason;
use crate::room::Held;
use crate::telemetry::metrics;

/// What became of a chat request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PlanOutcome {
    /// The original bytes, because nothing had to be done.
    Passthrough,
    /// A rewritten prompt.
    Rewritten,
    /// The original bytes, because something failed.
    FailedOpen,
}

impl PlanOutcome {
    /// The value of `x-mainpoint` and the metric label.
    pub(crate) fn label(self) -> &'static str {
        match self {
            Self::Passthrough => "passthrough",
            Self::Rewritten => "rewritten",
            Self::FailedOpen => "failed-open",
        }
    }
}

/// What a request asks for besides its body.
#[derive(Debug, Clone, Copy)]
pub(crate) struct RequestContext<'a> {
    /// Which of OpenAI's surfaces it speaks.
    pub(crate) surface: Surface,
    /// How far the memory may go.
    pub(crate) mode: Mode,
    /// Whose turns are recalled.
    pub(crate) reach: RecallReach,
    /// Whether it is stored, if it says so itself.
    pub(crate) storing: Option<Storing>,
    /// Who sends it.
    pub(crate) sender: Sender<'a>,
    /// When it came.
    pub(crate) time: DateTime<Utc>,
}

/// What is forwarded and what is said about it.
#[derive(Debug)]
pub(crate) struct Plan {
    /// The bytes to forward.
    pub(crate) body: Bytes,
    /// What became of the request.
    pub(crate) outcome: PlanOutcome,
    /// Why the memory does not apply, if it does not.
    pub(crate) reason: Option<Reason>,
    /// Memories in the forwarded prompt for its question.
    pub(crate) memories: usize,
    /// Whether turns leave with this request.
    pub(crate) evicts: bool,
    /// Results of tools that are shortened with it.
    pub(crate) shortens: usize,
    /// Whether no memories were put into the forwarded prompt because none is near enough to its question.
    pub(crate) abstains: bool,
    /// What the model may still ask for, if the forwarded prompt offers that.
    pub(crate) recall_tool_context: Option<RecallToolContext>,
    /// What is to be stored once the upstream has accepted the request.
    pub(crate) intake: IncomingTurns,
    /// Where the reply will stand in the conversation.
    pub(crate) reply_slot: Option<ReplySlot>,
    /// The prompt that is forwarded, where its tokens are estimated and its answer may say how many they are.
    pub(crate) estimated: Option<EstimatedPrompt>,
    /// Whose request it is, as far as it could be read.
    pub(crate) scope: Option<Scope>,
    /// What is held of `server.max_memory` for all of this.
    pub(crate) held: Option<Held>,
    /// Everything else that is said about it.
    pub(crate) receipt: Receipt,
}

impl Plan {
    /// The original bytes, as they are, because the memory does not apply to them.
    pub(crate) fn not_applicable(body: Bytes, reason: Reason) -> Self {
        Self { reason: Some(reason), ..Self::passthrough(body) }
    }

    /// The original bytes, as they are.
    pub(crate) fn passthrough(body: Bytes) -> Self {
        Self {
            body,
            outcome: PlanOutcome::Passthrough,
            reason: None,
            memories: 0,
            evicts: false,
            shortens: 0,
            abstains: false,
            recall_tool_context: None,
            intake: IncomingTurns::default(),
            reply_slot: None,
            estimated: None,
            scope: None,
            held: None,
            receipt: Receipt::default(),
        }
    }
}

impl<M: PromptMemory> Planner<M> {
    /// Plans a request until `deadline`. Never fails: a failure is reported and leaves the original bytes.
    pub(crate) async fn plan(&self, context: RequestContext<'_>, body: Bytes, deadline: &Deadline) -> Plan {
        let started = Instant::now();
        let mut plan = Plan::passthrough(body);
        // When the client leaves, this is dropped, and blocking work ends.
        let _abandon = deadline.abandon_on_drop();
        let result = deadline.wait_for(plan.fill(self, context, deadline)).await;
        if let Err(error) = result.flatten() {
            self.report(&error);
            plan.outcome = PlanOutcome::FailedOpen;
            plan.receipt.failure = Some(error.label());
        }
        plan.receipt.milliseconds.memory = milliseconds(started.elapsed());
        plan
    }
}

impl Plan {
    /// What the request is, and which of its turns are to be stored, is noted at once and stays whatever fails later. What is forwarded
    /// changes in one step at the end, so that a deadline that passes in between leaves the original bytes.
    async fn fill<M: PromptMemory>(
        &mut self,
        planner: &Planner<M>,
        context: RequestContext<'_>,
        deadline: &Deadline,
    ) -> Result<(), MemoryError> {
        let started = Instant::now();
        let raw = RawRequest {
            surface: context.surface,
            sender: context.sender,
            body: self.body.clone(),
            time: context.time,
        };
        let mut prepared = planner.preparer.prepare(raw, deadline).await;
        self.receipt.milliseconds.steps.add("prepare", started.elapsed());
        if let Ok(Ok(prepared)) = &mut prepared
            && planner.memory.takes_turns()
        {
            let started = Instant::now();
            // If this fails, the prompt is built as that of a new conversation, and the request's turns get no places in any.
            if let Err(error) = match_conversation(&planner.memory, prepared).await {
                planner.report(&error);
            }
            self.receipt.milliseconds.steps.add("conversation", started.elapsed());
        }
        let prepared = prepared.map(|prepared| prepared.map(Arc::new));
        let size = self.body.len();
        let mut storing = Storing::On;
        if let Ok(Ok(prepared)) = &prepared {
            let declines = planner.config.honour_store_false && prepared.request.declines_storage;
            storing = context.storing.unwrap_or(if declines { Storing::Off } else { Storing::On });
            block_in_place_if_large(size, || self.note(prepared, planner.config.budget_tokens));
            self.receipt.stored = storing == Storing::On;
            match storing {
                Storing::On => self.take_in(&planner.memory, prepared).await?,
                // What the answer says of tokens would be kept as well.
                Storing::Off => self.estimated = None,
            }
        }
        if let Some(part) = planner.memory.stopped_part() {
            return Err(MemoryError::Stopped { part: part.name() });
        }
        let prepared = match prepared? {
            Ok(prepared) => prepared,
            Err(reason) => {
                self.reason = Some(reason);
                return Ok(());
            }
        };
        let cache = planner.cache.visit(&prepared.prefix_ids, context.time);
        self.receipt.cache = cache;
        let options = RequestOptions { mode: context.mode, reach: context.reach, storing, cache };
        let built = build_prompt(planner, &prepared, options).await;
        block_in_place_if_large(size, move || {
            let BuildResult { prompt, recall, unread_turns } = built?;
            self.receipt.unread_turns = unread_turns;
            self.note_recall(recall, context.mode);
            match prompt {
                Some(prompt) => self.adopt(prompt, &prepared, context.mode, planner),
                None => self.reason = (unread_turns > 0).then_some(Reason::UnreadTurns),
            }
            metrics::over_budget(self.receipt.over_budget.into());
            drop(prepared);
            Ok(())
        })
    }

    /// Notes what is to be stored of the request, whatever else becomes of it: the journal needs no reader.
    async fn take_in(
        &mut self,
        memory: &impl PromptMemory,
        prepared: &Arc<PreparedRequest>,
    ) -> Result<(), MemoryError> {
        if !memory.takes_turns() {
            return Ok(());
        }
        let unseen = block_in_place_if_large(self.body.len(), || {
            self.reply_slot = prepared.reply_slot();
            memory.unseen(&prepared.scope, prepared.spoken_ids())
        });
        let (own, few) = (Arc::clone(prepared), unseen.len() <= FEW_TURNS);
        let copy = move || {
            // What is said twice is stored once.
            let mut seen = HashSet::new();
            let turns = unseen.into_iter().filter_map(|at| own.turn(at).filter(|turn| seen.insert(turn.id)));
            IncomingTurns {
                turns: turns.collect(),
                placement: own.placement().filter(|placement| !placement.turns.is_empty()),
            }
        };
        self.intake = if few { copy() } else { tokio::task::spawn_blocking(copy).await? };
        self.receipt.not_stored = memory.refuses(&self.intake.turns);
        Ok(())
    }

    /// What a request is, before anything is done about it.
    fn note(&mut self, prepared: &PreparedRequest, budget: usize) {
        let tokens = prepared.tokens.total();
        self.scope = Some(prepared.scope.clone());
        self.estimated = EstimatedPrompt::new(prepared.tokenizer, &prepared.request, &prepared.tokens);
        let factor = prepared.tokenizer.factor();
        let receipt = &mut self.receipt;
        receipt.token_factor = (factor != 1.0).then_some(factor);
        receipt.tokens_in = Some(tokens);
        receipt.tokens_forwarded = Some(tokens);
        receipt.tokens_would_forward = Some(tokens);
        receipt.over_budget = tokens > budget;
        receipt.lost_turns = prepared.lost().len();
        receipt.odd_messages = prepared.odd_messages();
        let attachments = prepared.request.messages.iter().map(|message| u64::from(message.attachments));
        receipt.attachments = usize::try_from(attachments.sum::<u64>()).unwrap_or(usize::MAX);
        for (reason, count) in &receipt.odd_messages {
            metrics::odd_messages(reason, *count);
        }
    }

    /// What came of asking the memory, whether or not the prompt is another one for it.
    fn note_recall(&mut self, recall: RecallNotes, mode: Mode) {
        self.abstains = recall.abstained && mode == Mode::On;
        self.receipt.abstained = recall.abstained;
        self.receipt.milliseconds.recall = milliseconds(recall.time);
        self.receipt.milliseconds.steps.merge(recall.steps);
    }

    fn adopt<M>(&mut self, prompt: RewrittenPrompt, prepared: &PreparedRequest, mode: Mode, planner: &Planner<M>) {
        let prices = self.receipt.cache.prices(planner.prices);
        let came = prepared.tokens.total();
        let fresh: usize = prepared.tokens.messages.iter().skip(prepared.fresh_from()).sum();
        let receipt = &mut self.receipt;
        receipt.tokens_would_forward = Some(prompt.tokens);
        receipt.tokens_saved = Some(came.saturating_sub(prompt.tokens));
        receipt.price_in = Some(prices.prompt(came, fresh));
        let added = prompt.tokens.saturating_sub(came);
        let anew = prompt.balance.map_or(fresh + added, |balance| prompt.tokens.saturating_sub(balance.kept));
        receipt.price_forwarded = Some(prices.prompt(prompt.tokens, anew));
        receipt.messages_dropped = prompt.dropped;
        receipt.results_shortened = prompt.shortened;
        // What this request shortens it shortens in the place of an eviction.
        let evicts = prompt.balance.is_some() && prompt.freshly_shortened == 0;
        let own = prompt.balance.filter(|_| evicts);
        receipt.over_budget = prompt.tokens > planner.config.budget_tokens;
        receipt.eviction = (prompt.dropped > 0).then(|| EvictionNote {
            is_new: evicts,
            messages_dropped: prompt.dropped,
            cost: own.map(|balance| balance.cost),
            saving_per_turn: own.map(|balance| balance.saving_per_turn),
        });
        receipt.memories = prompt.sources;
        if mode == Mode::On {
            receipt.tokens_forwarded = Some(prompt.tokens);
            if let Some(estimated) = &mut self.estimated {
                estimated.tokens = prompt.tokens;
            }
            self.memories = receipt.memories.len();
            self.evicts = evicts;
            self.shortens = prompt.freshly_shortened;
            self.body = prompt.body;
            self.recall_tool_context = prompt.recall_tool_context;
            self.outcome = PlanOutcome::Rewritten;
        }
    }
}

/// So many turns are copied without leaving the worker.
const FEW_TURNS: usize = 32;

fn milliseconds(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1000.0
}

#[cfg(test)]
#[path = "plan_tests.rs"]
mod tests;
