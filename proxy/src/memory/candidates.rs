//! The passages that the searches found for a question, with the attention that it pays to each.
//!
//! It must not know how they were searched for, nor how turns are ranked.

use std::collections::HashMap;

use mainpoint_engine::{Engine, QueryBlock};
use mainpoint_store::{Found, Hit, Passage, SearchResult, TurnId};

use super::profile::Profile;
use crate::error::MemoryError;

/// The passages that were found, those that fit best first.
pub(super) struct Candidates {
    /// The passages by words and by vectors.
    pub(super) hits: SearchResult,
    /// The attention that the question pays to each passage whose keys can be read; empty without attention search.
    pub(super) attention: Vec<(f32, TurnId)>,
    /// Every turn that a passage was found of, by its id.
    pub(super) turns: Vec<(TurnId, Profile)>,
    passages: Vec<Passage>,
}

impl Candidates {
    /// What was found, by the attention that the question of these queries pays to it; without queries by similarity.
    /// A passage with features that are not ours is passed over.
    ///
    /// # Errors
    /// When scoring was cut off.
    pub(super) async fn of(engine: &Engine, found: Found, queries: Option<QueryBlock>) -> Result<Self, MemoryError> {
        let engine = engine.clone();
        let scored = tokio::task::spawn_blocking(move || match queries {
            Some(queries) => Self::by_attention(found, |keys| engine.stored_attention_scores(&queries, keys)),
            None => Self::by_cosine(found),
        });
        Ok(scored.await?)
    }

    /// The passages by the attention that each gets. Those whose keys are damaged come last: they are ranked by words and
    /// vectors alone.
    fn by_attention(found: Found, attend: impl Fn(&[&[u8]]) -> Vec<Option<f32>>) -> Self {
        let mut candidates = Self::unsorted(found);
        let attention = attend(&candidates.passages.iter().map(keys).collect::<Vec<_>>());
        let scored = attention.iter().zip(&candidates.passages);
        candidates.attention = scored
            .filter_map(|(score, passage)| Some(((*score)?, passage.turn)))
            .collect();
        let scores: Vec<f32> = attention
            .into_iter()
            .map(|score| score.unwrap_or(f32::NEG_INFINITY))
            .collect();
        candidates.sorted_by(&scores)
    }

    /// The passages by their similarity to the question; those that only words found come last.
    fn by_cosine(found: Found) -> Self {
        let candidates = Self::unsorted(found);
        let similar: HashMap<(TurnId, u32), f32> = candidates
            .hits
            .dense
            .iter()
            .map(|hit| ((hit.turn, hit.passage), hit.score))
            .collect();
        let score = |passage: &Passage| similar.get(&place(passage)).copied().unwrap_or(f32::NEG_INFINITY);
        let scores: Vec<f32> = candidates.passages.iter().map(score).collect();
        candidates.sorted_by(&scores)
    }

    /// The passage of a turn that fits best.
    pub(super) fn best(&self, turn: TurnId) -> Option<&Passage> {
        self.passages.iter().find(|passage| passage.turn == turn)
    }

    /// The passage of a turn that was found first, by vectors or else by words.
    pub(super) fn first(&self, turn: TurnId) -> Option<&Passage> {
        let mut hits = self.hits.dense.iter().chain(&self.hits.lexical);
        let Hit { passage, .. } = hits.find(|hit| hit.turn == turn)?;
        self.passages.iter().find(|found| place(found) == (turn, *passage))
    }

    fn unsorted(found: Found) -> Self {
        let mut turns: Vec<(TurnId, Profile)> = Vec::new();
        let mut passages = found.passages;
        passages.retain(|passage| {
            let is_known = turns.last().is_some_and(|(turn, _)| *turn == passage.turn);
            if !is_known && let Some((profile, _)) = Profile::and_keys(&passage.features) {
                turns.push((passage.turn, profile));
                return true;
            }
            is_known
        });
        Self {
            hits: found.hits,
            attention: Vec::new(),
            turns,
            passages,
        }
    }

    /// Most first; equal ones by turn and passage.
    fn sorted_by(mut self, scores: &[f32]) -> Self {
        let mut scored: Vec<(f32, Passage)> = scores.iter().copied().zip(self.passages).collect();
        scored.sort_by(|(one, left), (other, right)| other.total_cmp(one).then_with(|| place(left).cmp(&place(right))));
        self.passages = scored.into_iter().map(|(_, passage)| passage).collect();
        self
    }
}

fn place(passage: &Passage) -> (TurnId, u32) {
    (passage.turn, passage.passage)
}

fn keys(passage: &Passage) -> &[u8] {
    Profile::and_keys(&passage.features).map_or(&[], |(_, keys)| keys)
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;

    use super::super::form::Look;
    use super::*;

    const TURN: TurnId = TurnId([1; 16]);

    fn passage(number: u32, keys: &[u8]) -> Passage {
        let profile = Profile {
            parent: None,
            time: DateTime::UNIX_EPOCH,
            look: Look::default(),
        };
        Passage {
            turn: TURN,
            passage: number,
            features: profile.with_keys(keys),
            row: u64::from(number),
        }
    }

    fn hit(passage: u32, score: f32) -> Hit {
        Hit {
            turn: TURN,
            passage,
            score,
        }
    }

    fn found(passages: Vec<Passage>) -> Found {
        Found {
            hits: SearchResult {
                dense: vec![hit(2, 0.9), hit(0, 0.1)],
                lexical: vec![hit(1, 7.0)],
            },
            passages,
        }
    }

    fn order(candidates: &Candidates) -> Vec<u32> {
        candidates.passages.iter().map(|passage| passage.passage).collect()
    }

    #[test]
    fn without_attention_the_passage_most_like_the_question_is_a_turns_best() {
        let candidates = Candidates::by_cosine(found((0..3).map(|number| passage(number, &[])).collect()));
        assert_eq!(order(&candidates), [2, 0, 1]);
        assert_eq!(candidates.best(TURN).map(|passage| passage.passage), Some(2));
        assert_eq!(candidates.turns.len(), 1);
        assert!(candidates.attention.is_empty());
    }

    #[test]
    fn a_passage_whose_keys_are_damaged_comes_last_without_attention_and_one_without_features_is_none() {
        let other = TurnId([2; 16]);
        let torn = Passage {
            turn: other,
            features: vec![9],
            ..passage(3, &[])
        };
        let passages = vec![passage(0, &[1]), passage(1, &[]), passage(2, &[5]), torn];
        let attention = |keys: &[&[u8]]| keys.iter().map(|keys| keys.first().copied().map(f32::from)).collect();
        let candidates = Candidates::by_attention(found(passages), attention);
        assert_eq!(order(&candidates), [2, 0, 1]);
        assert_eq!(candidates.attention, [(1.0, TURN), (5.0, TURN)]);
        assert_eq!(candidates.first(TURN).map(|passage| passage.passage), Some(2));
        assert!(candidates.best(other).is_none() && candidates.first(other).is_none());
        assert_eq!(candidates.turns.len(), 1);
    }
}
