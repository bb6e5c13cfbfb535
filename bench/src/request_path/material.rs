//! What rows and requests are made of: real readings of recorded conversations, and their questions.
//!
//! It must not know how rows are made of them.

use mainpoint_engine::KeyCoder;

use super::RequestPathOptions;
use crate::BenchError;
use crate::recall::arms::SHIPPED;
use crate::recall::reading::{Library, Reading};
use crate::recorded::{self, Conversation};

/// Passages of real turns, and what people say and ask.
#[derive(Debug, Default)]
pub(super) struct Material {
    /// Every passage of every conversation.
    pub(super) passages: Vec<Passage>,
    /// Questions about them, each once.
    pub(super) questions: Vec<String>,
    /// What is said, message by message.
    pub(super) messages: Vec<String>,
    /// Where it is from.
    pub(super) name: String,
}

/// A passage as it was read.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Passage {
    /// Who speaks.
    pub(super) speaker: String,
    /// Its sentences, never none.
    pub(super) sentences: Vec<String>,
    /// The vector of its main point.
    pub(super) vector: Vec<f32>,
    /// The keys of its main point's tokens, as they are stored.
    pub(super) keys: Vec<u8>,
}

impl Material {
    /// Reads the conversations, or takes their readings from the cache.
    ///
    /// # Errors
    /// Any failure of the file, the engine or the cache; [`BenchError::Data`] for conversations without passages or
    /// questions.
    pub(super) async fn read(options: &RequestPathOptions, library: &mut Library) -> Result<Self, BenchError> {
        let (_, conversations) = recorded::load(&options.data)?;
        let known: Vec<&str> = conversations.iter().map(|found| found.name.as_str()).collect();
        let mut material = Self::default();
        for name in &options.conversations {
            let conversation = conversations.iter().find(|found| found.name == *name);
            let conversation = conversation.ok_or_else(|| BenchError::Conversation {
                name: name.clone(),
                known: known.join(", "),
            })?;
            let reading = library.read(conversation, SHIPPED).await?;
            material.add((conversation, &reading), library.key_coder())?;
        }
        material.questions.sort();
        material.questions.dedup();
        material.name = options.conversations.join(" + ");
        if material.passages.is_empty() || material.questions.is_empty() {
            return Err(BenchError::Data {
                path: options.data.clone(),
                reason: "the conversations hold no passages or no questions".to_owned(),
            });
        }
        Ok(material)
    }

    /// How many numbers a vector has.
    #[must_use]
    pub(super) fn width(&self) -> usize {
        self.passages.first().map_or(0, |passage| passage.vector.len())
    }

    fn add(&mut self, (conversation, reading): (&Conversation, &Reading), coder: &KeyCoder) -> Result<(), BenchError> {
        for (turn, read) in conversation.turns.iter().zip(&reading.turns) {
            for passage in &read.passages {
                let text = turn.text.get(passage.start..passage.end).unwrap_or_default();
                let sentences = sentences(text);
                if !sentences.is_empty() && !passage.vector.is_empty() {
                    self.passages.push(Passage {
                        speaker: turn.speaker.clone(),
                        sentences,
                        vector: passage.vector.clone(),
                        keys: passage.stored_keys(coder)?,
                    });
                }
            }
            self.messages.push(turn.message());
        }
        let questions = conversation.questions.iter().map(|question| question.text.clone());
        self.questions.extend(questions);
        Ok(())
    }
}

fn sentences(text: &str) -> Vec<String> {
    let sentences = text.split_inclusive(['.', '!', '?']).map(str::trim);
    sentences
        .filter(|sentence| sentence.chars().any(char::is_alphanumeric))
        .map(str::to_owned)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sentences_keep_their_marks_and_hold_words() {
        assert_eq!(
            sentences("Hi! We went... to Oslo? Yes"),
            ["Hi!", "We went.", "to Oslo?", "Yes"]
        );
        assert!(sentences(" … ! ").is_empty());
    }
}
