//! A memory in a store that no proxy has open.

use std::io::Write;

use futures::TryStreamExt;
use mainpoint_engine::Engine;
use mainpoint_store::{ConversationId, Scope, Store, StoreError};
use serde_json::{Value, json};
use tokio::sync::OnceCell;

use super::place::Purpose;
use super::{MemoryArguments, local_search, place};
use crate::cli::CliError;
use crate::cli::owner::Owner;
use crate::cli::scopes::{choose_scope, ensure_store};
use crate::config::{Config, MemoryConfig};
use crate::error::StartError;
use crate::mcp::Ask;
use crate::memory::small_talk::SmallTalk;
use crate::memory::{Archive, Forget, Inquiry, TopicsWanted};
use crate::{app, models};

/// A memory of an open store.
pub(in crate::cli) struct LocalMemory {
    store: Store,
    scope: Scope,
    engine: Engine,
    config: MemoryConfig,
    /// What is no question about the memory, once one was asked.
    small_talk: OnceCell<SmallTalk>,
}

/// What a deletion did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Deleted {
    /// Turns that went.
    pub(super) turns: usize,
    /// Whether the disk was cleared of them.
    pub(super) is_off_the_disk: bool,
}

impl LocalMemory {
    /// Opens the store and finds the memory that is meant; `None` where none is named and the store has none.
    ///
    /// # Errors
    /// When there is no store, a proxy has it open, or it does not say which memory is meant.
    pub(super) async fn open(
        arguments: &MemoryArguments,
        config: &Config,
        purpose: Purpose,
    ) -> Result<Option<Self>, CliError> {
        ensure_store(config)?;
        let division = arguments.division(config)?;
        let caller = match arguments.caller.is_given() || !division.is_whole() {
            true => Some(arguments.caller.caller(config, arguments.scope.is_some())?),
            false => None,
        };
        let paths = models::resolve(&config.models)?;
        let engine = app::engine(config, &paths)?;
        let opened = match purpose {
            Purpose::Reading => app::store(config, &engine).await,
            Purpose::Deleting => app::store_for_deletion(config, &engine).await,
        };
        let store = match opened {
            Err(StartError::Store { source: StoreError::InUse { path } }) => {
                let address = place::listening(&config.server).ok();
                return Err(CliError::StoreInUse { directory: path, address });
            }
            opened => opened?,
        };
        let found = async {
            let Some(caller) = caller else {
                return choose_scope(arguments.scope.as_deref(), &store).await;
            };
            let preparer = app::preparer(config, &engine, &store).await?;
            let owner = Owner::new(&preparer, caller, arguments.scope.as_deref(), division);
            owner.scope(None).map(Some).map_err(CliError::Argument)
        };
        match found.await {
            Ok(Some(scope)) => {
                let (config, small_talk) = (config.memory.clone(), OnceCell::new());
                Ok(Some(Self { store, scope, engine, config, small_talk }))
            }
            found => {
                store.close().await?;
                found.map(|_| None)
            }
        }
    }

    /// What the API would answer.
    ///
    /// # Errors
    /// When there is no such thing, or the engine or the store fails.
    pub(super) async fn answer(&self, ask: Ask) -> Result<Value, CliError> {
        let archive = Archive::new(&self.store, &self.scope);
        let answer = match ask {
            Ask::Search { question, limit } => return self.search(question, limit).await,
            Ask::Around { turn, conversation, window } => {
                let unknown = || match conversation {
                    None => CliError::Argument(format!("There is no turn {turn} in this memory.")),
                    Some(conversation) => CliError::Argument(format!(
                        "conversation = \"{conversation}\"; expected a conversation of this memory that the turn {turn} stands in."
                    )),
                };
                serde_json::to_value(archive.around(turn, conversation, window).await?.ok_or_else(unknown)?)
            }
            Ask::Conversations { after, limit } => serde_json::to_value(archive.conversations(after, limit).await?),
            Ask::Topics(wanted) => serde_json::to_value(archive.topics(wanted).await.map_err(CliError::Search)?),
            Ask::Forget(what) => {
                let deleted = self.delete(what).await?;
                Ok(json!({ "turns_deleted": deleted.turns }))
            }
        };
        answer.map_err(|error| CliError::Output { source: error.into() })
    }

    async fn search(&self, question: String, limit: usize) -> Result<Value, CliError> {
        let small_talk = self.small_talk.get_or_try_init(|| SmallTalk::read(&self.engine)).await?;
        let (small_talk, room) = (Some(small_talk), None);
        let inquiry = Inquiry { engine: &self.engine, store: &self.store, config: &self.config, small_talk, room };
        Ok(local_search::ask(&inquiry, &self.scope, question, limit).await?.describe())
    }

    /// Deletes, and clears the disk of it if there is room for that.
    async fn delete(&self, what: Forget) -> Result<Deleted, CliError> {
        let deleted = Archive::new(&self.store, &self.scope).delete(what).await?;
        let cleared = self.store.maintain().await;
        if let Err(error) = &cleared {
            anstream::eprintln!("mainpoint: what was deleted could not be cleared from the disk yet: {error}");
        }
        Ok(Deleted { turns: deleted.len(), is_off_the_disk: cleared.is_ok() })
    }

    /// Closes the store.
    ///
    /// # Errors
    /// When it does not close cleanly.
    pub(super) async fn close(&self) -> Result<(), CliError> {
        Ok(self.store.close().await?)
    }

    /// The answer to a question, as the API gives it.
    pub(in crate::cli) async fn found(self, question: String, limit: usize) -> Result<Value, CliError> {
        let found = self.answer(Ask::Search { question, limit }).await;
        self.ended(found).await
    }

    /// A page of conversations, or of one's turns, as the API answers.
    pub(super) async fn list(self, conversation: Option<ConversationId>, limit: usize) -> Result<Value, CliError> {
        let archive = Archive::new(&self.store, &self.scope);
        let page = match conversation {
            None => serde_json::to_value(archive.conversations(None, limit).await?),
            Some(id) => match archive.turns(id, None, limit).await? {
                Some(page) => serde_json::to_value(page),
                None => return self.ended(Err(CliError::Argument(format!("there is no conversation {id}")))).await,
            },
        };
        self.ended(page.map_err(|error| CliError::Output { source: error.into() })).await
    }

    /// What it is about, as the API answers.
    pub(super) async fn topics(self, wanted: TopicsWanted) -> Result<Value, CliError> {
        let topics = self.answer(Ask::Topics(wanted)).await;
        self.ended(topics).await
    }

    /// Writes every line.
    pub(super) async fn export(self, output: &mut impl Write) -> Result<(), CliError> {
        let archive = Archive::new(&self.store, &self.scope);
        let written = async {
            let mut pieces = std::pin::pin!(archive.lines().await?);
            while let Some(piece) = pieces.try_next().await? {
                for line in piece {
                    serde_json::to_writer(&mut *output, &line).map_err(std::io::Error::from)?;
                    writeln!(output)?;
                }
            }
            Ok(())
        };
        let written = written.await;
        self.ended(written).await
    }

    /// Deletes, clears the disk of it, and closes the store.
    pub(super) async fn forget(self, what: Forget) -> Result<Deleted, CliError> {
        let deleted = self.delete(what).await;
        self.ended(deleted).await
    }

    /// Counts, as the API answers.
    pub(super) async fn stats(self) -> Result<Value, CliError> {
        let stats = Archive::new(&self.store, &self.scope).stats_with_store().await?;
        let stats = serde_json::to_value(stats).map_err(|error| CliError::Output { source: error.into() });
        self.ended(stats).await
    }

    async fn ended<T>(self, outcome: Result<T, CliError>) -> Result<T, CliError> {
        let closed = self.store.close().await;
        let outcome = outcome?;
        closed?;
        Ok(outcome)
    }
}
