//! Fits recalled turns into the room that memories have.
//!
//! It must not know how turns are recalled or where the block goes.

use std::cmp::Reverse;
use std::collections::{HashMap, HashSet};

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
/// quoted once, as it was said last. What a newer turn tells otherwise is quoted only where that one is quoted, too.
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
    for (rank, memory) in joined(recalled).iter().enumerate() {
        let latest = memory.latest;
        if latest.newer.is_some_and(|newer| !known.contains(&newer)) {
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
    let mut packed = Packed { quotes, seal };
    let mut best: HashMap<NaiveDate, usize> = HashMap::new();
    for quote in &packed.quotes {
        let rank = best.entry(quote.day()).or_insert(quote.rank);
        *rank = quote.rank.min(*rank);
    }
    let mut begins: HashMap<(NaiveDate, ConversationId), (i64, u32)> = HashMap::new();
    for quote in &packed.quotes {
        let order = quote.source.order();
        let begin = begins.entry(quote.group()).or_insert(order);
        *begin = order.min(*begin);
    }
    packed.quotes.sort_by_key(|quote| {
        let day = best.get(&quote.day()).copied().map(Reverse);
        (day, begins.get(&quote.group()).copied(), quote.conversation, quote.source.order(), quote.rank)
    });
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
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests fail loudly")]
    use chrono::TimeDelta;
    use mainpoint_store::Turn;
    use proptest::prelude::*;

    use super::*;
    use crate::memory::turns_for_tests::{conversation, id, recalled, turn};

    fn memory(position: u32, text: &str) -> RecalledTurn {
        recalled(turn(position, text))
    }

    fn words(text: &str) -> Result<usize, EngineError> {
        Ok(text.split_whitespace().count())
    }

    fn place(room: usize) -> Place {
        Place { room, least_relevance: 0.0, seal: Seal::new([0; 32]) }
    }

    #[test]
    fn memories_of_one_day_stand_in_chronological_order_and_the_best_ones_win() {
        let packed = pack(&[memory(9, "nine"), memory(2, "two"), memory(5, "five")], &HashSet::new(), place(30), words)
            .unwrap()
            .unwrap();
        let block = packed.block();
        assert_eq!(packed.memories(), 2, "{block}");
        assert!(block.find("two").unwrap() < block.find("nine").unwrap());
        assert!(!block.contains("five"));
    }

    #[test]
    fn the_day_with_the_best_memory_stands_last() {
        let on = |day: i64, position: u32, text: &str| {
            let time = DateTime::UNIX_EPOCH + TimeDelta::days(day);
            recalled(Turn { time, ..turn(position, text) })
        };
        let all = [on(4, 40, "best"), on(9, 90, "second"), on(4, 39, "third"), on(1, 10, "fourth")];
        let block = pack(&all, &HashSet::new(), place(200), words).unwrap().unwrap().block();
        let said: Vec<&str> = block.lines().filter_map(|line| line.strip_prefix("user: ")).collect();
        assert_eq!(said, ["fourth", "second", "third", "best"]);
        assert_eq!(block.matches("[5 January 1970]").count(), 1, "{block}");
    }

    #[test]
    fn conversations_of_one_minute_are_not_mixed() {
        let of = |name: u32, position: u32, text: &str| {
            recalled(Turn { conversation: conversation(name), ..turn(position, text) })
        };
        let all = [of(1, 0, "a"), of(2, 1, "b"), of(1, 2, "c"), of(2, 3, "d")];
        let all = all.map(|one| RecalledTurn { turn: Turn { time: DateTime::UNIX_EPOCH, ..one.turn.clone() }, ..one });
        let block = pack(&all, &HashSet::new(), place(200), words).unwrap().unwrap().block();
        let said: String = block.lines().filter_map(|line| line.strip_prefix("user: ")).collect();
        assert!(["acbd", "bdac"].contains(&&*said), "{block}");
    }

    #[test]
    fn what_was_said_twice_is_quoted_once_with_both_dates() {
        let on = |day: u32, text: &str| {
            let time = DateTime::UNIX_EPOCH + TimeDelta::days(day.into());
            recalled(Turn { time, ..turn(day, text) })
        };
        let all = [on(2, "I live in Berlin."), on(5, "five"), on(7, "i live in Berlin")];
        let packed = pack(&all, &HashSet::new(), place(200), words).unwrap().unwrap();
        let block = packed.block();
        assert!(block.contains("\n[8 January 1970]\nuser (also on 3 January 1970): i live in Berlin\n"), "{block}");
        assert_eq!(packed.memories(), 2, "{block}");
    }

    #[test]
    fn a_time_that_counts_from_the_day_of_the_quote_is_written_beside_it() {
        let time = "2023-07-03T10:00:00Z".parse().unwrap();
        let said = recalled(Turn { time, ..turn(1, "Yesterday I signed up for pottery.") });
        let block = pack(&[said], &HashSet::new(), place(200), words).unwrap().unwrap().block();
        assert!(
            block.contains("\n[3 July 2023]\nuser (of 2 July 2023): Yesterday I signed up for pottery.\n"),
            "{block}"
        );
    }

    #[test]
    fn the_day_of_a_quote_is_not_written_beside_it() {
        let time = "2023-07-03T10:00:00Z".parse().unwrap();
        let said = recalled(Turn { time, ..turn(1, "Today I fired a bowl that I made yesterday.") });
        let block = pack(&[said], &HashSet::new(), place(200), words).unwrap().unwrap().block();
        assert!(block.contains("user (of 2 July 2023): Today I fired"), "{block}");
    }

    #[test]
    fn no_time_is_written_beside_a_day_without_a_year_or_a_tools_result() {
        let time = "2026-11-30T10:00:00Z".parse().unwrap();
        for (role, text, quote) in [
            ("user", "The exam is next week on 9 December.", "user: The exam is next week on 9 December.\n"),
            ("user", "The rent goes up by March.", "user: The rent goes up by March.\n"),
            ("tool", "It failed yesterday.", "tool result: It failed yesterday.\n"),
        ] {
            let said = recalled(Turn { time, role: role.to_owned(), ..turn(1, text) });
            let block = pack(&[said], &HashSet::new(), place(200), words).unwrap().unwrap().block();
            assert!(block.contains(&format!("\n[30 November 2026]\n{quote}")), "{block}");
        }
    }

    #[test]
    fn a_long_turn_is_quoted_by_its_best_passage() {
        let mut long = memory(1, &"word ".repeat(400));
        long.passage = Some("the answer is here".to_owned());
        let packed = pack(&[long], &HashSet::new(), place(100), words).unwrap().unwrap();
        assert!(packed.block().contains("the answer is here"));
        assert!(!packed.block().contains("word word"));
    }

    #[test]
    fn a_tools_long_result_is_quoted_by_several_passages_where_they_are_worth_it_and_else_by_one() {
        let quoted = |room: usize| {
            let mut long = memory(1, &"word ".repeat(400));
            long.excerpts = vec![format!("one\n…\n{}", "two ".repeat(20)), "…\nthe answer\n…".to_owned()];
            long.passage = Some("the answer".to_owned());
            pack(&[long], &HashSet::new(), place(room), words).unwrap().unwrap().block()
        };
        assert!(quoted(400).contains("user: one\n …\n two two"), "{}", quoted(400));
        assert!(quoted(60).contains("user: …\n the answer\n …\n"), "{}", quoted(60));
    }

    #[test]
    fn a_turn_that_is_not_worth_its_tokens_is_quoted_by_its_passage_or_not_at_all() {
        let place = Place { least_relevance: 2.0, ..place(1000) };
        let likely = |score: f32, passage: Option<&str>| {
            let long = memory(1, &"word ".repeat(100));
            let long = RecalledTurn { score, passage: passage.map(str::to_owned), ..long };
            pack(&[long], &HashSet::new(), place, words).unwrap().map(|packed| packed.block())
        };
        assert!(likely(0.3, None).unwrap().contains("word word"), "0.3 is worth 150 tokens");
        assert!(likely(0.1, Some("the answer")).unwrap().contains("user: … the answer …\n"), "0.1 is worth 50");
        assert_eq!(likely(0.1, None), None);
        assert_eq!(likely(0.001, Some("the answer")), None);
    }

    #[test]
    fn a_long_passage_is_quoted_by_its_sentences_where_it_does_not_fit() {
        let long = |passage: Option<String>| {
            let long = memory(1, &"word ".repeat(400));
            RecalledTurn { passage, sentences: Some("The answer.".to_owned()), ..long }
        };
        let quoted = |turn: RecalledTurn, room: usize| {
            pack(&[turn], &HashSet::new(), place(room), words).unwrap().unwrap().block()
        };
        let passage = || Some("some ".repeat(50));
        assert!(quoted(long(passage()), 400).contains("user: … some some"));
        assert!(quoted(long(passage()), 100).contains("user: … The answer. …\n"), "the passage is over a quarter");
        assert!(quoted(long(None), 100).contains("user: … The answer. …\n"));
    }

    #[test]
    fn a_turn_that_does_not_fit_below_its_day_is_quoted_by_what_does() {
        let frame = words(&block::render(&[])).unwrap();
        // "user: one two …" below "[1 January 1970]", and a line break behind each.
        let room = frame + 5 + 4;
        let full = memory(1, "one two three four");
        let shorter = RecalledTurn { passage: Some("one two".to_owned()), ..full.clone() };
        let block = |turn: RecalledTurn, room: usize| {
            let packed = pack(&[turn], &HashSet::new(), place(room), words).unwrap();
            packed.map(|packed| packed.block())
        };
        assert_eq!(block(full.clone(), room), None);
        assert!(block(shorter, room).unwrap().contains("\nuser: one two …\n"));
        let said = RecalledTurn { passage: Some("two three four five".to_owned()), ..full };
        let said = RecalledTurn { sentences: Some("one".to_owned()), ..said };
        assert!(block(said, room).unwrap().contains("\nuser: one …\n"));
    }

    #[test]
    fn marks_say_where_a_quote_has_not_all_of_its_turn_and_are_counted() {
        let text = format!("It began. {}It went on yesterday. {}It ended.", "word ".repeat(100), "word ".repeat(100));
        let time = "2023-07-03T10:00:00Z".parse().unwrap();
        let quoted = |passage: &str, role: &str, room: usize| {
            let turn = Turn { time, role: role.to_owned(), ..turn(1, &text) };
            let long = RecalledTurn { passage: Some(passage.to_owned()), ..recalled(turn) };
            pack(&[long], &HashSet::new(), place(room), words).unwrap().map(|packed| packed.block())
        };
        for (passage, role, quote) in [
            ("It began. ", "user", "user: It began. …\n"),
            ("It went on yesterday. ", "user", "user (of 2 July 2023): … It went on yesterday. …\n"),
            ("It ended.", "assistant", "assistant: … It ended.\n"),
            ("It went on yesterday.", "tool", "tool result: … It went on yesterday. …\n"),
        ] {
            let block = quoted(passage, role, 100).unwrap();
            assert!(block.contains(&format!("\n[3 July 2023]\n{quote}")), "{block}");
        }
        let whole = quoted("It began. ", "user", 1000).unwrap();
        assert!(whole.contains("It ended.\n") && !whole.contains('…'), "{whole}");
        // "user: It began. …" and the day above it take a word more than without the mark.
        let enough = words(&block::render(&[])).unwrap() + 9;
        assert!(quoted("It began. ", "user", enough).is_some());
        assert_eq!(quoted("It began. ", "user", enough - 1), None);
    }

    #[test]
    fn a_quote_names_every_turn_whose_time_it_bears() {
        let sent = RecalledTurn { sent_as: Some(id(9)), ..memory(2, "Where is the key?") };
        let packed = pack(&[memory(1, "where is the key"), sent], &HashSet::new(), place(200), words).unwrap().unwrap();
        let turns: Vec<TurnId> =
            packed.sources().iter().flat_map(|source| source.turns().collect::<Vec<_>>()).collect();
        assert_eq!(turns, [id(2), id(1), id(9)]);
    }

    #[test]
    fn without_room_or_memories_there_is_no_block() {
        assert_eq!(pack(&[memory(1, "a")], &HashSet::new(), place(5), words).unwrap(), None);
        assert_eq!(pack(&[], &HashSet::new(), place(1000), words).unwrap(), None);
    }

    #[test]
    fn what_the_prompt_quotes_already_is_quoted_again_only_if_it_is_short_and_among_the_best() {
        let all = [memory(1, "one"), memory(2, "two"), memory(3, "three"), memory(4, "four"), memory(5, "five")];
        let quoted: HashSet<TurnId> = [2, 4].map(id).into();
        let packed = pack(&all, &quoted, place(200), words).unwrap().unwrap();
        let positions: Vec<u32> = packed.sources().iter().map(|source| source.position).collect();
        assert_eq!(positions, [1, 2, 3, 5]);
        let long = [memory(2, &"word ".repeat(60))];
        assert_eq!(pack(&long, &quoted, place(200), words).unwrap(), None);
    }

    #[test]
    fn what_is_out_of_date_is_quoted_only_beside_what_is_newer() {
        let old = RecalledTurn { newer: Some(id(9)), ..memory(2, "In May.") };
        let new = memory(9, "In June now, and here are many more words.");
        let packed = |all: &[RecalledTurn], quoted: &HashSet<TurnId>, room: usize| {
            let packed = pack(all, quoted, place(room), words).unwrap();
            packed.map_or_else(Vec::new, |packed| packed.sources().iter().map(|source| source.position).collect())
        };
        let both = [new, old.clone(), memory(3, "three")];
        assert_eq!(packed(&both, &HashSet::new(), 300), [2, 3, 9]);
        assert_eq!(packed(&[old.clone(), memory(3, "three")], &HashSet::new(), 300), [3]);
        assert_eq!(packed(&[old], &[id(9)].into(), 300), [2], "the prompt has the newer one");
        for room in 0..60 {
            let found = packed(&both, &HashSet::new(), room);
            assert!(!found.contains(&2) || found.contains(&9), "{room}: {found:?}");
        }
    }

    proptest! {
        #[test]
        fn a_block_never_exceeds_its_room(
            texts in prop::collection::vec("[a-z ]{0,60}", 0..12), room in 0..120usize,
        ) {
            let all: Vec<RecalledTurn> =
                texts.iter().enumerate().map(|(index, text)| memory(index as u32, text)).collect();
            if let Some(packed) = pack(&all, &HashSet::new(), place(room), words).unwrap() {
                prop_assert!(words(&packed.block()).unwrap() <= room);
                prop_assert!(packed.memories() > 0);
            }
        }
    }
}
