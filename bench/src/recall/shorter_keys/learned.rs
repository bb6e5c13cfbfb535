//! What short keys may learn, on conversations that no figure is reported of: the mean key and centroids.
//!
//! It must not know which scheme uses it.

use super::super::arms::BOTH_LAYERS;
use super::super::reading::{Library, Reading};
use super::keys::{Keys, Mean, Shape};
use super::product::Book;
use crate::BenchError;
use crate::recorded::Conversation;

/// What was learned of keys.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Learned {
    /// The mean key of every slot.
    pub(super) mean: Vec<f32>,
    /// One per slot.
    pub(super) books: Vec<Book>,
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

/// Most tokens that something is learned on.
const MOST_TOKENS: usize = 10_000;

impl Learned {
    /// Learns on tokens spread evenly over readings; nothing if they have too few keys.
    #[must_use]
    pub(super) fn of(readings: &[Reading]) -> Option<Self> {
        let blocks = || {
            let turns = readings.iter().flat_map(|reading| &reading.turns);
            let passages = turns.flat_map(|turn| &turn.passages);
            passages.map(|passage| passage.keys.as_slice())
        };
        let shape = blocks().find_map(Shape::of)?;
        let total: usize = blocks().filter_map(Shape::of).map(|shape| shape.tokens).sum();
        let tokens = blocks()
            .filter_map(Keys::from_bytes)
            .flat_map(|keys| keys.tokens().map(<[f32]>::to_vec).collect::<Vec<_>>());
        let tokens: Vec<Vec<f32>> = tokens.step_by(total.div_ceil(MOST_TOKENS).max(1)).collect();
        let mut mean = Mean::default();
        tokens.iter().for_each(|token| mean.add(token));
        let book = |slot: usize| {
            let own = slot * shape.width..(slot + 1) * shape.width;
            let keys: Vec<&[f32]> = tokens.iter().filter_map(|token| token.get(own.clone())).collect();
            Book::learn(&keys)
        };
        Some(Self {
            mean: mean.token(),
            books: (0..shape.slots).map(book).collect::<Option<Vec<Book>>>()?,
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
