//! Finds the turns that matter for a question: by words, vectors and the reader's own attention, ranked together.
//!
//! It must not know prompts or budgets; it ranks turns.

use std::collections::{HashMap, HashSet};

use chrono::{DateTime, Utc};
use mainpoint_engine::{Engine, KeyBlock, QueryBlock};
use mainpoint_store::{Contents, Passage, Scope, SearchResult, Snapshot, Store, Turn, TurnId, Within};

use super::abstention::Evidence;
use super::ranking::Findings;
use super::rerank::{fused, reordered, texts};
use crate::chat::pack::Recalled;
use crate::config::MemoryConfig;
use crate::error::MemoryError;
use crate::telemetry::logs::OncePerMinute;
use crate::telemetry::metrics;
use crate::telemetry::stopwatch::{Laps, Stopwatch};

/// What is asked of the memory.
#[derive(Debug)]
pub(crate) struct Question<'a> {
    /// Whose memory is asked.
    pub(crate) scope: &'a Scope,
    /// The question's text.
    pub(crate) text: String,
    /// When it is asked.
    pub(crate) asked: DateTime<Utc>,
    /// The conversation's turns that have left the prompt.
    pub(crate) dropped: Vec<TurnId>,
    /// The turns that the prompt still has; they are never recalled.
    pub(crate) kept: HashSet<TurnId>,
}

/// The parts that a search needs.
pub(crate) struct Recall<'a> {
    /// Reads the question and scores keys.
    pub(crate) engine: &'a Engine,
    /// Searches words and vectors.
    pub(crate) store: &'a Store,
    /// How much is searched and recalled.
    pub(crate) config: &'a MemoryConfig,
    /// Which failures of re-ranking may be logged.
    pub(crate) warnings: &'a OncePerMinute,
}

/// What a question brought to mind.
#[derive(Debug, Default)]
pub(crate) struct Recollection {
    /// The turns that matter, best first.
    pub(crate) turns: Vec<Recalled>,
    /// Whether nothing that was found is near enough to the question, so that no turns are given.
    pub(crate) abstained: bool,
    /// How long each step took.
    pub(crate) steps: Laps,
}

/// What is known about everything that was found.
struct Gathered {
    found: SearchResult,
    passages: Vec<Passage>,
    turns: Vec<Turn>,
}

/// The passages that were found, those that fit best first.
struct Passages {
    passages: Vec<Passage>,
    /// The attention that the question pays to each turn's passages whose keys can be read; empty without attention search.
    attention: Vec<(f32, TurnId)>,
}

impl Recall<'_> {
    /// The turns that matter, best first; at most `memory.recall_turns`, and none if none is near enough to the question.
    ///
    /// # Errors
    /// When the engine or the store fails.
    pub(crate) async fn run(&self, question: Question<'_>) -> Result<Recollection, MemoryError> {
        let text = shortened(&question.text);
        if text.trim().is_empty() {
            return Ok(Recollection::default());
        }
        let mut watch = Stopwatch::start();
        let snapshot = self.store.snapshot(question.scope, &self.within(&question)).await?;
        watch.lap("snapshot");
        let gathering = self.gather(&snapshot, (question.scope, &text), &mut watch);
        // The reader's pass over the question is the longest single step; nothing waits for it but the scores.
        let (gathered, queries) = tokio::try_join!(gathering, self.queries(&text))?;
        let Some(Gathered { found, passages, turns }) = gathered else {
            return Ok(Recollection {
                turns: Vec::new(),
                abstained: true,
                steps: watch.laps(),
            });
        };
        let passages = match queries {
            Some(queries) => attend(self.engine.clone(), queries, passages).await?,
            None => by_cosine(&found, passages),
        };
        watch.lap("attention");
        let findings = Findings {
            question: &text,
            asked: question.asked,
            found: &found,
            attention: &passages.attention,
        };
        let mut ranked = findings.ranked(turns);
        ranked.retain(|(turn, _)| !question.kept.contains(&turn.id));
        watch.lap("ranking");
        if self.config.rerank {
            let texts = texts(&ranked, &found, &passages.passages);
            let places = self.places_in_one_prompt(&text, texts).await;
            ranked = reordered(ranked, &places);
            watch.lap("reranking");
        }
        let best = ranked.into_iter().take(self.config.recall_turns);
        let turns: Vec<Recalled> = best
            .map(|(turn, score)| Recalled {
                passage: best_passage(&turn, &passages.passages),
                score,
                turn,
            })
            .collect();
        let steps = watch.laps();
        tracing::debug!(
            candidates = passages.passages.len(),
            recalled = turns.len(),
            ?steps,
            "recalled"
        );
        Ok(Recollection {
            turns,
            abstained: false,
            steps,
        })
    }

    /// What both searches find, with its texts and keys; `None` if nothing is near enough to the question. Words are searched
    /// for while the embedder reads.
    async fn gather(
        &self,
        snapshot: &Snapshot<'_>,
        (scope, text): (&Scope, &str),
        watch: &mut Stopwatch,
    ) -> Result<Option<Gathered>, MemoryError> {
        let limit = self.config.candidates;
        let by_vector = async {
            let vector = self.engine.question_vector(text).await?;
            Ok::<_, MemoryError>(snapshot.by_vector(&vector, limit).await?)
        };
        let by_words = async { Ok(snapshot.by_words(text, limit).await?) };
        let (dense, lexical) = tokio::try_join!(by_vector, by_words)?;
        watch.lap("search");
        let found = snapshot.identify(dense, lexical).await?;
        watch.lap("identify");
        let evidence = Evidence::of(found.hits.dense.iter().map(|hit| hit.score), []);
        if !evidence.is_enough(self.config.least_similarity) {
            tracing::debug!(?evidence, "abstained");
            return Ok(None);
        }
        let hits = found.hits.lexical.iter().chain(&found.hits.dense);
        let mut turns: Vec<TurnId> = hits.map(|hit| hit.turn).collect();
        turns.sort_unstable();
        turns.dedup();
        let contents = if self.config.attention_search {
            Contents::TextAndKeys
        } else {
            Contents::Text
        };
        let (passages, turns) = tokio::try_join!(snapshot.passages(&found, contents), self.store.turns(scope, &turns))?;
        watch.lap("candidates");
        Ok(Some(Gathered {
            found: found.hits,
            passages,
            turns,
        }))
    }

    /// The reader's queries of the question, where attention searches.
    async fn queries(&self, text: &str) -> Result<Option<QueryBlock>, MemoryError> {
        if !self.config.attention_search {
            return Ok(None);
        }
        Ok(Some(self.engine.question_queries(text).await?))
    }

    fn within(&self, question: &Question<'_>) -> Within {
        if self.config.across_conversations {
            Within::ScopeWith(question.dropped.clone())
        } else {
            Within::Conversation(question.dropped.clone())
        }
    }

    /// The places of the first turns, best first, now that their texts were read together; none if that failed or took too
    /// long, which is counted and leaves the order as it was.
    async fn places_in_one_prompt(&self, question: &str, texts: Vec<String>) -> Vec<usize> {
        if texts.is_empty() {
            return Vec::new();
        }
        let scores = tokio::time::timeout(self.config.deadline / SHARE, self.engine.rerank(question, texts)).await;
        let error = match scores {
            Ok(Ok(scores)) => return fused(&scores),
            Ok(Err(error)) => MemoryError::Engine(error),
            Err(_) => MemoryError::RerankDeadline,
        };
        metrics::failure(error.label());
        if self.warnings.allows(error.label()) {
            tracing::warn!(kind = error.label(), error = %error, "the turns found were not re-ranked; their order stays as it was");
        }
        Vec::new()
    }
}

/// The passages by the attention that each gets from the question, most first.
async fn attend(engine: Engine, queries: QueryBlock, passages: Vec<Passage>) -> Result<Passages, MemoryError> {
    let scored = tokio::task::spawn_blocking(move || {
        // A passage whose keys are damaged is ranked by words and vectors alone.
        let (passages, keys): (Vec<Passage>, Vec<KeyBlock>) = passages
            .into_iter()
            .filter_map(|passage| KeyBlock::from_bytes(&passage.keys).ok().map(|keys| (passage, keys)))
            .unzip();
        let scores = engine.attention_scores(&queries, &keys);
        let mut scored: Vec<(f32, Passage)> = scores.into_iter().zip(passages).collect();
        scored.sort_by(|a, b| b.0.total_cmp(&a.0).then_with(|| a.1.turn.cmp(&b.1.turn)));
        Passages {
            attention: scored.iter().map(|(score, passage)| (*score, passage.turn)).collect(),
            passages: scored.into_iter().map(|(_, passage)| passage).collect(),
        }
    });
    Ok(scored.await?)
}

/// The passages by their similarity to the question, most first; those that only words found come last.
fn by_cosine(found: &SearchResult, mut passages: Vec<Passage>) -> Passages {
    let similar: HashMap<(TurnId, u32), f32> = found
        .dense
        .iter()
        .map(|hit| ((hit.turn, hit.passage), hit.score))
        .collect();
    let place = |passage: &Passage| (passage.turn, passage.passage);
    let score = |passage: &Passage| similar.get(&place(passage)).copied().unwrap_or(f32::NEG_INFINITY);
    passages.sort_by(|a, b| score(b).total_cmp(&score(a)).then_with(|| place(a).cmp(&place(b))));
    Passages {
        passages,
        attention: Vec::new(),
    }
}

/// Most bytes of a question; of a longer one its beginning and its end are asked. Attention search takes time in proportion.
const QUESTION_BYTES: usize = 1000;
/// Re-ranking may take one part in so many of the deadline.
const SHARE: u32 = 2;

/// The passages are sorted, so the first one of a turn is its best; `None` when that is the whole turn.
fn best_passage(turn: &Turn, passages: &[Passage]) -> Option<String> {
    let best = passages.iter().find(|passage| passage.turn == turn.id)?;
    (!best.text.is_empty() && best.text != turn.text).then(|| best.text.clone())
}

fn shortened(text: &str) -> String {
    if text.len() <= QUESTION_BYTES {
        return text.to_owned();
    }
    let half = QUESTION_BYTES / 2;
    let head = (0..=half).rev().find_map(|end| text.get(..end)).unwrap_or_default();
    let tail = (text.len() - half..=text.len())
        .find_map(|start| text.get(start..))
        .unwrap_or_default();
    format!("{head}\n{tail}")
}

#[cfg(test)]
mod tests {
    use mainpoint_store::Hit;

    use super::*;

    #[test]
    fn without_attention_the_passage_most_like_the_question_is_a_turns_best() {
        let passage = |passage: u32| Passage {
            turn: TurnId([1; 16]),
            passage,
            text: format!("passage {passage}"),
            keys: Vec::new(),
        };
        let hit = |passage: u32, score: f32| Hit {
            turn: TurnId([1; 16]),
            passage,
            score,
        };
        let found = SearchResult {
            dense: vec![hit(2, 0.9), hit(0, 0.1)],
            lexical: vec![hit(1, 7.0)],
        };
        let passages = by_cosine(&found, vec![passage(0), passage(1), passage(2)]);
        let order: Vec<u32> = passages.passages.iter().map(|passage| passage.passage).collect();
        assert_eq!(order, [2, 0, 1]);
        assert!(passages.attention.is_empty());
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
