//! Finds the turns that matter for a question: by words, vectors and the reader's own attention, ranked together.
//!
//! It must not know prompts or budgets; it ranks turns.

use std::collections::{HashMap, HashSet};
use std::time::Instant;

use mainpoint_engine::{Engine, KeyBlock};
use mainpoint_store::{Point, Scope, SearchQuery, Store, Turn, TurnId, Within};

use super::ranking::Findings;
use super::rerank::{fused, reordered, texts};
use crate::chat::pack::Recalled;
use crate::config::MemoryConfig;
use crate::error::MemoryError;
use crate::telemetry::logs::OncePerMinute;
use crate::telemetry::metrics;

/// What is asked of the memory.
#[derive(Debug)]
pub(crate) struct Question<'a> {
    /// Whose memory is asked.
    pub(crate) scope: &'a Scope,
    /// The question's text.
    pub(crate) text: String,
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

impl Recall<'_> {
    /// The turns that matter, best first; at most `memory.recall_turns`.
    ///
    /// # Errors
    /// When the engine or the store fails.
    pub(crate) async fn run(&self, question: Question<'_>) -> Result<Vec<Recalled>, MemoryError> {
        let text = shortened(&question.text);
        if text.trim().is_empty() {
            return Ok(Vec::new());
        }
        let started = Instant::now();
        let asked = self.engine.question(&text).await?;
        let within = if self.config.across_conversations {
            Within::Scope
        } else {
            Within::Conversation(question.dropped.clone())
        };
        let query = SearchQuery {
            scope: question.scope.clone(),
            within,
            vector: asked.vector.clone(),
            text,
            limit: self.config.candidates,
        };
        let mut found = self.store.search(&query).await?;
        let attention = self
            .attend(asked, deduplicated(std::mem::take(&mut found.points)))
            .await?;
        let mut turns: Vec<TurnId> = found.lexical.iter().chain(&found.dense).map(|hit| hit.turn).collect();
        turns.sort_unstable();
        turns.dedup();
        let turns = self.store.turns(question.scope, &turns).await?;
        let attended: Vec<(f32, TurnId)> = attention.iter().map(|(score, point)| (*score, point.turn)).collect();
        let findings = Findings {
            question: &query.text,
            found: &found,
            attention: &attended,
        };
        let mut ranked = findings.ranked(turns);
        ranked.retain(|(turn, _)| !question.kept.contains(&turn.id));
        if self.config.rerank {
            let points: Vec<&Point> = attention.iter().map(|(_, point)| point).collect();
            let texts = texts(&ranked, &found, &points);
            let places = self.places_in_one_prompt(&query.text, texts).await;
            ranked = reordered(ranked, &places);
        }
        let best = ranked.into_iter().take(self.config.recall_turns);
        let recalled: Vec<Recalled> = best
            .map(|(turn, score)| Recalled {
                passage: best_passage(&turn, &attention),
                score,
                turn,
            })
            .collect();
        tracing::debug!(
            candidates = attention.len(),
            recalled = recalled.len(),
            milliseconds = started.elapsed().as_millis(),
            "recalled"
        );
        Ok(recalled)
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

    /// The attention that each point gets from the question, most first.
    async fn attend(
        &self,
        question: mainpoint_engine::Question,
        points: Vec<Point>,
    ) -> Result<Vec<(f32, Point)>, MemoryError> {
        let engine = self.engine.clone();
        let scored = tokio::task::spawn_blocking(move || {
            // A point whose keys are damaged is ranked by words and vectors alone.
            let (points, keys): (Vec<Point>, Vec<KeyBlock>) = points
                .into_iter()
                .filter_map(|point| KeyBlock::from_bytes(&point.keys).ok().map(|keys| (point, keys)))
                .unzip();
            let scores = engine.attention_scores(&question, &keys);
            let mut scored: Vec<(f32, Point)> = scores.into_iter().zip(points).collect();
            scored.sort_by(|a, b| b.0.total_cmp(&a.0).then_with(|| a.1.turn.cmp(&b.1.turn)));
            scored
        });
        Ok(scored.await?)
    }
}

/// Most bytes of a question; of a longer one its beginning and its end are asked. Attention search takes time in proportion.
const QUESTION_BYTES: usize = 1000;
/// Re-ranking may take one part in so many of the deadline.
const SHARE: u32 = 2;

fn deduplicated(points: Vec<Point>) -> Vec<Point> {
    let unique: HashMap<(TurnId, u32), Point> = points
        .into_iter()
        .map(|point| ((point.turn, point.passage), point))
        .collect();
    unique.into_values().collect()
}

/// `attention` is sorted, so the first point of a turn is its best passage; `None` when that is the whole turn.
fn best_passage(turn: &Turn, attention: &[(f32, Point)]) -> Option<String> {
    let best = attention
        .iter()
        .map(|(_, point)| point)
        .find(|point| point.turn == turn.id)?;
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
