//! Takes recorded conversations in, the same way as the turns of a request, only that whoever brings them waits.
//!
//! It must not know where conversations are recorded nor how they are shown.

use std::ops::Range;
use std::sync::Arc;

use mainpoint_engine::Engine;
use mainpoint_store::{Scope, Store, Turn, TurnId};

use super::job::Job;
use super::pipeline::CHUNK_TOKENS;
use super::traffic::Traffic;
use super::turn_reader::TurnReader;
use super::unreadable;
use super::unreadable::is_about_the_text;
use crate::error::MemoryError;

/// Journals, reads and stores whole conversations, one after the other.
pub(crate) struct Importer {
    reader: TurnReader,
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
    /// Reads with `engine` into `store`.
    pub(crate) fn new(engine: Engine, store: Store) -> Self {
        Self { reader: TurnReader { engine, store, traffic: Arc::new(Traffic::default()) } }
    }

    /// Takes in the turns of one conversation, oldest first, but for those that have been read. `done` hears of the tokens of
    /// every chunk that is in the store.
    ///
    /// # Errors
    /// When the engine or the store fails. What was in the store before that stays there; the rest is in the journal.
    pub(crate) async fn take(
        &self,
        scope: &Scope,
        turns: Vec<Turn>,
        done: &(dyn Fn(u64) + Sync),
    ) -> Result<Imported, MemoryError> {
        let mut job = Job { wanted: turns.iter().map(|turn| turn.id).collect(), turns };
        let offered = job.wanted.len();
        self.journal(scope, &mut job).await?;
        let mut imported = Imported {
            known: offered.saturating_sub(job.wanted.len()),
            known_tokens: known_tokens(&job),
            ..Imported::default()
        };
        for chunk in job.chunks(CHUNK_TOKENS) {
            let read = self.read(&job, chunk.clone()).await?;
            imported.add(read);
            done(tokens(&job, chunk));
        }
        Ok(imported)
    }

    /// Accepts those turns that are to be read into the journal; those that have been read are wanted no more.
    async fn journal(&self, scope: &Scope, job: &mut Job) -> Result<(), MemoryError> {
        let store = &self.reader.store;
        let wanted: Vec<TurnId> = job.wanted.iter().copied().collect();
        let read = store.read_turns(scope, &wanted).await?;
        job.wanted.retain(|id| !read.contains(id));
        let turns = job.turns.iter().filter(|turn| job.wanted.contains(&turn.id));
        let turns: Vec<Turn> = turns.cloned().collect();
        if !turns.is_empty() {
            store.accept(turns).await?;
        }
        Ok(())
    }

    /// Reads a chunk. If that fails for a reason of one turn, the others are still read.
    async fn read(&self, job: &Job, chunk: Range<usize>) -> Result<Imported, MemoryError> {
        match self.read_together(job, chunk.clone()).await {
            Ok(()) => return Ok(Imported::read(chunk.len(), tokens(job, chunk))),
            Err(error) if is_about_the_text(&error) => {}
            Err(error) => return Err(error),
        }
        let mut imported = Imported::default();
        for at in chunk {
            let alone = at..at + 1;
            match self.read_together(job, alone.clone()).await {
                Ok(()) => imported.add(Imported::read(1, tokens(job, alone))),
                Err(error) if is_about_the_text(&error) => {
                    for turn in job.turns.get(alone).unwrap_or_default() {
                        unreadable::mark(&self.reader.store, turn, &error).await?;
                    }
                    imported.unreadable += 1;
                }
                Err(error) => return Err(error),
            }
        }
        Ok(imported)
    }

    async fn read_together(&self, job: &Job, chunk: Range<usize>) -> Result<(), MemoryError> {
        self.reader.read(job.turns.get(chunk).unwrap_or_default()).await
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

    fn read(turns: usize, tokens: u64) -> Self {
        Self { turns, tokens, ..Self::default() }
    }
}

/// Tokens of the turns that are not to be read.
fn known_tokens(job: &Job) -> u64 {
    let known = job.turns.iter().filter(|turn| !job.wanted.contains(&turn.id));
    known.map(|turn| u64::from(turn.tokens)).sum()
}

fn tokens(job: &Job, chunk: Range<usize>) -> u64 {
    let turns = job.turns.get(chunk).unwrap_or_default();
    turns.iter().map(|turn| u64::from(turn.tokens)).sum()
}
