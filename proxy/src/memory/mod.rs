//! The memory: engine and store together, turns on their way in and memories on their way out.

mod archive;
mod facade;
pub mod features;
mod ingest;
mod inquiry;
mod main_point;
pub mod ranking_data;
pub mod recall;
mod script;
mod secrets;
pub mod small_talk;
mod topics;
#[cfg(test)]
pub(crate) mod turns_for_tests;
mod wording;

use std::sync::Arc;
use std::time::Duration;

use mainpoint_engine::{Engine, EngineStatus};
use mainpoint_store::{Scope, Store, StoreStatus, Trouble};
use serde::Deserialize;
use tokio::sync::Mutex;

pub(crate) use archive::{
    ALLOWED_TIME, Archive, ArchivedTurn, ConversationCursor, Forget, LineError, ListedScope, Restorer, TurnCursor,
    Window, time,
};
pub(crate) use facade::{MOST_POINTS, PromptMemory};
pub use ingest::capitalised;
pub(crate) use ingest::{Acknowledgement, CallerLimits, Imported, Importer, IncomingTurns, MovedTurns, Restored};
use ingest::{InFlight, IngestPipeline};
pub(crate) use inquiry::{Inquiry, InquiryFindings};
pub(crate) use main_point::{Piece, known_pieces};
pub(crate) use recall::{Recall, RecallQuery, RecallResult, RecalledTurn};
pub(crate) use secrets::Masker;
pub(crate) use topics::{Topics, TopicsWanted};
pub(crate) use wording::{one_line, words_of};

use crate::config::{Config, MemoryConfig};
use crate::error::MemoryError;
use crate::room::Room;

/// A part that the memory cannot do without.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum MemoryPart {
    /// Reads turns.
    Reader,
    /// Reads questions.
    Questions,
    /// Stores turns and points.
    Store,
}

impl MemoryPart {
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
    /// Held by whoever divides a memory into topics, which takes all processors for a moment.
    dividing: Arc<Mutex<()>>,
    config: MemoryConfig,
    /// Where passages that questions are compared with take their places.
    room: Room,
}

impl Memory {
    /// Starts to take turns in, and to read them.
    pub(crate) fn start(engine: Engine, store: Store, masker: Masker, config: &Config, limits: CallerLimits) -> Self {
        let masker = Arc::new(masker);
        let ingest = IngestPipeline::start(engine.clone(), store.clone(), &masker, config, limits);
        let room = Room::of(config.server.max_memory.recall());
        Self { engine, store, ingest, masker, dividing: Arc::default(), config: config.memory.clone(), room }
    }

    /// The parts that have stopped.
    pub(crate) fn dead_parts(&self) -> Vec<MemoryPart> {
        let engine = self.engine.status();
        let alive = |part: &MemoryPart| match part {
            MemoryPart::Reader => engine.reader_alive,
            MemoryPart::Questions => engine.questions_alive,
            MemoryPart::Store => self.store.status().alive,
        };
        MemoryPart::ALL.into_iter().filter(|part| !alive(part)).collect()
    }

    /// Whether a question finds all that it waits for, which takes a moment after the start.
    pub(crate) fn is_warm(&self) -> bool {
        self.ingest.is_warm()
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
    pub(crate) async fn stop(&self, part: MemoryPart) {
        match part {
            MemoryPart::Reader => self.engine.stop_reading(),
            MemoryPart::Questions => self.engine.stop_questions(),
            MemoryPart::Store => {
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
    pub(crate) fn submit(&self, incoming: IncomingTurns) -> Acknowledgement {
        self.ingest.submit(incoming)
    }

    /// What a scope holds, to be listed or moved. What is to be deleted is deleted by [`Memory::forget`].
    pub(crate) fn archive<'a>(&'a self, scope: &'a Scope) -> Archive<'a> {
        Archive::new(&self.store, scope)
    }

    /// Deletes something of a scope, so that it is new when it is said again, and returns how many turns were there.
    ///
    /// # Errors
    /// When the store fails.
    pub(crate) async fn forget(&self, scope: &Scope, what: Forget) -> Result<usize, MemoryError> {
        let (store, of) = (self.store.clone(), scope.clone());
        self.ingest.deleting(scope, async move { Archive::new(&store, &of).delete(what).await }).await
    }

    /// Takes in turns that stood in conversations of this scope before, all or none, once the journal has them.
    ///
    /// # Errors
    /// When there is no room for them to wait in, or the store fails.
    pub(crate) async fn restore(&self, scope: &Scope, moved: MovedTurns) -> Result<Restored, MemoryError> {
        self.ingest.restore(scope, moved).await
    }

    /// Asks a scope a question, and gives at most `most` turns with what speaks for each.
    ///
    /// # Errors
    /// When the engine or the store fails.
    pub(crate) async fn ask(
        &self,
        scope: &Scope,
        question: String,
        most: usize,
    ) -> Result<InquiryFindings, MemoryError> {
        let small_talk = self.ingest.small_talk().await;
        let inquiry = Inquiry {
            engine: &self.engine,
            store: &self.store,
            config: &self.config,
            small_talk,
            room: Some(&self.room),
        };
        inquiry.ask(scope, question, most).await
    }

    /// What the memory of a scope is about now. One scope is divided at a time.
    ///
    /// # Errors
    /// When the store fails.
    pub(crate) async fn topics(&self, scope: &Scope, wanted: TopicsWanted) -> Result<Topics, MemoryError> {
        let dividing = Arc::clone(&self.dividing).lock_owned().await;
        let (store, scope) = (self.store.clone(), scope.clone());
        // It goes on when whoever asked has gone, and so it keeps the next one waiting until it ends.
        let divided = tokio::spawn(async move {
            let _dividing = dividing;
            Archive::new(&store, &scope).topics(wanted).await
        });
        divided.await?
    }

    /// Every scope that has a turn, in order, with how much there is of it.
    ///
    /// # Errors
    /// When the store fails.
    pub(crate) async fn scopes(&self) -> Result<Vec<ListedScope>, MemoryError> {
        Ok(self.store.scope_overviews().await?.into_iter().map(ListedScope::from).collect())
    }

    /// Whether a scope has a turn.
    ///
    /// # Errors
    /// When the store fails.
    pub(crate) async fn holds(&self, scope: &Scope) -> Result<bool, MemoryError> {
        Ok(self.store.counts(scope).await?.turns > 0)
    }

    /// Whether a scope, or any part of it, has a turn.
    ///
    /// # Errors
    /// When the store fails.
    pub(crate) async fn holds_any_of(&self, whole: &Scope) -> Result<bool, MemoryError> {
        Ok(self.holds(whole).await? || self.store.scopes().await?.iter().any(|scope| scope.is_part_of(whole)))
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
