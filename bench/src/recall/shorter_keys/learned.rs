//! What short keys may learn, on conversations that no figure is reported of: the mean key and centroids.
//!
//! It must not know which scheme uses it.

use mainpoint_engine::{Codebook, KeyBlock, KeyCoder};

use super::super::arms::BOTH_LAYERS;
use super::super::reading::{Library, Reading};
use super::keys::{Keys, Mean};
use crate::BenchError;
use crate::recorded::Conversation;

/// What was learned of keys.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Learned {
    /// The mean key of every slot.
    pub(super) mean: Vec<f32>,
    /// Writes keys in learned centroids.
    pub(super) coder: KeyCoder,
}

/// Conversations to learn on; they are read when something that needs them is not in the cache.
pub(super) struct Apart<'a> {
    conversations: &'a [Conversation],
    /// Nothing before it was looked for; then what there was to learn.
    found: Option<Found>,
}

/// What came of learning: nothing without conversations.
struct Found {
    learned: Option<Learned>,
}

impl Learned {
    /// Learns on the keys of readings; nothing if they have too few.
    #[must_use]
    pub(super) fn of(readings: &[Reading]) -> Option<Self> {
        let turns = readings.iter().flat_map(|reading| &reading.turns);
        let passages = turns.flat_map(|turn| &turn.passages);
        let blocks = passages.filter_map(|passage| KeyBlock::from_bytes(&passage.keys).ok());
        let blocks: Vec<KeyBlock> = blocks.filter(|block| block.tokens() > 0).collect();
        let mut mean = Mean::default();
        for keys in blocks.iter().map(Keys::of) {
            keys.tokens().for_each(|token| mean.add(token));
        }
        Some(Self {
            mean: mean.token(),
            coder: Codebook::learn(&blocks)?.into(),
        })
    }
}

impl<'a> Apart<'a> {
    /// Conversations of which nothing is known yet.
    #[must_use]
    pub(super) fn of(conversations: &'a [Conversation]) -> Self {
        Self {
            conversations,
            found: None,
        }
    }

    /// The conversations.
    #[must_use]
    pub(super) fn conversations(&self) -> &'a [Conversation] {
        self.conversations
    }

    /// What they teach, learned at the first call.
    ///
    /// # Errors
    /// Any failure of the engine or the cache.
    pub(super) async fn learned(&mut self, library: &mut Library) -> Result<Option<&Learned>, BenchError> {
        if self.found.is_none() {
            let mut readings = Vec::with_capacity(self.conversations.len());
            for conversation in self.conversations {
                readings.push(library.read(conversation, BOTH_LAYERS).await?);
            }
            self.found = Some(Found {
                learned: Learned::of(&readings),
            });
        }
        Ok(self.found.as_ref().and_then(|found| found.learned.as_ref()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_learned_without_keys() {
        assert_eq!(Learned::of(&[]), None);
        assert_eq!(Learned::of(&[Reading::default()]), None);
    }
}
