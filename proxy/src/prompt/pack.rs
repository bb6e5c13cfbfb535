//! Fits recalled turns into the room that memories have.

use std::cmp::Reverse;
use std::collections::{HashMap, HashSet};
use std::hash::Hash;

use chrono::{DateTime, NaiveDate, Utc};
use mainpoint_engine::EngineError;
use mainpoint_store::{ConversationId, TurnId};
use serde::{Deserialize, Serialize};

use super::dedup::{JoinedMemory, joined};
use super::gaps::with_marks;
use crate::memory::RecalledTurn;
use crate::memory::recall::dates::{self, Period};
use crate::openai::block::Seal;
use crate::openai::{block, quote};

/// Where a memory came from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Source {
    /// The turn's id.
    pub(crate) turn: TurnId,
    /// Who spoke.
    pub(crate) role: String,
    /// The turn's place in its conversation.
    pub(crate) position: u32,
    /// When it was said last.
    pub(crate) time: DateTime<Utc>,
    /// See [`RecalledTurn::score`].
    pub(crate) score: f32,
    /// Other turns whose times the quote bears: those that said the same before, and the one that said it with more around it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) beside: Vec<TurnId>,
}

/// Where memories go.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Place {
    /// Most tokens that they may take.
    pub(crate) room: usize,
    /// How likely it must be that a turn answers a short question, for every thousand tokens that its quote takes.
    pub(crate) least_relevance: f32,
    /// The seal of the message that their block goes into.
    pub(crate) seal: Seal,
}

/// Picks from `recalled`, best first, what fits into the room, and writes it below its days. The
/// day with the best memory comes last, next to the question; what a conversation said on one day stands together, in chronological order. A
/// turn that would take more than a quarter of the room, more than what is free, or more tokens than it is worth, is
/// quoted by its best passage, if that is worth them, and a tool's result by several of them, if these are; where the
/// passage is too long for the room, by the sentences of it that share most with the question, if these are worth
/// theirs. Marks say where a quote has not all of its turn, and are counted. Of the turns that the prompt quotes
/// already, only short ones that answer best are quoted again, close to the question. What was said several times is
/// quoted once, as it was said last. What hardly answers is not quoted, however short it is. What a newer turn tells otherwise is quoted only where that one is quoted, too.
///
/// # Errors
/// When `count` fails.
pub(crate) fn pack(
    recalled: &[RecalledTurn],
    quoted: &HashSet<TurnId>,
    place: Place,
    count: impl Fn(&str) -> Result<usize, EngineError>,
) -> Result<Option<Packed>, EngineError> {
    let Place { room, seal, .. } = place;
    let frame = count(&format!("{}{}", block::SEPARATOR, block::render(&[])))?;
    let mut free = room.saturating_sub(frame);
    let mut quotes: Vec<PackedQuote> = Vec::new();
    let mut known = quoted.clone();
    let least_chance = place.least_chance(recalled);
    for (rank, memory) in joined(recalled).iter().enumerate() {
        let latest = memory.latest;
        let is_outdated = latest.newer.is_some_and(|newer| !known.contains(&newer));
        if is_outdated || latest.score < least_chance {
            continue;
        }
        let whole = written(memory, &latest.turn.text);
        let cost = count(&whole)? + LINE_BREAK;
        let day = latest.turn.time.date_naive();
        let is_first = quotes.iter().all(|quote| quote.day() != day);
        let above = if is_first { count(&quote::day(day))? + LINE_BREAK } else { 0 };
        let most = (room / 4).max(1).min(free.saturating_sub(above));
        let is_long = cost > most || !place.is_worth(latest, cost);
        let (mut text, mut cost) = (whole, cost);
        let excerpts = latest.excerpts.iter().map(|excerpt| noted(memory, excerpt, excerpt));
        let passage = latest.passage.iter().map(|passage| written(memory, passage));
        for shorter in excerpts.chain(passage).filter(|_| is_long) {
            text = shorter;
            cost = count(&text)? + LINE_BREAK;
            if cost <= most && place.is_worth(latest, cost) {
                break;
            }
        }
        if let Some(words) = latest.sentences.as_ref().filter(|_| cost > most) {
            text = written(memory, words);
            cost = count(&text)? + LINE_BREAK;
        }
        if !place.is_worth(latest, cost) {
            continue;
        }
        let source = Source::from_joined(memory);
        cost += above;
        let again = memory.turns.iter().any(|turn| quoted.contains(turn));
        if cost > free || (again && (rank >= QUOTED_AGAIN || cost > room / 8)) {
            continue;
        }
        free -= cost;
        known.extend(&memory.turns);
        quotes.push(PackedQuote { rank, text, source, conversation: latest.turn.conversation });
    }
    arrange(&mut quotes);
    let mut packed = Packed { quotes, seal };
    while packed.memories() > 0 && count(&format!("{}{}", block::SEPARATOR, packed.block()))? > room {
        packed.drop_weakest();
    }
    Ok((packed.memories() > 0).then_some(packed))
}

impl Place {
    /// Whether a quote of so many tokens is worth them.
    fn is_worth(&self, memory: &RecalledTurn, tokens: usize) -> bool {
        memory.score * 1000.0 >= self.least_relevance * self_contained(memory.asked_bytes) * tokens as f32
    }

    /// How likely a turn must be to answer, however short its quote is; less where many tell the same and none is likely.
    fn least_chance(&self, recalled: &[RecalledTurn]) -> f32 {
        let best = recalled.iter().map(|memory| memory.score).fold(0.0, f32::max);
        if self.least_relevance > 0.0 { LEAST_CHANCE.min(best * LEAST_OF_BEST) } else { 0.0 }
    }
}

/// Quotes, the best ones in the last day.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Packed {
    quotes: Vec<PackedQuote>,
    seal: Seal,
}

#[derive(Debug, Clone, PartialEq)]
struct PackedQuote {
    rank: usize,
    text: String,
    source: Source,
    conversation: ConversationId,
}

impl PackedQuote {
    /// The day that it stands below.
    fn day(&self) -> NaiveDate {
        self.source.time.date_naive()
    }

    /// What it stands together with.
    fn group(&self) -> (NaiveDate, ConversationId) {
        (self.day(), self.conversation)
    }
}

impl Packed {
    /// How many memories there are.
    pub(crate) fn memories(&self) -> usize {
        self.quotes.len()
    }

    /// The block's text.
    pub(crate) fn block(&self) -> String {
        let mut lines = Vec::with_capacity(self.quotes.len() * 2);
        let mut above = None;
        for quote in &self.quotes {
            let day = quote.day();
            if above.replace(day) != Some(day) {
                lines.push(quote::day(day));
            }
            lines.push(quote.text.clone());
        }
        self.seal.memory(&lines)
    }

    /// Where the memories came from, in the order of the quotes.
    pub(crate) fn sources(&self) -> Vec<Source> {
        self.quotes.iter().map(|quote| quote.source.clone()).collect()
    }

    /// Leaves out the memory that was ranked lowest.
    pub(crate) fn drop_weakest(&mut self) {
        if let Some(weakest) = self.quotes.iter().map(|quote| quote.rank).max() {
            self.quotes.retain(|quote| quote.rank != weakest);
        }
    }
}

impl Source {
    fn from_joined(joined: &JoinedMemory<'_>) -> Self {
        let memory = joined.latest;
        let others = joined.turns.iter().copied().filter(|turn| *turn != memory.turn.id);
        Self {
            beside: others.collect(),
            turn: memory.turn.id,
            role: memory.turn.role.clone(),
            position: memory.turn.position,
            time: memory.turn.time,
            score: memory.score,
        }
    }

    /// The turns whose words or times the quote bears.
    pub(crate) fn turns(&self) -> impl Iterator<Item = TurnId> {
        std::iter::once(self.turn).chain(self.beside.iter().copied())
    }

    /// Turns of one conversation that came in one request share their time to the minute at least; the position decides then.
    fn order(&self) -> (i64, u32) {
        (self.time.timestamp() / 60, self.position)
    }
}

/// How many times more a quote has to be worth for a question of so many bytes than for a short one: a long one brings
/// along what it is about.
fn self_contained(question: usize) -> f32 {
    (question as f32 / QUESTION_BYTES).max(1.0)
}

/// Bytes of a question that leans on what was said before, about forty tokens.
const QUESTION_BYTES: f32 = 160.0;

/// Puts the day with the best quote last, and within a day what each conversation said together, in chronological order.
fn arrange(quotes: &mut [PackedQuote]) {
    let best = least(quotes, PackedQuote::day, |quote| quote.rank);
    let begins = least(quotes, PackedQuote::group, |quote| quote.source.order());
    quotes.sort_by_key(|quote| {
        let day = best.get(&quote.day()).copied().map(Reverse);
        (day, begins.get(&quote.group()).copied(), quote.conversation, quote.source.order(), quote.rank)
    });
}

/// The least value among the quotes of each group.
fn least<G: Eq + Hash, V: Ord + Copy>(
    quotes: &[PackedQuote],
    group: impl Fn(&PackedQuote) -> G,
    value: impl Fn(&PackedQuote) -> V,
) -> HashMap<G, V> {
    let mut found = HashMap::new();
    for quote in quotes {
        let value = value(quote);
        found.entry(group(quote)).and_modify(|least: &mut V| *least = value.min(*least)).or_insert(value);
    }
    found
}

/// Of quotes that are less likely than this one in a hundred answers (`bench/RESULTS.md`).
const LEAST_CHANCE: f32 = 0.005;
/// What is a tenth as likely as the likeliest is never too unlikely.
const LEAST_OF_BEST: f32 = 0.1;
/// How many of the best memories may be quoted again.
const QUOTED_AGAIN: usize = 3;
const LINE_BREAK: usize = 1;
/// Most times that a quote names which its words do not.
const SPOKEN_OF: usize = 2;

/// A turn's words, or a stretch of them, as a quote.
fn written(memory: &JoinedMemory<'_>, words: &str) -> String {
    noted(memory, words, &with_marks(&memory.latest.turn.text, words))
}

/// A quote of a text, with what is known of when the words in it were said.
fn noted(memory: &JoinedMemory<'_>, words: &str, text: &str) -> String {
    let turn = &memory.latest.turn;
    // A tool's result is somebody's text of another day.
    let told = if quote::is_result(&turn.role) { Vec::new() } else { dates::relative(words, turn.time) };
    // Its own day stands above the quote.
    let others = told.into_iter().filter(|period| !period.is_only(turn.time.date_naive()));
    let spoken_of: Vec<String> = others.take(SPOKEN_OF).map(Period::written).collect();
    let about = (!spoken_of.is_empty()).then(|| format!("of {}", spoken_of.join(", ")));
    let notes: Vec<String> = about.into_iter().chain(quote::also_on(turn.time, &memory.before)).collect();
    quote::quote(&turn.role, &notes, text)
}

#[cfg(test)]
#[path = "pack_tests.rs"]
mod tests;
