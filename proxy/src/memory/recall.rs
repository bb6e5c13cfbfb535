//! Finds the turns that matter for a question: by words, vectors and the reader's own attention, ranked together.
//!
//! It must not know prompts or budgets; it ranks turns.

use std::collections::{HashMap, HashSet};

use chrono::{DateTime, Utc};
use mainpoint_engine::{Engine, KeyBlock};
use mainpoint_store::{Point, Scope, SearchQuery, SearchResult, Store, Turn, TurnId, Within};

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

/// The passages that were found, those that fit best first.
struct Passages {
    points: Vec<Point>,
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
        let (vector, attentive) = self.prepare(&text).await?;
        watch.lap("question");
        let query = SearchQuery {
            scope: question.scope.clone(),
            within: self.within(&question),
            vector,
            text,
            limit: self.config.candidates,
        };
        let mut found = self.store.search(&query).await?;
        watch.lap("search");
        let points = deduplicated(std::mem::take(&mut found.points));
        let mut turns: Vec<TurnId> = found.lexical.iter().chain(&found.dense).map(|hit| hit.turn).collect();
        turns.sort_unstable();
        turns.dedup();
        let attending = async {
            match attentive {
                Some(attentive) => attend(self.engine.clone(), attentive, points).await,
                None => Ok(by_cosine(&found, points)),
            }
        };
        let fetching = async { Ok(self.store.turns(question.scope, &turns).await?) };
        let (passages, turns) = tokio::try_join!(attending, fetching)?;
        watch.lap("candidates");
        let evidence = evidence(&found, &passages);
        if !evidence.is_enough(self.config.least_similarity) {
            let steps = watch.laps();
            tracing::debug!(candidates = passages.points.len(), ?evidence, ?steps, "abstained");
            return Ok(Recollection {
                turns: Vec::new(),
                abstained: true,
                steps,
            });
        }
        let findings = Findings {
            question: &query.text,
            asked: question.asked,
            found: &found,
            attention: &passages.attention,
        };
        let mut ranked = findings.ranked(turns);
        ranked.retain(|(turn, _)| !question.kept.contains(&turn.id));
        watch.lap("ranking");
        if self.config.rerank {
            let points: Vec<&Point> = passages.points.iter().collect();
            let texts = texts(&ranked, &found, &points);
            let places = self.places_in_one_prompt(&query.text, texts).await;
            ranked = reordered(ranked, &places);
            watch.lap("reranking");
        }
        let best = ranked.into_iter().take(self.config.recall_turns);
        let turns: Vec<Recalled> = best
            .map(|(turn, score)| Recalled {
                passage: best_passage(&turn, &passages.points),
                score,
                turn,
            })
            .collect();
        let steps = watch.laps();
        tracing::debug!(
            candidates = passages.points.len(),
            recalled = turns.len(),
            ?evidence,
            ?steps,
            "recalled"
        );
        Ok(Recollection {
            turns,
            abstained: false,
            steps,
        })
    }

    /// The question's vector, and the whole question where attention searches, too.
    async fn prepare(&self, text: &str) -> Result<(Vec<f32>, Option<mainpoint_engine::Question>), MemoryError> {
        if !self.config.attention_search {
            return Ok((self.engine.question_vector(text).await?, None));
        }
        let question = self.engine.question(text).await?;
        Ok((question.vector.clone(), Some(question)))
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

/// The points by the attention that each gets from the question, most first.
async fn attend(
    engine: Engine,
    question: mainpoint_engine::Question,
    points: Vec<Point>,
) -> Result<Passages, MemoryError> {
    let scored = tokio::task::spawn_blocking(move || {
        // A point whose keys are damaged is ranked by words and vectors alone.
        let (points, keys): (Vec<Point>, Vec<KeyBlock>) = points
            .into_iter()
            .filter_map(|point| KeyBlock::from_bytes(&point.keys).ok().map(|keys| (point, keys)))
            .unzip();
        let scores = engine.attention_scores(&question, &keys);
        let mut scored: Vec<(f32, Point)> = scores.into_iter().zip(points).collect();
        scored.sort_by(|a, b| b.0.total_cmp(&a.0).then_with(|| a.1.turn.cmp(&b.1.turn)));
        Passages {
            attention: scored.iter().map(|(score, point)| (*score, point.turn)).collect(),
            points: scored.into_iter().map(|(_, point)| point).collect(),
        }
    });
    Ok(scored.await?)
}

/// The points by their similarity to the question, most first; those that only words found come last.
fn by_cosine(found: &SearchResult, mut points: Vec<Point>) -> Passages {
    let similar: HashMap<(TurnId, u32), f32> = found
        .dense
        .iter()
        .map(|hit| ((hit.turn, hit.passage), hit.score))
        .collect();
    let score = |point: &Point| {
        let known = similar.get(&(point.turn, point.passage)).copied();
        known.unwrap_or(f32::NEG_INFINITY)
    };
    points.sort_by(|a, b| {
        let place = |point: &Point| (point.turn, point.passage);
        score(b).total_cmp(&score(a)).then_with(|| place(a).cmp(&place(b)))
    });
    Passages {
        points,
        attention: Vec::new(),
    }
}

fn evidence(found: &SearchResult, passages: &Passages) -> Evidence {
    Evidence::of(
        found.dense.iter().map(|hit| hit.score),
        passages.attention.iter().map(|(score, _)| *score),
    )
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

/// The points are sorted, so the first one of a turn is its best passage; `None` when that is the whole turn.
fn best_passage(turn: &Turn, points: &[Point]) -> Option<String> {
    let best = points.iter().find(|point| point.turn == turn.id)?;
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
        let point = |passage: u32| Point {
            turn: TurnId([1; 16]),
            passage,
            start: 0,
            end: 4,
            spans: Vec::new(),
            text: format!("passage {passage}"),
            vector: Vec::new(),
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
            points: Vec::new(),
        };
        let passages = by_cosine(&found, vec![point(0), point(1), point(2)]);
        let order: Vec<u32> = passages.points.iter().map(|point| point.passage).collect();
        assert_eq!(order, [2, 0, 1]);
        assert!(passages.attention.is_empty());
    }

    #[test]
    fn what_only_words_found_is_no_evidence_against_itself() {
        let hit = Hit {
            turn: TurnId([1; 16]),
            passage: 0,
            score: 7.0,
        };
        let mut found = SearchResult {
            dense: Vec::new(),
            lexical: vec![hit],
            points: Vec::new(),
        };
        let passages = by_cosine(&found, Vec::new());
        assert_eq!(evidence(&found, &passages), Evidence::default());
        found.dense.push(Hit { score: 0.1, ..hit });
        assert_eq!(evidence(&found, &passages).cosine, Some(0.1));
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
