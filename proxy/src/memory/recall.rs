//! Finds the turns that matter for a question: by words, vectors and the reader's own attention, ranked together.
//!
//! It must not know prompts or budgets; it ranks turns.

use std::collections::{HashMap, HashSet};

use chrono::{DateTime, Utc};
use mainpoint_engine::{Engine, QueryBlock};
use mainpoint_store::{Found, Passage, Scope, Snapshot, Store, Turn, TurnId, Within};
use tokio::sync::Notify;

use super::abstention::Evidence;
use super::candidates::Candidates;
use super::ranking::Findings;
use super::rerank::{DEPTH, fused, reordered};
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

/// A turn that may be recalled, with what the searches found of it.
struct Ranked {
    recalled: Recalled,
    /// What stands for it in a prompt that is read once more.
    quoted: String,
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
        let embedded = Notify::new();
        let gathering = self.gather(&snapshot, (&text, &embedded), &mut watch);
        let queries = async {
            // Side by side, the embedder's pass and the reader's take twice as long each, and only the scores wait for this one.
            embedded.notified().await;
            self.queries(&text).await
        };
        let (found, queries) = tokio::try_join!(gathering, queries)?;
        let Some(found) = found else {
            return Ok(Recollection {
                turns: Vec::new(),
                abstained: true,
                steps: watch.laps(),
            });
        };
        let candidates = Candidates::of(self.engine, found, queries).await?;
        watch.lap("attention");
        let findings = Findings {
            question: &text,
            asked: question.asked,
            found: &candidates.hits,
            attention: &candidates.attention,
        };
        let mut ranked = findings.ranked(&candidates.turns);
        ranked.retain(|(turn, _)| !question.kept.contains(turn));
        ranked.truncate(self.config.recall_turns.max(if self.config.rerank { DEPTH } else { 0 }));
        watch.lap("ranking");
        let mut ranked = self.read(&snapshot, (question.scope, &ranked), &candidates).await?;
        watch.lap("texts");
        if self.config.rerank {
            let places = self.places_in_one_prompt(&text, &ranked).await;
            ranked = reordered(ranked, &places);
            watch.lap("reranking");
        }
        let best = ranked.into_iter().take(self.config.recall_turns);
        let turns: Vec<Recalled> = best.map(|ranked| ranked.recalled).collect();
        let steps = watch.laps();
        tracing::debug!(
            candidates = candidates.turns.len(),
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

    /// What both searches find; `None` if nothing is near enough to the question. Words are searched for while the embedder
    /// reads, and it is told when that has read.
    async fn gather(
        &self,
        snapshot: &Snapshot<'_>,
        (text, embedded): (&str, &Notify),
        watch: &mut Stopwatch,
    ) -> Result<Option<Found>, MemoryError> {
        let limit = self.config.candidates;
        let by_vector = async {
            let vector = self.engine.question_vector(text).await?;
            embedded.notify_one();
            watch.lap("embedding");
            Ok::<_, MemoryError>(snapshot.by_vector(&vector, limit).await?)
        };
        let by_words = async { Ok(snapshot.by_words(text, limit).await?) };
        let (dense, lexical) = tokio::try_join!(by_vector, by_words)?;
        watch.lap("search");
        let found = snapshot.identify(dense, lexical).await?;
        watch.lap("candidates");
        let evidence = Evidence::of(found.hits.dense.iter().map(|hit| hit.score), []);
        if !evidence.is_enough(self.config.least_similarity) {
            tracing::debug!(?evidence, "abstained");
            return Ok(None);
        }
        Ok(Some(found))
    }

    /// The turns of a ranking that are still there, with the passages that speak for them.
    async fn read(
        &self,
        snapshot: &Snapshot<'_>,
        (scope, ranking): (&Scope, &[(TurnId, f32)]),
        candidates: &Candidates,
    ) -> Result<Vec<Ranked>, MemoryError> {
        let ids: Vec<TurnId> = ranking.iter().map(|(turn, _)| *turn).collect();
        let best = ids.iter().filter_map(|turn| candidates.best(*turn));
        let first = ids.iter().take(DEPTH).filter_map(|turn| candidates.first(*turn));
        let wanted: Vec<&Passage> = if self.config.rerank {
            best.chain(first).collect()
        } else {
            best.collect()
        };
        let (turns, texts) = tokio::try_join!(self.store.turns(scope, &ids), snapshot.texts(&wanted))?;
        let texts: HashMap<u64, String> = wanted.iter().map(|passage| passage.row).zip(texts).collect();
        let scores: HashMap<TurnId, f32> = ranking.iter().copied().collect();
        let text = |passage: Option<&Passage>, turn: &Turn| {
            let text = passage.and_then(|passage| texts.get(&passage.row));
            text.filter(|text| !text.is_empty() && **text != turn.text).cloned()
        };
        let ranked = turns.into_iter().map(|turn| Ranked {
            quoted: text(candidates.first(turn.id), &turn).unwrap_or_else(|| turn.text.clone()),
            recalled: Recalled {
                passage: text(candidates.best(turn.id), &turn),
                score: scores.get(&turn.id).copied().unwrap_or_default(),
                turn,
            },
        });
        Ok(ranked.collect())
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
    async fn places_in_one_prompt(&self, question: &str, ranked: &[Ranked]) -> Vec<usize> {
        let texts: Vec<String> = ranked.iter().take(DEPTH).map(|ranked| ranked.quoted.clone()).collect();
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

/// Most bytes of a question; of a longer one its beginning and its end are asked. Attention search takes time in proportion.
const QUESTION_BYTES: usize = 1000;
/// Re-ranking may take one part in so many of the deadline.
const SHARE: u32 = 2;

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
    use super::*;

    #[test]
    fn a_long_question_is_asked_by_its_beginning_and_its_end() {
        let text = format!("begin {} end", "é".repeat(5000));
        let short = shortened(&text);
        assert!(short.len() <= QUESTION_BYTES + 1);
        assert!(short.starts_with("begin") && short.ends_with("end"));
        assert_eq!(shortened("short"), "short");
    }
}
