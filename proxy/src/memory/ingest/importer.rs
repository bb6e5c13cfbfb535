//! Takes recorded conversations in, the same way as the turns of a request, only that whoever brings them waits.

use std::collections::HashSet;
use std::sync::Arc;

use mainpoint_engine::Engine;
use mainpoint_store::{Scope, Store, Turn, TurnId};

use super::incoming::IncomingTurns;
use super::masking::masked;
use super::pipeline::CHUNK_TOKENS;
use super::restore::MovedTurns;
use super::traffic::Traffic;
use super::turn_reader::{ReadingOutcome, TurnReader};
use crate::error::MemoryError;
use crate::memory::secrets::Masker;

/// Journals, reads and stores whole conversations, one after the other.
pub(crate) struct Importer {
    reader: TurnReader,
    masker: Arc<Masker>,
}

/// Turns that are brought.
struct Divided {
    /// Those that have been read.
    known: Vec<Turn>,
    /// The others, without their secrets.
    unread: Vec<Turn>,
}

/// What became of a conversation's turns.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Imported {
    /// Turns that were read.
    pub(crate) turns: usize,
    /// Their tokens.
    pub(crate) tokens: u64,
    /// Turns that had been read before.
    pub(crate) known: usize,
    /// Their tokens.
    pub(crate) known_tokens: u64,
    /// Turns that the reader cannot take; they stay in prompts.
    pub(crate) unreadable: usize,
}

impl Importer {
    /// Reads with `engine` into `store` what `masker` leaves.
    pub(crate) fn new(engine: Engine, store: Store, masker: Masker) -> Self {
        Self { reader: TurnReader { engine, store, traffic: Arc::new(Traffic::default()) }, masker: Arc::new(masker) }
    }

    /// Takes in the turns of one conversation, oldest first, but for those that have been read. `done` hears of the tokens of
    /// every chunk that is in the store.
    ///
    /// # Errors
    /// When the engine or the store fails. What was in the store before that stays there; the rest is in the journal.
    pub(crate) async fn import(
        &self,
        scope: &Scope,
        incoming: IncomingTurns,
        done: &(dyn Fn(u64) + Sync),
    ) -> Result<Imported, MemoryError> {
        let IncomingTurns { turns, placement } = incoming;
        let divided = self.divide(scope, turns).await?;
        if !divided.unread.is_empty() || placement.is_some() {
            let said = placement.into_iter().collect::<Vec<_>>();
            self.reader.store.accept_said(divided.unread.clone(), said).await?;
        }
        self.read(divided, done).await
    }

    /// [`Importer::import`] for turns that stood in conversations before: each is put where it stood, unless another one is there.
    ///
    /// # Errors
    /// As [`Self::import`].
    pub(crate) async fn restore(
        &self,
        scope: &Scope,
        moved: MovedTurns,
        done: &(dyn Fn(u64) + Sync),
    ) -> Result<Imported, MemoryError> {
        let MovedTurns { mut turns, placed } = moved;
        let mut seen = HashSet::new();
        turns.retain(|turn| seen.insert(turn.id));
        let divided = self.divide(scope, turns).await?;
        self.reader.store.restore(divided.unread.clone(), placed).await?;
        self.read(divided, done).await
    }

    async fn divide(&self, scope: &Scope, turns: Vec<Turn>) -> Result<Divided, MemoryError> {
        let ids: Vec<TurnId> = turns.iter().map(|turn| turn.id).collect();
        let read = self.reader.store.read_or_unreadable(scope, &ids).await?;
        let (known, unread): (Vec<Turn>, Vec<Turn>) = turns.into_iter().partition(|turn| read.contains(&turn.id));
        Ok(Divided { known, unread: masked(&self.masker, unread).await? })
    }

    /// Reads the unread turns, which the journal has.
    async fn read(&self, divided: Divided, done: &(dyn Fn(u64) + Sync)) -> Result<Imported, MemoryError> {
        let Divided { known, unread } = divided;
        let mut imported = Imported { known: known.len(), known_tokens: tokens(&known), ..Imported::default() };
        for chunk in chunks(&unread, CHUNK_TOKENS) {
            let over = |turn: &Turn, outcome: ReadingOutcome<'_>| match outcome {
                ReadingOutcome::Read => {
                    imported.turns += 1;
                    imported.tokens += u64::from(turn.tokens);
                }
                ReadingOutcome::Unreadable(_) => imported.unreadable += 1,
                // Too old to be kept.
                ReadingOutcome::Gone => {}
            };
            self.reader.read_or_mark(chunk, over).await?;
            done(tokens(chunk));
        }
        Ok(imported)
    }
}

impl Imported {
    /// Adds what became of other turns.
    pub(crate) fn add(&mut self, other: Self) {
        self.turns += other.turns;
        self.tokens += other.tokens;
        self.known += other.known;
        self.known_tokens += other.known_tokens;
        self.unreadable += other.unreadable;
    }
}

fn tokens(turns: &[Turn]) -> u64 {
    turns.iter().map(|turn| u64::from(turn.tokens)).sum()
}

/// Consecutive turns of at most `most` tokens, or one turn.
fn chunks(turns: &[Turn], most: usize) -> impl Iterator<Item = &[Turn]> {
    let mut filled = turns.first().map_or(0, |turn| turn.tokens as usize);
    turns.chunk_by(move |_, next| {
        filled += next.tokens as usize;
        let fits = filled <= most;
        if !fits {
            filled = next.tokens as usize;
        }
        fits
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::memory::turns_for_tests::turn;

    #[test]
    fn consecutive_turns_share_a_chunk_up_to_its_size() {
        let turns: Vec<Turn> = (0..5).map(|number| Turn { tokens: 10, ..turn(number, "text") }).collect();
        let sizes = |most| chunks(&turns, most).map(<[Turn]>::len).collect::<Vec<_>>();
        assert_eq!(sizes(20), [2, 2, 1]);
        assert_eq!(sizes(1), [1; 5]);
        assert_eq!(sizes(1000), [5]);
        assert_eq!(chunks(&[], 20).count(), 0);
    }
}
