//! Reads turns that the journal has, and completes them in the store: main points, vectors, codes.
//!
//! It must not know which turns, or when.

use std::sync::Arc;
use std::time::Duration;

use mainpoint_engine::{Engine, EngineError, ReadRequest, TurnReading};
use mainpoint_store::{Store, Turn};

use super::points::{as_text, points_of};
use super::traffic::Traffic;
use crate::error::MemoryError;

/// Engine and store on behalf of the turns that are to be read.
#[derive(Clone)]
pub(super) struct TurnReader {
    pub(super) engine: Engine,
    pub(super) store: Store,
    pub(super) traffic: Arc<Traffic>,
}

impl TurnReader {
    /// Reads turns, in an idle moment between requests.
    ///
    /// # Errors
    /// When the engine or the store fails.
    pub(super) async fn read(&self, turns: &[Turn]) -> Result<(), MemoryError> {
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
        self.store.complete(completed).await?;
        Ok(())
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
