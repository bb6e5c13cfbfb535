//! What leaves the prompt of a request: what left before, and what leaves now because it must or because that pays.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use super::Draft;
use super::bounds::Partition;
use crate::error::MemoryError;
use crate::memory::PromptMemory;
use crate::openai::request::Message;
use crate::openai::splice::Edits;
use crate::prompt::blocking::block_in_place_if_large;
use crate::prompt::eviction_policy::{Balance, Cut, EvictionLimits, Situation};
use crate::prompt::injections::{EvictionRecord, ShortenedRecord};

/// An eviction: the one that an earlier request made, or a new one; or old results that are shortened in the place of one.
pub(super) struct Eviction {
    /// The message that a new eviction ends at; `None` where nothing leaves that has not left before.
    pub(super) horizon: Option<usize>,
    pub(super) record: EvictionRecord,
    pub(super) dropped: BTreeSet<usize>,
    /// What stands in the place of the results that stay.
    pub(super) shortened: BTreeMap<usize, ShortenedRecord>,
    /// How many of them are shortened now.
    pub(super) fresh: usize,
    /// `None` when an earlier request made it.
    pub(super) balance: Option<Balance>,
}

impl Eviction {
    /// Nothing leaves, and nothing has left.
    pub(super) fn none() -> Self {
        Self {
            horizon: None,
            record: EvictionRecord::default(),
            dropped: BTreeSet::new(),
            shortened: BTreeMap::new(),
            fresh: 0,
            balance: None,
        }
    }

    /// Whether the prompt lacks what the message `index` says.
    pub(super) fn lacks(&self, index: usize) -> bool {
        self.dropped.contains(&index) || self.shortened.contains_key(&index)
    }
}

impl<M: PromptMemory> Draft<'_, M> {
    /// The eviction that holds for this request: a new one, that of an earlier request, or none. Nothing newer than one of the
    /// messages `unread` leaves.
    pub(super) async fn eviction(&self, unread: &BTreeSet<usize>) -> Result<Option<Eviction>, MemoryError> {
        let (current, situation, partition, cuts) = block_in_place_if_large(self.size(), || {
            let current = self.current();
            let situation = self.situation(current.as_ref())?;
            let partition = self.partition(current.as_ref(), situation)?;
            let cuts = self.cuts(partition, unread, current.as_ref(), situation)?;
            Ok::<_, MemoryError>((current, situation, partition, cuts))
        })?;
        let limits = EvictionLimits::new(&self.planner.config);
        let Some((cut, balance)) = limits.choose(situation, &cuts, &self.planner.prices) else {
            return Ok(current);
        };
        let leaving = partition.shape.dropped(cut.horizon);
        match self.shortening(current.as_ref(), situation, cut, &leaving).await? {
            Some(shortened) => Ok(Some(shortened)),
            None => Ok(Some(block_in_place_if_large(self.size(), || self.evict(partition, cut, balance)))),
        }
    }

    /// How the conversation is cut, if it is: the question's lead-up stays, unless the prompt is over the budget and only comes within
    /// it without.
    fn partition(&self, current: Option<&Eviction>, situation: Situation) -> Result<&Partition, MemoryError> {
        let budget = self.planner.config.budget_tokens;
        let with = &self.bounds.with_lead_up;
        let Some(without) = self.bounds.without_lead_up.as_ref().filter(|_| situation.tokens > budget) else {
            return Ok(with);
        };
        // What has not been read is read soon; what was said last would be gone for good.
        let comes_within = |partition: &Partition| {
            let cuts = self.cuts(partition, &BTreeSet::new(), current, situation)?;
            Ok::<_, MemoryError>(cuts.iter().any(|cut| cut.after <= budget))
        };
        Ok(if comes_within(with)? || !comes_within(without)? { with } else { without })
    }

    /// What earlier requests let leave and shortened, with what has left since then.
    fn current(&self) -> Option<Eviction> {
        let left = self.left();
        if left.is_none() && self.recorded.shortened.is_empty() {
            return None;
        }
        let mut current = left.unwrap_or_else(Eviction::none);
        current.shortened = self.shortened_beside(&current.dropped);
        Some(current)
    }

    /// What earlier requests shortened of what stays.
    fn shortened_beside(&self, dropped: &BTreeSet<usize>) -> BTreeMap<usize, ShortenedRecord> {
        let stay = self.recorded.shortened.iter().filter(|(index, _)| !dropped.contains(index));
        stay.map(|(index, record)| (*index, record.clone())).collect()
    }

    /// The eviction that an earlier request made.
    fn left(&self) -> Option<Eviction> {
        let current = self.recorded.eviction.as_ref()?;
        let dropped = self.bounds.gone.clone();
        (!dropped.is_empty()).then(|| Eviction { record: current.record.clone(), dropped, ..Eviction::none() })
    }

    /// The prompt as it would be forwarded without a new eviction.
    fn situation(&self, current: Option<&Eviction>) -> Result<Situation, MemoryError> {
        let (request, tokens) = (&self.prepared.request, &self.prepared.tokens);
        let edits = match current {
            Some(eviction) => self.edits(eviction),
            None => Edits::default(),
        };
        let is_instruction = |index: &usize| request.messages.get(*index).is_some_and(Message::is_instruction);
        let cost = |index: usize| tokens.messages.get(index).copied().unwrap_or_default();
        let all = 0..request.messages.len();
        let fixed = tokens.other + all.clone().filter(is_instruction).map(cost).sum::<usize>();
        let users = all.filter(|index| !edits.dropped.contains(index));
        let users = users.filter(|index| request.messages.get(*index).is_some_and(|message| message.role == "user"));
        let total = self.count(&edits)?.unwrap_or_else(|| tokens.total());
        let coming = self.may_remember(false) && !self.recorded.blocks.contains_key(&self.question);
        Ok(Situation {
            tokens: total,
            coming: if coming { self.planner.config.memory_limit() } else { 0 },
            fixed,
            fresh: (self.prepared.fresh_from()..request.messages.len()).map(cost).sum(),
            growth: total.saturating_sub(fixed) / users.count().max(1),
            cache: self.options.cache,
        })
    }

    /// The messages that could leave but for their turns, which have not been read; one without text has nothing to read.
    pub(super) async fn unread(&self) -> Result<BTreeSet<usize>, MemoryError> {
        let prepared = self.prepared;
        let mut read = HashSet::new();
        for ids in prepared.spoken_ids().chunks(LOOKED_UP_AT_ONCE) {
            read.extend(self.planner.memory.read_or_unreadable(&prepared.scope, ids).await?);
            // The others have their turn.
            tokio::task::yield_now().await;
        }
        Ok(block_in_place_if_large(self.size(), || {
            let movable = self.bounds.movable();
            let is_read = |at: usize| prepared.turn_id(at).is_some_and(|id| read.contains(&id));
            let spoken = prepared.spoken.iter().enumerate();
            spoken.filter(|(at, index)| movable.contains(index) && !is_read(*at)).map(|(_, index)| *index).collect()
        }))
    }

    /// What else may leave.
    fn cuts(
        &self,
        partition: &Partition,
        unread: &BTreeSet<usize>,
        current: Option<&Eviction>,
        situation: Situation,
    ) -> Result<Vec<Cut>, MemoryError> {
        let gone = |index: &usize| current.is_some_and(|eviction| eviction.dropped.contains(index));
        let mut after = situation.tokens;
        if let Some(eviction) = current {
            // What has left and stays from now on comes back.
            for index in eviction.dropped.difference(&partition.movable()) {
                after += self.cost(*index)?;
            }
        }
        // Of evictions on one chain the one that ends last holds, so that a new one ends behind it.
        let former = self.recorded.eviction.as_ref().map(|eviction| eviction.horizon);
        let (mut cuts, mut frees) = (Vec::new(), false);
        for evictable in &partition.shape.evictables {
            let leaves = |index: &&usize| !gone(index);
            let mut leaving = evictable.messages.iter().filter(leaves).peekable();
            if leaving.peek().is_some() && evictable.messages.iter().any(|index| unread.contains(index)) {
                break;
            }
            self.prepared.deadline.check()?;
            for index in leaving {
                after = after.saturating_sub(self.cost(*index)?);
                frees = true;
            }
            if frees && former.is_none_or(|former| evictable.horizon > former) {
                cuts.push(Cut { horizon: evictable.horizon, after, is_recent: evictable.is_recent });
                frees = false;
            }
        }
        Ok(cuts)
    }

    /// Tokens of a message with what was recorded for it: its block, or the text in its place.
    pub(super) fn cost(&self, index: usize) -> Result<usize, MemoryError> {
        if let Some(record) = self.recorded.shortened.get(&index) {
            return self.tokens_of(index, &record.text);
        }
        let plain = self.prepared.tokens.messages.get(index).copied().unwrap_or_default();
        Ok(plain + self.block_tokens(index)?)
    }

    fn evict(&self, partition: &Partition, cut: Cut, balance: Balance) -> Eviction {
        let dropped = partition.shape.dropped(cut.horizon);
        let held = partition.held.difference(&self.bounds.odd).take_while(|index| **index <= cut.horizon);
        let held = held.filter_map(|index| self.prepared.prefix_ids.get(*index).copied().flatten()).collect();
        let shortened = self.shortened_beside(&dropped);
        Eviction {
            horizon: Some(cut.horizon),
            record: EvictionRecord { held },
            dropped,
            shortened,
            fresh: 0,
            balance: Some(balance),
        }
    }
}

/// How many turns are looked up before other requests have their turn.
const LOOKED_UP_AT_ONCE: usize = 4096;
