//! Reads turns that the journal has, and completes them in the store: main points, vectors, codes.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use mainpoint_engine::{Engine, EngineError, ReadRequest, TurnReading};
use mainpoint_store::{Scope, Store, Turn, TurnId};

use super::points::{as_text, points_of};
use super::traffic::Traffic;
use super::unreadable;
use super::unreadable::is_about_the_text;
use crate::error::MemoryError;

/// Engine and store on behalf of the turns that are to be read.
#[derive(Clone)]
pub(super) struct TurnReader {
    pub(super) engine: Engine,
    pub(super) store: Store,
    pub(super) traffic: Arc<Traffic>,
}

/// What became of a turn that was to be read.
#[derive(Debug, Clone, Copy)]
pub(super) enum ReadingOutcome<'a> {
    /// It is in the store with its main points.
    Read,
    /// It cannot be read, for this reason.
    Unreadable(&'a MemoryError),
    /// It was deleted while it was being read.
    Gone,
}

/// The turns that the store has completed.
struct Completed(HashSet<(Scope, TurnId)>);

impl Completed {
    fn of(&self, turn: &Turn) -> ReadingOutcome<'static> {
        if self.0.contains(&(turn.scope.clone(), turn.id)) { ReadingOutcome::Read } else { ReadingOutcome::Gone }
    }
}

impl TurnReader {
    /// Reads turns. One that cannot be read for a reason of its own is marked, and the others are still read. `over` hears what
    /// became of each turn.
    ///
    /// # Errors
    /// When the engine or the store fails; the turns that nobody heard of are still to be read.
    pub(super) async fn read_or_mark(
        &self,
        turns: &[Turn],
        mut over: impl FnMut(&Turn, ReadingOutcome<'_>) + Send,
    ) -> Result<(), MemoryError> {
        if turns.is_empty() {
            return Ok(());
        }
        match self.read(turns).await {
            Ok(read) => {
                turns.iter().for_each(|turn| over(turn, read.of(turn)));
                return Ok(());
            }
            Err(error) if is_about_the_text(&error) => {}
            Err(error) => return Err(error),
        }
        for turn in turns {
            match self.read(std::slice::from_ref(turn)).await {
                Ok(read) => over(turn, read.of(turn)),
                Err(error) if is_about_the_text(&error) => {
                    unreadable::mark(&self.store, turn, &error).await?;
                    over(turn, ReadingOutcome::Unreadable(&error));
                }
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Reads turns, in an idle moment between requests, and completes those that are still there.
    async fn read(&self, turns: &[Turn]) -> Result<Completed, MemoryError> {
        let request = ReadRequest { turns: turns.iter().map(as_text).collect() };
        self.traffic.idle(IDLE_TIMEOUT).await;
        let readings = self.read_with_retries(request).await?;
        if readings.len() != turns.len() {
            return Err(MemoryError::Readings { expected: turns.len(), found: readings.len() });
        }
        let completed = turns
            .iter()
            .zip(&readings)
            .map(|(turn, reading)| (turn.scope.clone(), turn.id, points_of(turn, reading)))
            .collect();
        Ok(Completed(self.store.complete(completed).await?.into_iter().collect()))
    }

    /// The reader's own queue may be full for a moment; nobody waits for this.
    async fn read_with_retries(&self, request: ReadRequest) -> Result<Vec<TurnReading>, EngineError> {
        for _ in 0..BUSY_RETRIES {
            match self.engine.read(request.clone()).await {
                Err(EngineError::Busy { .. }) => tokio::time::sleep(BUSY_PAUSE).await,
                result => return result,
            }
        }
        self.engine.read(request).await
    }
}

/// How long a reading waits for a moment without requests.
const IDLE_TIMEOUT: Duration = Duration::from_millis(500);
const BUSY_RETRIES: usize = 50;
const BUSY_PAUSE: Duration = Duration::from_millis(100);
