//! The memory: engine and store together, turns on their way in and memories on their way out.
//!
//! It must not know HTTP nor the OpenAI wire format: it takes turns and questions.

mod facade;
pub mod features;
mod ingest;
pub mod profile;
pub mod recall;
mod script;
mod secrets;
pub mod small_talk;
#[cfg(test)]
pub(crate) mod turns;
mod wording;

use std::sync::Arc;
use std::time::Duration;

use mainpoint_engine::{Engine, EngineStatus};
use mainpoint_store::{Store, StoreStatus, Trouble};
use serde::Deserialize;

pub(crate) use facade::PromptMemory;
pub use ingest::capitalised;
pub(crate) use ingest::{Acknowledgement, Imported, Importer, IncomingTurns};
use ingest::{InFlight, IngestPipeline};
pub(crate) use recall::{Recall, RecallQuery, RecallResult, RecalledTurn};
pub(crate) use secrets::Masker;
pub(crate) use wording::words_of;

use crate::config::{Config, MemoryConfig};

/// A part that the memory cannot do without.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Part {
    /// Reads turns.
    Reader,
    /// Reads questions.
    Questions,
    /// Stores turns and points.
    Store,
}

impl Part {
    /// Every part.
    pub(crate) const ALL: [Self; 3] = [Self::Reader, Self::Questions, Self::Store];

    /// The part's name.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Reader => "reader",
            Self::Questions => "questions",
            Self::Store => "store",
        }
    }
}

/// Engine and store, and the work between them.
pub(crate) struct Memory {
    engine: Engine,
    store: Store,
    ingest: IngestPipeline,
    masker: Arc<Masker>,
    config: MemoryConfig,
}

impl Memory {
    /// Starts to take turns in, and to read them.
    pub(crate) fn start(engine: Engine, store: Store, masker: Masker, config: &Config) -> Self {
        let masker = Arc::new(masker);
        let ingest = IngestPipeline::start(engine.clone(), store.clone(), &masker, config);
        Self { engine, store, ingest, masker, config: config.memory.clone() }
    }

    /// The parts that have stopped.
    pub(crate) fn dead_parts(&self) -> Vec<Part> {
        let engine = self.engine.status();
        let alive = |part: &Part| match part {
            Part::Reader => engine.reader_alive,
            Part::Questions => engine.questions_alive,
            Part::Store => self.store.status().alive,
        };
        Part::ALL.into_iter().filter(|part| !alive(part)).collect()
    }

    /// What the engine says about itself.
    pub(crate) fn engine_status(&self) -> EngineStatus {
        self.engine.status()
    }

    /// What the store says about itself.
    pub(crate) fn store_status(&self) -> StoreStatus {
        self.store.status()
    }

    /// What of the store does not work at the moment.
    pub(crate) fn store_troubles(&self) -> Vec<Trouble> {
        self.store.troubles()
    }

    /// Really stops a part.
    pub(crate) async fn stop(&self, part: Part) {
        match part {
            Part::Reader => self.engine.stop_reading(),
            Part::Questions => self.engine.stop_questions(),
            Part::Store => {
                if let Err(error) = self.store.close().await {
                    tracing::warn!(error = %error, "the store did not close cleanly");
                }
            }
        }
    }

    /// A request is on the memory path until the answer is dropped; reading waits for a moment without any.
    pub(crate) fn in_flight(&self) -> InFlight<'_> {
        self.ingest.traffic().in_flight()
    }

    /// Takes in turns of one scope: into the journal, to be read when it is their turn. Never waits; what it returns ends when
    /// the journal has them.
    pub(crate) fn take(&self, incoming: IncomingTurns) -> Acknowledgement {
        self.ingest.take(incoming)
    }

    /// Lets the reader finish what it is at, for at most `timeout`, and closes the store. What is left is in the journal and
    /// is read after the next start.
    pub(crate) async fn close(&self, timeout: Duration) {
        self.ingest.finish(timeout).await;
        if !self.store.status().alive {
            return;
        }
        if let Err(error) = self.store.close().await {
            tracing::warn!(error = %error, "the store did not close cleanly; its journal is replayed at the next start");
        }
    }
}
