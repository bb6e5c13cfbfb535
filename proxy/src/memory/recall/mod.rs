//! Finds the turns that matter for a question, best first, and the words to quote of them.

pub mod abstention;
mod asking;
pub mod candidates;
pub mod dates;
mod excerpts;
pub mod newer;
mod plain;
pub mod relevance;
mod scored_turns;
pub mod search;
mod sentences;
pub mod sketching;

use std::collections::{HashMap, HashSet};

use chrono::{DateTime, Utc};
use mainpoint_engine::Engine;
use mainpoint_store::{ConversationView, IndexedPassage, Scope, Snapshot, Store, Turn, TurnId, Within};

use self::abstention::{Evidence, Floor};
use self::asking::asking;
use self::candidates::{chances_beside, ranked};
use self::excerpts::excerpts;
use self::newer::{DatedTurn, newer, newest_first};
use self::plain::plainly;
use self::relevance::Candidate;
use self::search::{ComparedTurns, Search};
use self::sentences::Sentences;
use super::small_talk::SmallTalk;
use super::wording::words_of;
use crate::config::{MemoryConfig, RecallReach};
use crate::error::MemoryError;
use crate::room::Room;
use crate::telemetry::stopwatch::{Laps, Stopwatch};

/// What is asked of the memory.
#[derive(Debug)]
pub(crate) struct RecallQuery<'a> {
    /// Whose memory is asked.
    pub(crate) scope: &'a Scope,
    /// The question's text.
    pub(crate) text: String,
    /// When it is asked.
    pub(crate) asked: DateTime<Utc>,
    /// Whose turns are searched.
    pub(crate) reach: RecallReach,
    /// The conversation that it is asked in, if that is known.
    pub(crate) view: Option<ConversationView>,
    /// The conversation's turns that the prompt has not got whole: lost, evicted or shortened ones.
    pub(crate) missing: Vec<TurnId>,
    /// The turns that the prompt still has; they are never recalled.
    pub(crate) retained: HashSet<TurnId>,
}

/// The parts that a search needs.
pub(crate) struct Recall<'a> {
    /// Reads the question.
    pub(crate) engine: &'a Engine,
    /// Searches words and vectors.
    pub(crate) store: &'a Store,
    /// How much is searched and recalled.
    pub(crate) config: &'a MemoryConfig,
    /// What is no question about the memory, if that is known.
    pub(crate) small_talk: Option<&'a SmallTalk>,
    /// Most turns.
    pub(crate) most: usize,
    /// Where what is compared takes its place, if that is bounded.
    pub(crate) room: Option<&'a Room>,
}

/// A turn that is worth quoting, and the passage of it that answers best.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct RecalledTurn {
    /// The turn.
    pub(crate) turn: Turn,
    /// Its best passage, word for word; `None` when the turn is one passage.
    pub(crate) passage: Option<String>,
    /// Ways to quote the best passages of a tool's long result, longest first, with marks where something is left out.
    pub(crate) excerpts: Vec<String>,
    /// Where its best passage is long, the sentences of it that share most with the question, word for word.
    pub(crate) sentences: Option<String>,
    /// How likely it is, of everything that was compared with the question, that this turn answers it, 0 to 1; one that tells
    /// otherwise what others told is as likely as the likeliest of them.
    pub(crate) score: f32,
    /// The turn that said this first with more around it, and whose time it bears, if one did.
    pub(crate) sent_as: Option<TurnId>,
    /// The newer turn that tells otherwise what this one tells; without that one it is out of date.
    pub(crate) newer: Option<TurnId>,
    /// Bytes of the question that it was found for: a longer one brings along more of what it is about. Of what stands around the
    /// part that asks only some count, since a log brings along nothing.
    pub(crate) asked_bytes: usize,
}

/// What a question brought to mind.
#[derive(Debug, Default)]
pub(crate) struct RecallResult {
    /// The turns that matter, best first.
    pub(crate) turns: Vec<RecalledTurn>,
    /// What speaks for each of them.
    pub(crate) reasons: Vec<Candidate>,
    /// How well the best that was found matches the question.
    pub(crate) evidence: Evidence,
    /// Whether nothing that was found matches the question well enough, so that no turns are given.
    pub(crate) abstained: bool,
    /// What a long message asks, where that is known.
    pub(crate) asking: Option<String>,
    /// How long each step took.
    pub(crate) steps: Laps,
}

impl RecallResult {
    /// The same but for turns that say what the question does, or what of a long one asks, word for word: that it was
    /// asked before answers nothing.
    pub(crate) fn without_repetitions(self, question: &str) -> Self {
        let asked = self.questions(question);
        if asked.is_empty() {
            return self;
        }
        let found = self.turns.into_iter().zip(self.reasons);
        let (turns, reasons) = found.filter(|(recalled, _)| !asked.contains(&words_of(&recalled.turn.text))).unzip();
        Self { turns, reasons, ..self }
    }

    /// The words of a question, and of what of a long one asks, as far as there are any.
    pub(crate) fn questions(&self, question: &str) -> Vec<String> {
        let texts = [Some(question), self.asking.as_deref()];
        texts.into_iter().flatten().map(words_of).filter(|asked| !asked.is_empty()).collect()
    }

    /// The same with what was told last before what was told of it earlier, for a question asked at a time. Of a long
    /// one what asks counts: the dates of a log are no times that are asked about.
    pub(crate) fn newest_first(mut self, question: &str, asked: DateTime<Utc>) -> Self {
        let turns: Vec<DatedTurn<'_>> = self.turns.iter().map(RecalledTurn::dated).collect();
        let newer = newer(&self.asking.clone().unwrap_or_else(|| shortened(question)), asked, &turns);
        let ids: Vec<TurnId> = self.turns.iter().map(|recalled| recalled.turn.id).collect();
        for (place, later) in newer.iter().enumerate() {
            let Some((later, own)) = later.zip(self.turns.get_mut(place)) else { continue };
            own.newer = ids.get(later).copied();
            let score = own.score;
            if let Some(later) = self.turns.get_mut(later) {
                later.score = later.score.max(score);
            }
        }
        let mut found: Vec<Option<(RecalledTurn, Candidate)>> =
            self.turns.into_iter().zip(self.reasons).map(Some).collect();
        let order = newest_first(&newer).into_iter();
        let (turns, reasons) = order.filter_map(|place| found.get_mut(place)?.take()).unzip();
        Self { turns, reasons, ..self }
    }
}

impl RecalledTurn {
    fn dated(&self) -> DatedTurn<'_> {
        DatedTurn {
            role: &self.turn.role,
            text: self.passage.as_deref().unwrap_or(&self.turn.text),
            time: self.turn.time,
            chance: self.score,
        }
    }
}

impl Recall<'_> {
    /// The turns that matter, best first: those that are likely enough to answer, and none if none matches the
    /// question well enough. Of a message with pasted lines what asks is the question. Where that alone finds nothing,
    /// and the rest may say what it is about, the whole is.
    ///
    /// # Errors
    /// When the engine or the store fails.
    pub(crate) async fn run(&self, question: RecallQuery<'_>) -> Result<RecallResult, MemoryError> {
        let is_nothing_to_search = question.reach == RecallReach::Conversation && question.missing.is_empty();
        if is_nothing_to_search || question.text.trim().is_empty() {
            return Ok(RecallResult::default());
        }
        let bytes = question.text.len();
        let whole = Wording { text: shortened(&question.text), whole: &question.text, bytes };
        let Some(asking) = asking(&question.text) else {
            return self.find(&question, whole).await;
        };
        let bytes = bytes.min(AROUND).max(asking.text.len());
        let asked = Wording { text: asking.text.clone(), whole: &asking.text, bytes };
        let mut found = self.find(&question, asked).await?;
        if found.abstained && asking.needs_rest {
            let mut steps = found.steps;
            found = self.find(&question, whole).await?;
            steps.merge(found.steps);
            found.steps = steps;
        }
        Ok(RecallResult { asking: Some(asking.text), ..found })
    }

    /// What evidence must reach.
    fn floor(&self) -> Floor {
        let least_lead = self.small_talk.map_or(0.0, SmallTalk::least_lead);
        Floor { least_match: self.config.least_match, least_lead }
    }

    /// The turns that matter for a question in these words.
    async fn find(&self, question: &RecallQuery<'_>, wording: Wording<'_>) -> Result<RecallResult, MemoryError> {
        let Wording { text, whole, bytes } = wording;
        let mut watch = Stopwatch::start();
        let snapshot = self.store.snapshot(question.scope, &question.within()).await?;
        watch.lap("snapshot");
        let search = Search {
            snapshot: &snapshot,
            text: &text,
            whole,
            asked: question.asked,
            conversation: question.conversation(),
            retained: &question.retained,
            small_talk: self.small_talk,
            config: self.config,
            room: self.room,
        };
        let mut found = search.run(self.engine.question(&text)).await?;
        watch.absorb(found.take_steps());
        let evidence = found.evidence;
        if !evidence.is_enough(&self.floor()) {
            tracing::debug!(?evidence, "abstained");
            return Ok(RecallResult { evidence, abstained: true, steps: watch.laps(), ..RecallResult::default() });
        }
        let mut ranking = chances_beside(ranked(&found.candidates), |place| found.repeats(place));
        ranking.retain(|(place, _)| found.turns.get(*place).is_some_and(|turn| !question.retained.contains(turn)));
        ranking.truncate(self.most.saturating_add(JOINED));
        watch.lap("ranking");
        let ids: Vec<TurnId> = ranking.iter().filter_map(|(place, _)| found.turns.get(*place).copied()).collect();
        let plain = self.store.plain(question.scope, &ids).await?;
        // What the prompt says plainly need not be quoted as it was sent.
        let stays = |turn: &TurnId| plain.get(turn).is_none_or(|plain| !question.retained.contains(plain));
        ranking.retain(|(place, _)| found.turns.get(*place).is_some_and(stays));
        let asked = Sentences::of(&text);
        let (mut turns, reasons) = self.read(snapshot, question, &ranking, &found, &asked).await?;
        turns.iter_mut().for_each(|recalled| recalled.asked_bytes = bytes);
        let spoken: Vec<TurnId> = plain.values().copied().collect();
        let spoken = match spoken.is_empty() {
            true => Vec::new(),
            false => self.store.turns_in(question.scope, &spoken, question.conversation()).await?,
        };
        let found_turns = turns.into_iter().zip(reasons);
        let (turns, reasons): (Vec<_>, Vec<_>) =
            plainly(found_turns, &plain, &spoken, &asked, self.most).into_iter().unzip();
        watch.lap("texts");
        let steps = watch.laps();
        tracing::debug!(candidates = found.turns.len(), recalled = turns.len(), ?evidence, ?steps, "recalled");
        Ok(RecallResult { turns, reasons, evidence, abstained: false, asking: None, steps })
    }

    /// The turns of a ranking that are still there, with the passages that speak for them, and what else does.
    async fn read(
        &self,
        snapshot: Snapshot<'_>,
        question: &RecallQuery<'_>,
        ranking: &[(usize, f32)],
        found: &ComparedTurns,
        asked: &Sentences,
    ) -> Result<(Vec<RecalledTurn>, Vec<Candidate>), MemoryError> {
        let ids: Vec<TurnId> = ranking.iter().filter_map(|(place, _)| found.turns.get(*place).copied()).collect();
        let mut wanted: Vec<&IndexedPassage> = ranking.iter().filter_map(|(place, _)| found.best(*place)).collect();
        let first = ranking.iter().take(LONG_TURNS);
        wanted.extend(first.flat_map(|(place, _)| found.further(*place, FURTHER_PASSAGES)));
        let texts = snapshot.texts(&wanted).await?;
        // Turns are read from the store as it is now. Whoever waits for snapshots to end would keep that waiting.
        drop(snapshot);
        let turns = self.store.turns_in(question.scope, &ids, question.conversation()).await?;
        // Of each turn the best one first.
        let mut passages: HashMap<TurnId, Vec<String>> = HashMap::new();
        for (passage, text) in wanted.iter().zip(texts) {
            passages.entry(passage.turn).or_default().push(text);
        }
        let mut turns: HashMap<TurnId, Turn> = turns.into_iter().map(|turn| (turn.id, turn)).collect();
        let recalled = ranking.iter().filter_map(|(place, score)| {
            let id = found.turns.get(*place)?;
            let turn = turns.remove(id)?;
            let passages = passages.remove(id).unwrap_or_default();
            let passage = passages.first().filter(|text| !text.is_empty() && **text != turn.text).cloned();
            let is_result = passage.is_some() && matches!(turn.role.as_str(), "tool" | "function");
            let excerpts = if is_result { excerpts(&turn.text, &passages) } else { Vec::new() };
            let text = passage.as_deref().unwrap_or(&turn.text);
            let sentences = (!is_result).then(|| asked.telling(text)).flatten().map(str::to_owned);
            let (score, sent_as, newer, asked_bytes) = (*score, None, None, 0);
            let recalled = RecalledTurn { turn, passage, excerpts, sentences, score, sent_as, newer, asked_bytes };
            Some((recalled, *found.candidates.get(*place)?))
        });
        Ok(recalled.unzip())
    }
}

impl RecallQuery<'_> {
    /// The conversation whose times alone count, where nothing else is searched.
    fn conversation(&self) -> Option<ConversationView> {
        match self.reach {
            RecallReach::Caller => None,
            RecallReach::Conversation => self.view.clone(),
        }
    }

    fn within(&self) -> Within {
        match self.reach {
            RecallReach::Caller => Within::ScopeWith(self.missing.clone()),
            RecallReach::Conversation => Within::Turns(self.missing.clone()),
        }
    }
}

/// What is searched for.
struct Wording<'a> {
    /// What is read and compared.
    text: String,
    /// All that is asked.
    whole: &'a str,
    /// See [`RecalledTurn::asked_bytes`].
    bytes: usize,
}

/// So many places more are looked at than turns are recalled: some are left out since the prompt says plainly what they do, and of
/// some it turns out that they say the same.
const JOINED: usize = 8;
/// Of so many of the best turns further passages are read, in case they are long results …
const LONG_TURNS: usize = 16;
/// … and so many of each.
const FURTHER_PASSAGES: usize = 2;
/// A long message counts as so many bytes at most, where a part of it asks.
const AROUND: usize = 480;
/// Most bytes of a question; of a longer one its beginning and its end are asked. Reading it and comparing it
/// take time in proportion.
const QUESTION_BYTES: usize = 600;

fn shortened(text: &str) -> String {
    if text.len() <= QUESTION_BYTES {
        return text.to_owned();
    }
    let half = QUESTION_BYTES / 2;
    let head = (0..=half).rev().find_map(|end| text.get(..end)).unwrap_or_default();
    let tail = (text.len() - half..=text.len()).find_map(|start| text.get(start..)).unwrap_or_default();
    format!("{head}\n{tail}")
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;

    use super::*;
    use crate::memory::turns_for_tests::{id, recalled, turn};

    #[test]
    fn a_turn_that_only_repeats_the_question_is_left_out() {
        let left = |question: &str| {
            let texts = ["where is  the HARBOUR", "Where is the harbour? Behind the mill.", "?!"];
            let turns = (0..).zip(texts).map(|(position, text)| recalled(turn(position, text))).collect();
            let found = RecallResult { turns, reasons: vec![Candidate::default(); 3], ..RecallResult::default() };
            let left = found.without_repetitions(question);
            assert_eq!(left.turns.len(), left.reasons.len());
            left.turns.iter().map(|recalled| recalled.turn.position).collect::<Vec<_>>()
        };
        assert_eq!(left("Where is the harbour?\n"), [1, 2]);
        assert_eq!(left("harbour?"), [0, 1, 2]);
        assert_eq!(left("🦦"), [0, 1, 2], "what has no words repeats nothing");
    }

    #[test]
    fn a_turn_that_repeats_what_a_long_message_asks_is_left_out() {
        let texts = ["Where is the harbour?", "Behind the mill."];
        let turns = (0..).zip(texts).map(|(position, text)| recalled(turn(position, text))).collect();
        let asking = Some("where is the harbour".to_owned());
        let found = RecallResult { turns, reasons: vec![Candidate::default(); 2], asking, ..RecallResult::default() };
        let left = found.without_repetitions("where is the harbour\nINFO 200\nINFO 201");
        assert_eq!(left.turns.iter().map(|recalled| recalled.turn.position).collect::<Vec<_>>(), [1]);
    }

    #[test]
    fn the_dates_of_pasted_lines_are_no_times_that_a_question_names() {
        let texts = ["The ferry to Gotland is on 14 June.", "Our ferry to Gotland is on 21 June now."];
        let turns = (0..).zip(texts).map(|(day, text)| {
            let time = DateTime::UNIX_EPOCH + TimeDelta::days(i64::from(day));
            recalled(Turn { time, ..turn(day, text) })
        });
        let turns: Vec<RecalledTurn> = turns.collect();
        let question = "When is our ferry to Gotland?";
        let message = format!("{question}\n2023-05-07 INFO it is slow");
        let first = |asking: Option<&str>| {
            let (turns, asking) = (turns.clone(), asking.map(str::to_owned));
            let reasons = vec![Candidate::default(); 2];
            let found = RecallResult { turns, reasons, asking, ..RecallResult::default() };
            found.newest_first(&message, DateTime::UNIX_EPOCH).turns[0].turn.position
        };
        assert_eq!((first(None), first(Some(question))), (0, 1));
    }

    #[test]
    fn what_was_told_last_comes_before_what_it_tells_otherwise_and_is_as_likely() {
        let texts =
            ["The ferry to Gotland is on 14 June.", "We have two cabins.", "Our ferry to Gotland is on 21 June now."];
        let scores = [0.4, 0.3, 0.25];
        let turns = (0..).zip(texts).zip(scores).map(|((day, text), score)| {
            let time = DateTime::UNIX_EPOCH + TimeDelta::days(i64::from(day));
            RecalledTurn { score, ..recalled(Turn { time, ..turn(day, text) }) }
        });
        let reason = |place| Candidate { lexical: Some(place), ..Candidate::default() };
        let found =
            RecallResult { turns: turns.collect(), reasons: (0..3).map(reason).collect(), ..RecallResult::default() };
        let found = found.newest_first("When is our ferry to Gotland?", DateTime::UNIX_EPOCH);
        let each: Vec<(u32, f32, Option<TurnId>)> =
            found.turns.iter().map(|one| (one.turn.position, one.score, one.newer)).collect();
        assert_eq!(each, [(2, 0.4, None), (0, 0.4, Some(id(2))), (1, 0.3, None)]);
        let reasons: Vec<Option<usize>> = found.reasons.iter().map(|reason| reason.lexical).collect();
        assert_eq!(reasons, [Some(2), Some(0), Some(1)]);
    }

    #[test]
    fn a_long_question_is_asked_by_its_beginning_and_its_end() {
        let text = format!("begin {} end", "é".repeat(5000));
        let short = shortened(&text);
        assert!(short.len() <= QUESTION_BYTES + 1);
        assert!(short.starts_with("begin") && short.ends_with("end"));
        assert_eq!(shortened("short"), "short");
    }
}
