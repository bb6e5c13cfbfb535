//! Builds the prompt that is forwarded in place of one that is over its budget.
//!
//! What earlier requests of the conversation were given is given again, byte for byte; an epoch begins only when it must or
//! when it pays. It must not know HTTP; nothing here changes a request unless it ends well. Whatever grows with the request is
//! done beside the other requests, and ends at the deadline.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::time::{Duration, Instant};

use bytes::Bytes;
use mainpoint_store::{LedgerEntry, LedgerKind, TurnId};

use super::beside::beside;
use super::digest::DigestLimits;
use super::evictable::Cuttable;
use super::eviction::{Balance, Cut, Limits, Shape, Situation};
use super::injections::{BlockRecord, EpochRecord, Recorded, entry};
use super::pack::{Packed, Place, Source};
use super::{Planner, digest, pack};
use crate::config::Mode;
use crate::conversation::prepare::Prepared;
use crate::error::MemoryError;
use crate::memory::{Question, Remembers};
use crate::openai::request::Message;
use crate::openai::splice::{Edits, Injection};
use crate::openai::{block, splice};
use crate::telemetry::stopwatch::{Laps, Stopwatch};

/// A prompt to forward in place of the original one.
#[derive(Debug)]
pub(crate) struct Revision {
    /// The body.
    pub(crate) body: Bytes,
    /// Tokens of the prompt.
    pub(crate) tokens: usize,
    /// Messages that have left it.
    pub(crate) dropped: usize,
    /// What the epoch that began with this request costs and saves; `None` when none began.
    pub(crate) begun: Option<Balance>,
    /// Where the memories for this question came from, in the order in which they stand.
    pub(crate) sources: Vec<Source>,
    /// Whether there are none because nothing that was found is near enough to the question.
    pub(crate) abstained: bool,
    /// Time spent on finding memories.
    pub(crate) recall: Duration,
    /// Time spent on each step.
    pub(crate) steps: Laps,
}

/// The prompt to forward; `None` when the original one is within its budget or nothing may leave it.
///
/// # Errors
/// When the engine, the store or a tokenizer fails.
pub(crate) async fn revise<M: Remembers>(
    planner: &Planner<M>,
    prepared: &Prepared,
    mode: Mode,
) -> Result<Option<Revision>, MemoryError> {
    let within = prepared.tokens.total() <= planner.config.budget_tokens;
    let Some(question) = prepared.request.last_user().filter(|_| !within) else {
        return Ok(None);
    };
    let size = prepared.request.body.len();
    for _ in 0..ATTEMPTS {
        let mut watch = Stopwatch::start();
        let names: Vec<TurnId> = beside(size, || prepared.names.iter().copied().flatten().collect());
        let entries = planner.memory.ledger(&prepared.scope, &names).await?;
        watch.lap("ledger");
        let draft = beside(size, || {
            let recorded = Recorded::of(&prepared.names, &entries);
            let cuttable = Cuttable::of(prepared);
            let odd = cuttable.odd();
            let held = &(&odd | &cuttable.attached(planner.config.attachments)) | &recorded.unreadable;
            Draft {
                planner,
                mode,
                prepared,
                question,
                shape: cuttable.shape(recorded.epoch.as_ref().map(|epoch| epoch.horizon), &held),
                odd,
                held,
                recorded,
                watch,
            }
        });
        if let Attempt::Ended(revision) = draft.complete().await? {
            return Ok(revision);
        }
    }
    Err(MemoryError::Contention)
}

/// Bytes of a message up to which it is counted once more, with what is put into it.
const COUNTED_AGAIN: usize = 64 << 10;

/// How many turns are looked up before other requests have their turn.
const LOOKED_UP_AT_ONCE: usize = 4096;

/// How often a request yields to others of its conversation that wrote to the ledger at the same time.
const ATTEMPTS: usize = 4;

enum Attempt {
    /// The ledger holds what the revision says.
    Ended(Option<Revision>),
    /// Another request was first; what it wrote holds.
    Overtaken,
}

/// A request and everything recorded about it.
struct Draft<'a, M> {
    planner: &'a Planner<M>,
    /// The ledger is written only for a prompt that will be forwarded.
    mode: Mode,
    prepared: &'a Prepared,
    /// Index of the last user message.
    question: usize,
    /// How the conversation may be cut now.
    shape: Shape,
    /// Messages that stay because they are odd.
    odd: BTreeSet<usize>,
    /// Messages that stay, the odd ones among them.
    held: BTreeSet<usize>,
    recorded: Recorded,
    watch: Stopwatch,
}

/// An epoch: the one that holds already, or a new one.
struct Epoch {
    horizon: usize,
    record: EpochRecord,
    dropped: BTreeSet<usize>,
    /// `None` when it holds already.
    begun: Option<Balance>,
}

/// The memory block of the last user message.
#[derive(Default)]
struct Remembered {
    block: Option<BlockRecord>,
    /// What a new block is made of; `None` when it was recorded before or nothing was found.
    packed: Option<Packed>,
    is_new: bool,
    /// Whether nothing that was found is near enough to the question.
    abstained: bool,
    time: Duration,
    steps: Laps,
}

impl<M: Remembers> Draft<'_, M> {
    async fn complete(mut self) -> Result<Attempt, MemoryError> {
        let Some(epoch) = self.epoch().await? else {
            return Ok(Attempt::Ended(None));
        };
        self.watch.lap("epoch");
        let mut remembered = self.remember(&epoch).await?;
        self.watch.absorb(std::mem::take(&mut remembered.steps));
        let Some((body, tokens)) = beside(self.size(), || self.write(&epoch, &mut remembered))? else {
            return Ok(Attempt::Ended(None));
        };
        self.watch.lap("rewrite");
        if self.mode == Mode::On {
            self.prepared.deadline.check()?;
            if !self.record(&epoch, &remembered).await? {
                return Ok(Attempt::Overtaken);
            }
            self.watch.lap("keep");
        }
        Ok(Attempt::Ended(Some(Revision {
            body,
            tokens,
            dropped: epoch.dropped.len(),
            begun: epoch.begun,
            sources: remembered.block.map(|block| block.sources).unwrap_or_default(),
            abstained: remembered.abstained,
            recall: remembered.time,
            steps: self.watch.laps(),
        })))
    }

    /// The new body and its tokens; `None` when it cannot be written or is no shorter.
    fn write(&mut self, epoch: &Epoch, remembered: &mut Remembered) -> Result<Option<(Bytes, usize)>, MemoryError> {
        let limit = self.planner.config.budget_tokens;
        let (edits, tokens) = loop {
            if let Some(block) = remembered.block.clone() {
                self.recorded.blocks.insert(self.question, block);
            }
            let edits = self.edits(epoch);
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
        let body = splice::rewrite(&self.prepared.request, &edits);
        Ok(body
            .filter(|_| tokens < self.prepared.tokens.total())
            .map(|body| (body, tokens)))
    }

    /// The epoch that holds for this request: a new one, the one that held before, or none.
    async fn epoch(&self) -> Result<Option<Epoch>, MemoryError> {
        let (current, situation) = beside(self.size(), || {
            let current = self.current();
            let situation = self.situation(current.as_ref())?;
            Ok::<_, MemoryError>((current, situation))
        })?;
        let cuts = self.cuts(current.as_ref(), situation).await?;
        let limits = Limits::of(&self.planner.config);
        match limits.choose(situation, &cuts, &self.planner.prices) {
            Some((cut, balance)) => self.begin(current, cut, balance).await.map(Some),
            None => Ok(current),
        }
    }

    /// The epoch that an earlier request began, with what has left since then.
    fn current(&self) -> Option<Epoch> {
        let current = self.recorded.epoch.as_ref()?;
        let names: HashSet<TurnId> = current.record.held.iter().copied().collect();
        let mut held = self.odd.clone();
        if !names.is_empty() {
            let numbered = self.prepared.names.iter().enumerate();
            let known = numbered.filter(|(_, name)| name.is_some_and(|name| names.contains(&name)));
            held.extend(known.map(|(index, _)| index));
        }
        let shape = Cuttable::of(self.prepared).shape(Some(current.horizon), &held);
        let dropped = shape.dropped(current.horizon);
        (!dropped.is_empty()).then(|| Epoch {
            horizon: current.horizon,
            record: current.record.clone(),
            dropped,
            begun: None,
        })
    }

    /// The prompt as it would be forwarded without a new epoch.
    fn situation(&self, current: Option<&Epoch>) -> Result<Situation, MemoryError> {
        let (request, tokens) = (&self.prepared.request, &self.prepared.tokens);
        let edits = match current {
            Some(epoch) => self.edits(epoch),
            None => Edits::default(),
        };
        let is_instruction = |index: &usize| request.messages.get(*index).is_some_and(Message::is_instruction);
        let cost = |index: usize| tokens.messages.get(index).copied().unwrap_or_default();
        let all = 0..request.messages.len();
        let fixed = tokens.other + all.clone().filter(is_instruction).map(cost).sum::<usize>();
        let users = all.filter(|index| !edits.dropped.contains(index));
        let users = users.filter(|index| {
            request
                .messages
                .get(*index)
                .is_some_and(|message| message.role == "user")
        });
        let total = self.count(&edits)?.unwrap_or_else(|| tokens.total());
        let coming = self.may_remember(false) && !self.recorded.blocks.contains_key(&self.question);
        Ok(Situation {
            tokens: total,
            coming: if coming { self.planner.config.memory_tokens } else { 0 },
            fixed,
            fresh: (self.prepared.fresh_from()..request.messages.len()).map(cost).sum(),
            growth: total.saturating_sub(fixed) / users.count().max(1),
        })
    }

    /// What else may leave. A turn leaves only after it has been read; a message without text has nothing to read.
    async fn cuts(&self, current: Option<&Epoch>, situation: Situation) -> Result<Vec<Cut>, MemoryError> {
        let prepared = self.prepared;
        let names = beside(self.size(), || prepared.turn_names());
        let mut read = HashSet::new();
        for names in names.chunks(LOOKED_UP_AT_ONCE) {
            read.extend(self.planner.memory.read_turns(&prepared.scope, names).await?);
            // The others have their turn.
            tokio::task::yield_now().await;
        }
        beside(self.size(), || self.cuts_of_read(&read, current, situation))
    }

    fn cuts_of_read(
        &self,
        read: &HashSet<TurnId>,
        current: Option<&Epoch>,
        situation: Situation,
    ) -> Result<Vec<Cut>, MemoryError> {
        let prepared = self.prepared;
        let spoken = prepared.spoken.iter().enumerate();
        let unread: HashSet<usize> = spoken
            .filter(|(at, _)| prepared.name(*at).is_none_or(|name| !read.contains(&name)))
            .map(|(_, index)| *index)
            .collect();
        let gone = |index: &usize| current.is_some_and(|epoch| epoch.dropped.contains(index));
        let digest = current.map_or(Ok(0), |epoch| self.text(&block::digest(&epoch.record.lines)))?;
        let config = &self.planner.config;
        let mut bare = situation.tokens.saturating_sub(digest);
        let movable: BTreeSet<usize> = self
            .shape
            .stretches
            .iter()
            .flat_map(|stretch| stretch.messages.iter().copied())
            .collect();
        // What has left and stays from now on comes back.
        for index in current.into_iter().flat_map(|epoch| epoch.dropped.difference(&movable)) {
            bare += self.cost(*index)?;
        }
        let mut cuts = Vec::new();
        for stretch in &self.shape.stretches {
            if stretch.messages.iter().all(gone) {
                continue;
            }
            if stretch.messages.iter().any(|index| unread.contains(index)) {
                break;
            }
            prepared.deadline.check()?;
            for index in stretch.messages.iter().filter(|index| !gone(index)) {
                bare = bare.saturating_sub(self.cost(*index)?);
            }
            // Where there is little room, memories come before the digest.
            let room = config.budget_tokens.saturating_sub(bare + situation.coming);
            let digest = config.digest_limit().min(room);
            cuts.push(Cut {
                horizon: stretch.horizon,
                after: bare + digest,
                digest,
                is_deep: stretch.is_recent,
            });
        }
        Ok(cuts)
    }

    /// Tokens of a message with the block that was recorded for it.
    fn cost(&self, index: usize) -> Result<usize, MemoryError> {
        let plain = self.prepared.tokens.messages.get(index).copied().unwrap_or_default();
        let block = self.recorded.blocks.get(&index).and_then(|block| block.text.as_deref());
        Ok(plain + block.map_or(Ok(0), |block| self.text(block))?)
    }

    async fn begin(&self, current: Option<Epoch>, cut: Cut, balance: Balance) -> Result<Epoch, MemoryError> {
        let (prepared, limit) = (self.prepared, cut.digest);
        let (dropped, leaving) = beside(self.size(), || {
            let dropped = self.shape.dropped(cut.horizon);
            let before = current.as_ref().map(|epoch| &epoch.dropped);
            let numbered = prepared.spoken.iter().enumerate();
            let leaving = numbered
                .filter(|(_, index)| dropped.contains(index) && before.is_none_or(|before| !before.contains(index)))
                .filter_map(|(at, _)| prepared.name(at));
            let leaving: Vec<TurnId> = leaving.collect();
            (dropped, leaving)
        });
        let old = current.map(|epoch| epoch.record.lines).unwrap_or_default();
        let lines = if limit == 0 {
            Vec::new()
        } else {
            let (turns, points) = self.planner.memory.main_points(&prepared.scope, leaving).await?;
            beside(self.size(), || {
                let limits = DigestLimits::new(limit, turns.len());
                let count = |text: &str| self.planner.preparation.counter.text(prepared.tokenizer, text);
                let new = digest::lines(&turns, &points, limits, count)?;
                digest::append(&old, new, limit, count)
            })?
        };
        let held = self
            .held
            .difference(&self.odd)
            .take_while(|index| **index <= cut.horizon);
        let held = held
            .filter_map(|index| prepared.names.get(*index).copied().flatten())
            .collect();
        Ok(Epoch {
            horizon: cut.horizon,
            record: EpochRecord { lines, held },
            dropped,
            begun: Some(balance),
        })
    }

    /// Whether the last user message may get a new block: an earlier request, in the middle of whose tool calls this one is,
    /// was sent without; unless an epoch begins, its prefix stays as it was.
    fn may_remember(&self, begins: bool) -> bool {
        let messages = &self.prepared.request.messages;
        let takes_it = messages.get(self.question).is_some_and(Message::takes_blocks);
        let mut since = messages.iter().skip(self.question);
        takes_it && (begins || since.all(|message| message.answers.is_empty()))
    }

    /// The block recorded for the last user message, or a new one.
    async fn remember(&self, epoch: &Epoch) -> Result<Remembered, MemoryError> {
        if let Some(block) = self.recorded.blocks.get(&self.question) {
            return Ok(Remembered {
                block: Some(block.clone()),
                ..Remembered::default()
            });
        }
        if !self.may_remember(epoch.begun.is_some()) {
            return Ok(Remembered::default());
        }
        let started = Instant::now();
        let mut watch = Stopwatch::start();
        let config = &self.planner.config;
        let question = beside(self.size(), || self.ask(epoch));
        let recollection = self.planner.memory.recall(question).await?;
        watch.absorb(recollection.steps);
        let quoted = self.recorded.quoted(|index| !epoch.dropped.contains(&index));
        let kept = beside(self.size(), || self.count(&self.edits(epoch)))?.unwrap_or_default();
        // When what must be kept is over the budget by itself, the question still deserves its memories.
        let free = config.budget_tokens.checked_sub(kept).unwrap_or(config.memory_tokens);
        let count = |text: &str| self.planner.preparation.counter.text(self.prepared.tokenizer, text);
        let place = Place {
            room: free.min(config.memory_tokens),
            seal: self.prepared.seal(self.question),
        };
        let packed = pack::pack(&recollection.turns, &quoted, place, count)?;
        watch.lap("pack");
        Ok(Remembered {
            block: Some(record_of(packed.as_ref())),
            packed,
            is_new: true,
            abstained: recollection.abstained,
            time: started.elapsed(),
            steps: watch.laps(),
        })
    }

    fn ask(&self, epoch: &Epoch) -> Question<'_> {
        let prepared = self.prepared;
        let (mut dropped, mut kept) = (Vec::new(), HashSet::new());
        for (at, index) in prepared.spoken.iter().enumerate() {
            let Some(name) = prepared.name(at) else { continue };
            if epoch.dropped.contains(index) {
                dropped.push(name);
            } else {
                kept.insert(name);
            }
        }
        let message = prepared.request.messages.get(self.question);
        Question {
            scope: &prepared.scope,
            text: message.map(Message::text).unwrap_or_default(),
            asked: prepared.time,
            dropped,
            kept,
        }
    }

    fn edits(&self, epoch: &Epoch) -> Edits {
        edits(
            self.prepared,
            &epoch.dropped,
            &epoch.record.lines,
            &self.recorded.blocks,
        )
    }

    /// Tokens of the prompt with `edits`; `None` when they cannot be made.
    fn count(&self, edits: &Edits) -> Result<Option<usize>, MemoryError> {
        let (request, tokens) = (&self.prepared.request, &self.prepared.tokens);
        let mut total = tokens.other;
        for (index, message) in request.messages.iter().enumerate() {
            if edits.dropped.contains(&index) {
                continue;
            }
            let plain = tokens.messages.get(index).copied().unwrap_or_default();
            total += match edits.injections.get(&index) {
                None => plain,
                Some(injection) => {
                    self.prepared.deadline.check()?;
                    let Some(longer) = self.longer((message, plain), injection)? else {
                        return Ok(None);
                    };
                    longer
                }
            };
        }
        Ok(Some(total))
    }

    /// Tokens of a message with what is put into it. A long message is not counted once more for that.
    fn longer(&self, (message, plain): (&Message, usize), injection: &Injection) -> Result<Option<usize>, MemoryError> {
        if message.range.len() > COUNTED_AGAIN && message.takes_blocks() {
            let mut tokens = plain;
            for block in [&injection.head, &injection.tail].into_iter().flatten() {
                tokens += self.text(block)? + self.text(block::SEPARATOR)?;
            }
            return Ok(Some(tokens));
        }
        let Some(longer) = splice::injected(message, injection) else {
            return Ok(None);
        };
        let counter = &self.planner.preparation.counter;
        counter.message(self.prepared.tokenizer, &longer).map(Some)
    }

    /// The prompt's tokens but for those of a new block, about.
    fn without_block(&self, tokens: usize, remembered: &Remembered) -> Result<usize, MemoryError> {
        let block = remembered.block.as_ref().and_then(|block| block.text.as_deref());
        Ok(tokens.saturating_sub(block.map_or(Ok(0), |block| self.text(block))?))
    }

    /// Bytes of the request.
    fn size(&self) -> usize {
        self.prepared.request.body.len()
    }

    fn text(&self, text: &str) -> Result<usize, MemoryError> {
        Ok(self.planner.preparation.counter.text(self.prepared.tokenizer, text)?)
    }

    /// Writes what is new to the ledger; false when another request was first.
    async fn record(&self, epoch: &Epoch, remembered: &Remembered) -> Result<bool, MemoryError> {
        let prepared = self.prepared;
        let name = |index: usize| prepared.names.get(index).copied().flatten();
        let Some(conversation) = prepared.names.iter().copied().flatten().next() else {
            return Ok(true);
        };
        let mut entries: Vec<LedgerEntry> = Vec::new();
        if let (Some(horizon), true) = (name(epoch.horizon), epoch.begun.is_some()) {
            entries.push(entry(LedgerKind::Epoch, horizon, conversation, &epoch.record));
        }
        if let (Some(question), Some(block), true) = (name(self.question), &remembered.block, remembered.is_new) {
            entries.push(entry(LedgerKind::Block, question, conversation, block));
        }
        if entries.is_empty() {
            return Ok(true);
        }
        let held = self.planner.memory.record(&prepared.scope, entries.clone()).await?;
        Ok(held == entries)
    }
}

/// What leaves and what is put in: the digest at the head of the first user message that stays, blocks at the tails of theirs.
pub(crate) fn edits(
    prepared: &Prepared,
    dropped: &BTreeSet<usize>,
    digest: &[String],
    blocks: &BTreeMap<usize, BlockRecord>,
) -> Edits {
    let messages = &prepared.request.messages;
    let mut edits = Edits {
        dropped: dropped.clone(),
        ..Edits::default()
    };
    let takes_blocks =
        |index: &usize| !dropped.contains(index) && messages.get(*index).is_some_and(Message::takes_blocks);
    for (index, block) in blocks.iter().filter(|(index, _)| takes_blocks(index)) {
        if let Some(text) = &block.text {
            edits.injections.entry(*index).or_default().tail = Some(text.clone());
        }
    }
    let first = (0..messages.len()).find(takes_blocks);
    if let (Some(first), false) = (first, digest.is_empty()) {
        edits.injections.entry(first).or_default().head = Some(prepared.seal(first).digest(digest));
    }
    edits
}

impl Remembered {
    /// Leaves out the weakest memory of a new block; false when there is none.
    fn drop_weakest(&mut self) -> bool {
        let Some(packed) = self
            .packed
            .as_mut()
            .filter(|packed| self.is_new && packed.memories() > 0)
        else {
            return false;
        };
        packed.drop_weakest();
        self.block = Some(record_of(Some(packed)));
        true
    }
}

fn record_of(packed: Option<&Packed>) -> BlockRecord {
    match packed.filter(|packed| packed.memories() > 0) {
        Some(packed) => BlockRecord {
            text: Some(packed.block()),
            sources: packed.sources(),
        },
        None => BlockRecord::default(),
    }
}
