//! Tools' results that are shortened to their main points in the place of an eviction.
//!
//! It happens only when an eviction was chosen, to results that would leave with it, and never to the newest ones; what
//! was shortened stays so, byte for byte, until it leaves.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use mainpoint_store::{Point, Turn, TurnId};

use super::Draft;
use super::eviction::Eviction;
use super::main_point::main_point;
use crate::error::MemoryError;
use crate::memory::{MOST_POINTS, PromptMemory};
use crate::openai::{quote, results};
use crate::prompt::blocking::block_in_place_if_large;
use crate::prompt::cuttable::Cuttable;
use crate::prompt::eviction_policy::{Cut, EvictionLimits, Situation};
use crate::prompt::injections::{EvictionRecord, ShortenedRecord};

/// A result that may be shortened.
struct LongResult {
    index: usize,
    turn: TurnId,
    tokens: usize,
}

impl LongResult {
    /// Most tokens of its main point.
    fn limit(&self) -> usize {
        (self.tokens / SHARE).clamp(SHORTEST, LONGEST)
    }

    /// Tokens that shortening it frees, about.
    fn freed(&self) -> usize {
        self.tokens.saturating_sub(self.limit() + FRAME)
    }
}

impl<M: PromptMemory> Draft<'_, M> {
    /// The prompt with old results shortened, in the place of the eviction `cut`, with which `leaving` would leave; `None` where
    /// that is no good.
    pub(super) async fn shortening(
        &self,
        current: Option<&Eviction>,
        situation: Situation,
        cut: Cut,
        leaving: &BTreeSet<usize>,
    ) -> Result<Option<Eviction>, MemoryError> {
        if !self.planner.config.shorten_tool_results {
            return Ok(None);
        }
        let long = block_in_place_if_large(self.size(), || self.long_results(current, leaving));
        let Some(first) = long.first().map(|result| result.index) else {
            return Ok(None);
        };
        let fixed = block_in_place_if_large(self.size(), || self.kept_before(first, current))?;
        let situation = Situation { fixed, ..situation };
        let limits = EvictionLimits::new(&self.planner.config);
        let instead = |freed: usize| {
            let after = situation.tokens.saturating_sub(freed);
            limits.instead(situation, cut, after, &self.planner.prices)
        };
        if instead(long.iter().map(LongResult::freed).sum()).is_none() {
            return Ok(None);
        }
        let distinct: HashSet<TurnId> = long.iter().map(|result| result.turn).collect();
        let ids = distinct.into_iter().collect();
        let (turns, points) = self.all_main_points(ids).await?;
        let (new, freed) = block_in_place_if_large(self.size(), || self.shortened(&long, &turns, &points))?;
        // Results whose main points are not known stay as they are, so that less may be freed.
        let Some(balance) = instead(freed) else {
            return Ok(None);
        };
        let mut shortened = new.clone();
        let (record, dropped) = match current {
            Some(current) => {
                shortened.extend(current.shortened.clone());
                (current.record.clone(), current.dropped.clone())
            }
            None => (EvictionRecord::default(), BTreeSet::new()),
        };
        Ok(Some(Eviction { horizon: None, record, dropped, shortened, fresh: new.len(), balance: Some(balance) }))
    }

    /// These turns and their main points. A turn that has too many to be read at once is left out: some of them alone are not it.
    async fn all_main_points(&self, ids: Vec<TurnId>) -> Result<(Vec<Turn>, Vec<Point>), MemoryError> {
        let (mut turns, mut points) = (Vec::new(), Vec::new());
        let mut asked = vec![ids];
        while let Some(mut ids) = asked.pop() {
            self.prepared.deadline.check()?;
            let (known, found) = self.planner.memory.main_points(&self.prepared.scope, ids.clone()).await?;
            if found.len() < MOST_POINTS {
                turns.extend(known);
                points.extend(found);
            } else if ids.len() > 1 {
                let half = ids.split_off(ids.len() / 2);
                asked.extend([ids, half]);
            }
        }
        Ok((turns, points))
    }

    /// The long results among the messages `leaving`, oldest first.
    fn long_results(&self, current: Option<&Eviction>, leaving: &BTreeSet<usize>) -> Vec<LongResult> {
        let prepared = self.prepared;
        let newest = Cuttable::new(prepared).newest_results(KEPT_ROUNDS);
        let may_be_shortened = |index: &usize| {
            let is_there = current.is_none_or(|eviction| !eviction.dropped.contains(index));
            let is_old = leaving.contains(index) && !newest.contains(index);
            is_there && is_old && !self.recorded.shortened.contains_key(index)
        };
        let results = prepared.spoken.iter().enumerate().filter(|(_, index)| may_be_shortened(index));
        let long = results.filter_map(|(at, index)| {
            let tokens = prepared.tokens.messages.get(*index).copied().filter(|tokens| *tokens >= LONG)?;
            let message = prepared.request.messages.get(*index)?;
            let turn = prepared.turn_id(at).filter(|_| results::takes_text(&prepared.request, message))?;
            Some(LongResult { index: *index, turn, tokens })
        });
        long.collect()
    }

    /// Tokens in front of the first message that changes when the result `first` does, as the prompt was forwarded before. The first
    /// rewriting of a conversation puts the tool that it offers in front of all of them.
    fn kept_before(&self, first: usize, current: Option<&Eviction>) -> Result<usize, MemoryError> {
        if self.tool > 0 && current.is_none() && self.recorded.blocks.is_empty() {
            return Ok(0);
        }
        let gets_block = self.may_remember(true) && !self.recorded.blocks.contains_key(&self.question);
        let first = if gets_block { first.min(self.question) } else { first };
        let is_there = |index: &usize| current.is_none_or(|eviction| !eviction.dropped.contains(index));
        let mut tokens = self.prepared.tokens.other;
        for index in (0..first).filter(is_there) {
            tokens += self.cost(index)?;
        }
        Ok(tokens)
    }

    /// What stands in the place of each result, and the tokens that this frees.
    fn shortened(
        &self,
        long: &[LongResult],
        turns: &[Turn],
        points: &[Point],
    ) -> Result<(BTreeMap<usize, ShortenedRecord>, usize), MemoryError> {
        let turns: HashMap<TurnId, &Turn> = turns.iter().map(|turn| (turn.id, turn)).collect();
        let mut by_turn: HashMap<TurnId, Vec<&Point>> = HashMap::new();
        for point in points {
            by_turn.entry(point.turn).or_default().push(point);
        }
        let count = |text: &str| self.planner.preparer.counter.text(self.prepared.tokenizer, text);
        let (mut found, mut freed) = (BTreeMap::new(), 0);
        for result in long {
            self.prepared.deadline.check()?;
            let (Some(turn), Some(points)) = (turns.get(&result.turn), by_turn.get(&result.turn)) else {
                continue;
            };
            let Some(said) = main_point(turn, points, result.limit(), &count)? else {
                continue;
            };
            let left_out = result.tokens.saturating_sub(count(&said)?);
            let note = format!("{left_out} of {} tokens are left out.", result.tokens);
            let text = self.prepared.result_seal(result.index).condensed(&[note, quote::words(&said)]);
            let record = ShortenedRecord { text, turn: result.turn };
            let tokens = self.tokens_of(result.index, &record.text)?;
            // A word may be very long.
            if tokens.saturating_mul(2) <= result.tokens {
                freed += result.tokens - tokens;
                found.insert(result.index, record);
            }
        }
        Ok((found, freed))
    }
}

/// Rounds of calls whose results are never shortened, the newest ones: the model is at work on them.
pub(super) const KEPT_ROUNDS: usize = 2;
/// Tokens of a result from which on it is long.
const LONG: usize = 256;
/// Of a result's tokens its main point gets one in so many …
const SHARE: usize = 8;
/// … but at least so many, and at most.
const SHORTEST: usize = 32;
const LONGEST: usize = 256;
/// Tokens around a main point, about.
const FRAME: usize = 64;
