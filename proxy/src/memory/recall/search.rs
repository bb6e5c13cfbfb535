//! Searches one snapshot of the memory for a question: by words, by vectors, by sketches and by the codes of what these find.
//!
//! Where few passages are in question, all of them are compared by their codes; else those that words, vectors and
//! sketches find.

use std::collections::{HashMap, HashSet};

use chrono::{DateTime, Utc};
use mainpoint_engine::{EncodedQuestion, EngineError};
use mainpoint_store::{ConversationView, Hit, IndexedPassage, SearchResult, Sketches, Snapshot, TurnId};
use tokio::sync::oneshot;

use super::abstention::Evidence;
use super::candidates::SearchFindings;
use super::dates::periods;
use super::relevance::Candidate;
use super::scored_turns::ScoredTurns;
use super::sketching;
use crate::config::MemoryConfig;
use crate::error::MemoryError;
use crate::memory::features::TurnFeatures;
use crate::memory::ranking_data::RankingData;
use crate::memory::small_talk::SmallTalk;
use crate::memory::wording::words_of;
use crate::room::{Held, Room};
use crate::telemetry::metrics;
use crate::telemetry::stopwatch::{Laps, Stopwatch};

/// A search of one snapshot.
pub struct Search<'a> {
    /// What is searched.
    pub snapshot: &'a Snapshot<'a>,
    /// The question's text, or what is asked of a long one.
    pub text: &'a str,
    /// All of the question's text.
    pub whole: &'a str,
    /// When it is asked.
    pub asked: DateTime<Utc>,
    /// The conversation whose times alone count; `None` counts when turns were said anywhere.
    pub conversation: Option<ConversationView>,
    /// Turns that say nothing about whether the question has an answer, since nobody recalls them.
    pub retained: &'a HashSet<TurnId>,
    /// What the question is compared with to know small talk; `None` takes every question for one that has an answer.
    pub small_talk: Option<&'a SmallTalk>,
    /// How much is looked at: `candidates` and `scan_passages`.
    pub config: &'a MemoryConfig,
    /// Where all passages that are compared take their places, if that is bounded; where there is no room only what searches find is
    /// compared.
    pub room: Option<&'a Room>,
}

/// What was found.
#[derive(Debug)]
pub struct ComparedTurns {
    /// Every turn that was compared with the question, once.
    pub turns: Vec<TurnId>,
    /// The same turns, in the same order, with what speaks for each; [`super::candidates::ranked`] puts them in order.
    pub candidates: Vec<Candidate>,
    /// Those of them that say what the question does, word for word.
    pub repetitions: HashSet<TurnId>,
    /// How well the best of the others match.
    pub evidence: Evidence,
    /// The passages of each, the one that speaks for it first.
    passages: Vec<Vec<IndexedPassage>>,
    /// What words and vectors found.
    hits: SearchResult,
    steps: Laps,
    /// What is held for all of that.
    _held: Option<Held>,
}

impl Search<'_> {
    /// Searches while the question is being read, and on when it is.
    ///
    /// # Errors
    /// When the question cannot be read, or the store fails.
    pub async fn run(
        &self,
        question: impl Future<Output = Result<EncodedQuestion, EngineError>>,
    ) -> Result<ComparedTurns, MemoryError> {
        let mut watch = Stopwatch::start();
        let candidates = self.config.candidates;
        let (tell, is_large) = oneshot::channel();
        let by_question = async {
            let question = question.await?;
            watch.lap("question");
            // Where everything is compared there is nothing for sketches to find.
            let sketches = match is_large.await {
                Ok(true) => sketching::in_memory(self.snapshot, question.codes.sketch_form()).await,
                _ => Sketches::default(),
            };
            let limits = CandidateLimits::new(candidates, sketches.is_whole);
            let by_vector =
                async { Ok::<_, MemoryError>(self.snapshot.by_vector(&question.vector, limits.vectors).await?) };
            let by_sketch = async { Ok(sketching::nearest(sketches, &question.codes, limits.sketches).await) };
            let (dense, sketched) = tokio::try_join!(by_vector, by_sketch)?;
            Ok::<_, MemoryError>((question, dense, sketched, limits.words))
        };
        let by_words = async { Ok(self.snapshot.by_words(self.text, candidates).await?) };
        let everything = async {
            let rows = self.snapshot.all_rows(self.config.scan_passages).await?;
            let rows = rows.and_then(|rows| Some((self.held(rows.len())?, rows)));
            // Nobody listens any more only where the question failed.
            let _ = tell.send(rows.is_none());
            match rows {
                Some((held, rows)) => Ok((Some(self.snapshot.passages_in(rows).await?), held)),
                None => Ok((None, None)),
            }
        };
        let ((question, dense, sketched, words), mut lexical, (everything, held)) =
            tokio::try_join!(by_question, by_words, everything)?;
        lexical.keep_best(words);
        watch.lap("search");
        let found = self.snapshot.identify(dense, lexical, sketched).await?;
        watch.lap("candidates");
        let (hits, passages) = (found.hits, everything.unwrap_or(found.passages));
        let small_talk = self.small_talk.and_then(|known| known.likeness(&question.vector));
        let codes = question.codes.clone();
        let comparing = tokio::task::spawn_blocking(move || {
            ScoredTurns::new(passages, |documents| codes.max_sim_and_best(documents))
        });
        let mut compared = comparing.await?;
        let repetitions = self.repetitions(&compared).await?;
        if !repetitions.is_empty() {
            // That it was asked before makes none of its words less rare.
            let (codes, left_out) = (question.codes, repetitions.clone());
            let comparing = tokio::task::spawn_blocking(move || {
                compared.compared_without(&left_out, |documents| codes.max_sim_and_best(documents))
            });
            compared = comparing.await?;
        }
        watch.lap("comparing");
        let tells = |turn: &TurnId| !self.retained.contains(turn) && !repetitions.contains(turn);
        let recallable = |(turn, max_sim): (&TurnId, &Option<f32>)| max_sim.filter(|_| tells(turn));
        let max_sims = compared.turns().zip(compared.max_sims()).filter_map(recallable);
        let cosines = hits.dense.iter().filter(|hit| tells(&hit.turn));
        let evidence = Evidence::new(max_sims, cosines.map(|hit| hit.score), small_talk);
        let periods = periods(self.text, self.asked);
        let times = if periods.is_empty() {
            HashMap::new()
        } else {
            let first_seen = compared.profiles().iter().map(|(turn, profile)| (*turn, profile.time)).collect();
            let times = self.snapshot.times(first_seen, self.conversation.clone(), MOST_TIMES).await?;
            watch.lap("times");
            times
        };
        let findings = SearchFindings {
            question: self.text,
            periods: &periods,
            found: &hits,
            max_sims: compared.max_sims(),
            times: &times,
        };
        let candidates = findings.candidates(compared.profiles());
        Ok(ComparedTurns {
            turns: compared.turns().copied().collect(),
            candidates,
            repetitions,
            evidence,
            passages: compared.into_best_first(&hits),
            hits,
            steps: watch.laps(),
            _held: held,
        })
    }
}

impl Search<'_> {
    /// What so many passages take; `None` where there is no room for them.
    fn held(&self, passages: usize) -> Option<Option<Held>> {
        let Some(room) = self.room else {
            return Some(None);
        };
        let held = room.try_take(passages * self.snapshot.passage_bytes());
        if held.is_none() {
            metrics::no_room("recall");
        }
        held.map(Some)
    }

    /// Those of the turns that match best that say what the question does, word for word, as far as all of their passages were
    /// found. Of many that do the best are looked at, a few at a time, as long as each of these does.
    async fn repetitions(&self, compared: &ScoredTurns) -> Result<HashSet<TurnId>, MemoryError> {
        let asked = words_of(self.whole);
        let mut found = HashSet::new();
        if asked.is_empty() {
            return Ok(found);
        }
        let length = TurnFeatures::new("user", self.whole).tokens;
        let is_as_long = |profile: &RankingData| profile.features.tokens.abs_diff(length) <= PUNCTUATION;
        let alike = compared.best_of(is_as_long, MOST_REPETITIONS);
        for turns in alike.chunks(REPETITIONS_AT_ONCE) {
            let passages: Vec<&IndexedPassage> = turns.iter().copied().flatten().collect();
            let mut texts = self.snapshot.texts(&passages).await?.into_iter();
            let before = found.len();
            for passages in turns {
                let said: Vec<String> = texts.by_ref().take(passages.len()).collect();
                if words_of(&said.join(" ")) == asked {
                    found.extend(passages.first().map(|passage| passage.turn));
                }
            }
            if found.len() - before < REPETITIONS_AT_ONCE {
                break;
            }
        }
        Ok(found)
    }
}

impl ComparedTurns {
    /// Whether the turn at a place says what the question does.
    pub(super) fn repeats(&self, place: usize) -> bool {
        self.turns.get(place).is_some_and(|turn| self.repetitions.contains(turn))
    }

    /// The passage that speaks for a turn: the one whose codes match best, else the one that was found first.
    pub(super) fn best(&self, place: usize) -> Option<&IndexedPassage> {
        self.passages.get(place)?.first()
    }

    /// Further passages of a turn: the one that words found first, then those that vectors did, at most so many.
    pub(super) fn further(&self, place: usize, most: usize) -> Vec<&IndexedPassage> {
        let passages = self.passages.get(place).map(Vec::as_slice).unwrap_or_default();
        let Some((best, others)) = passages.split_first().filter(|(_, others)| !others.is_empty()) else {
            return Vec::new();
        };
        let is_own = |hit: &&Hit| hit.turn == best.turn;
        let by_words = self.hits.lexical.iter().filter(is_own).take(1);
        let mut found: Vec<&IndexedPassage> = Vec::new();
        for hit in by_words.chain(self.hits.dense.iter().filter(is_own)) {
            if found.len() == most {
                break;
            }
            let is_new = found.iter().all(|known| known.passage != hit.passage);
            found.extend(others.iter().find(|passage| is_new && passage.passage == hit.passage));
        }
        found
    }

    /// How long each step took.
    pub(super) fn take_steps(&mut self) -> Laps {
        std::mem::take(&mut self.steps)
    }
}

/// How many passages each search may find.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct CandidateLimits {
    words: usize,
    vectors: usize,
    sketches: usize,
}

impl CandidateLimits {
    /// Of a search with so many `memory.candidates`, at least 1. Where the sketches of every passage were compared, each search
    /// finds the same share of its candidates only: what sketches find is more of the best than what is left out. What some
    /// passages' sketches find comes on top, since of the other passages there is nothing but words and vectors.
    fn new(candidates: usize, are_sketches_whole: bool) -> Self {
        let share = candidates.div_ceil(SHARE_WITH_SKETCHES);
        let words = if are_sketches_whole { share } else { candidates };
        Self { words, vectors: words.saturating_mul(VECTORS), sketches: share }
    }
}

/// So many turns that are as long as the question are read at once to see whether they say what it does: such a one matches it best …
const REPETITIONS_AT_ONCE: usize = 4;
/// … and so many in all.
const MOST_REPETITIONS: usize = 32;
/// By about so many tokens' punctuation and space turns with the same words differ.
const PUNCTUATION: u32 = 2;
/// So many of the times when a turn was said are compared with those that a question names, the last ones: "yes" may
/// have been said thousands of times.
const MOST_TIMES: usize = 64;
/// So many times as many passages are found by their vectors as by words: of what has the best codes, vectors find more.
const VECTORS: usize = 2;
/// With all sketches each search finds so many times fewer passages: of the ten best of 100,000 passages 400 candidates
/// without sketches found .828, half as many with sketches .991, and comparing half as many takes less time.
const SHARE_WITH_SKETCHES: usize = 2;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn with_all_sketches_each_search_finds_half_as_many() {
        assert_eq!(CandidateLimits::new(400, true), CandidateLimits { words: 200, vectors: 400, sketches: 200 });
        assert_eq!(CandidateLimits::new(1, true), CandidateLimits { words: 1, vectors: 2, sketches: 1 });
    }

    #[test]
    fn without_all_sketches_words_and_vectors_find_all_their_candidates() {
        assert_eq!(CandidateLimits::new(400, false), CandidateLimits { words: 400, vectors: 800, sketches: 200 });
    }
}
