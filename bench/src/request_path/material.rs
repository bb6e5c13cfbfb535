//! What rows and requests are made of: real readings of recorded conversations, and their questions.

use mainpoint_engine::{PassageReading, PassageTokens};

use crate::data::{self, Conversation, DataSet};
use crate::ranking::minus;
use crate::recall::library::Library;
use crate::{BenchError, locate};

/// Passages of real turns, and what people say and ask.
#[derive(Debug, Default)]
pub(super) struct Material {
    pub(super) passages: Vec<ReadPassage>,
    /// Questions about them, each once.
    pub(super) questions: Vec<String>,
    /// What is said, message by message.
    pub(super) messages: Vec<String>,
    pub(super) name: String,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) struct ReadPassage {
    pub(super) speaker: String,
    /// Its sentences with something of the main point, never none.
    pub(super) sentences: Vec<Sentence>,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) struct Sentence {
    pub(super) text: String,
    /// The vectors of the main point's tokens in it, minus the model's mean; never none.
    pub(super) tokens: Vec<Vec<f32>>,
    /// The vector of its passage, of unit length.
    pub(super) vector: Vec<f32>,
}

impl Material {
    /// Reads the LoCoMo conversations that are reported on, or takes their readings from the cache.
    pub(super) async fn read(library: &Library) -> Result<Self, BenchError> {
        let path = locate::locomo();
        let DataSet { kind, conversations } = data::load(&path)?;
        let mut material = Self { name: kind.reported().join(" + "), ..Self::default() };
        for conversation in &data::reported(kind, conversations, &[])? {
            material.add(library, conversation).await?;
        }
        material.questions.sort();
        material.questions.dedup();
        if material.passages.is_empty() || material.questions.is_empty() {
            return Err(BenchError::data(path, "the conversations hold no passages or no questions"));
        }
        Ok(material)
    }

    pub(super) fn width(&self) -> usize {
        let mut sentences = self.passages.iter().flat_map(|passage| &passage.sentences);
        sentences.next().map_or(0, |sentence| sentence.vector.len())
    }

    async fn add(&mut self, library: &Library, conversation: &Conversation) -> Result<(), BenchError> {
        let reading = library.read(conversation).await?;
        let points = library.main_points(conversation, &reading).await?;
        let mean = library.engine.mean();
        for ((turn, passages), points) in conversation.turns.iter().zip(&reading.turns).zip(&points) {
            for (passage, point) in passages.iter().zip(points) {
                let sentences = sentences(&turn.message(), passage, point, mean);
                if !sentences.is_empty() {
                    self.passages.push(ReadPassage { speaker: turn.speaker.clone(), sentences });
                }
            }
            self.messages.push(turn.message());
        }
        let questions = conversation.questions.iter().map(|question| question.text.clone());
        self.questions.extend(questions);
        Ok(())
    }
}

/// The sentences of a passage of `text` that hold something of its main point.
fn sentences(text: &str, passage: &PassageTokens, point: &PassageReading, mean: &[f32]) -> Vec<Sentence> {
    let is_kept = |start, end| point.spans.iter().any(|span| span.start < end && span.end > start);
    let mut start = passage.start;
    let mut found = Vec::new();
    for sentence in text[passage.start..passage.end].split_inclusive(['.', '!', '?']) {
        let end = start + sentence.len();
        let within = passage.tokens.iter().filter(|token| (start..end).contains(&token.start));
        let kept = within.filter(|token| is_kept(token.start, token.end));
        let tokens: Vec<Vec<f32>> = kept.map(|token| minus(&token.vector, mean)).collect();
        if !tokens.is_empty() {
            found.push(Sentence { text: sentence.trim().to_owned(), tokens, vector: point.vector.clone() });
        }
        start = end;
    }
    found
}

#[cfg(test)]
mod tests {
    use mainpoint_engine::{Codes, ReadToken, Span};

    use super::*;

    #[test]
    fn sentences_keep_their_marks_and_the_tokens_of_the_main_point() {
        let text = "Hi! We went to Oslo. Yes";
        let token = |start, end| ReadToken { start, end, vector: vec![1.5], attention: 0.0, rarity: 0.0 };
        let passage = PassageTokens {
            start: 0,
            end: text.len(),
            vector: vec![1.0],
            tokens: vec![token(0, 2), token(4, 6), token(7, 11), token(15, 19), token(21, 24)],
        };
        let span = |start, end| Span { start, end, salience: 1.0 };
        let point = PassageReading {
            start: 0,
            end: text.len(),
            spans: vec![span(7, 19), span(21, 24)],
            vector: Vec::new(),
            codes: Codes::default(),
        };
        let found = sentences(text, &passage, &point, &[0.5]);
        let texts: Vec<(&str, usize)> = found.iter().map(|one| (one.text.as_str(), one.tokens.len())).collect();
        assert_eq!(texts, [("We went to Oslo.", 2), ("Yes", 1)]);
        assert_eq!(found[0].tokens[0], [1.0]);
    }
}
