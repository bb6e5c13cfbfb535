//! A store that another reader filled: which one that was, as far as the models that are installed can tell.
//!
//! It must not know how vectors are stored or compared.

use mainpoint_engine::vectors_sha256;
use mainpoint_store::{Store, StoreError};

use super::engine_settings;
use crate::config::Config;
use crate::error::StartError;
use crate::models::{self, Assembly, ModelPaths, ModelReference, ModelState, ModelsDirectory};

/// What is said of a store that cannot be opened. Where another reader filled it, installed models are read in full to name that
/// one, which takes seconds.
pub(super) async fn refusal(config: &Config, source: StoreError) -> StartError {
    if !matches!(source, StoreError::VectorWidth { .. } | StoreError::Model { .. }) {
        return StartError::Store { source };
    }
    let configured = config.models.reader.to_string();
    let config = config.clone();
    // Whatever keeps it from being named does not keep the store from being refused.
    let reader = tokio::task::spawn_blocking(move || reader_of_store(&config)).await.ok().flatten();
    StartError::AnotherReader { source: Box::new(source), reader, configured }
}

/// The short name of the reader whose vectors the store holds.
fn reader_of_store(config: &Config) -> Option<String> {
    let digest = Store::model(&config.store.directory).ok().flatten()?;
    let readers = models::blueprints().into_iter().filter(|blueprint| blueprint.assembly != Assembly::Join);
    readers.map(|blueprint| blueprint.name).find(|name| digest_of(config, name).as_deref() == Some(digest.as_str()))
}

/// The digest of what a reader of the catalogue reads, if it is installed.
fn digest_of(config: &Config, name: &str) -> Option<String> {
    let mut of_reader = config.clone();
    of_reader.models.reader = ModelReference::catalogue(name);
    let file = ModelsDirectory::new(config.models.directory.clone()).model(&of_reader.models.reader);
    if !matches!(file.state(), ModelState::Installed { .. }) {
        return None;
    }
    let paths = ModelPaths { reader: file.path().to_path_buf(), reader_sha256: None, chat: None };
    vectors_sha256(&engine_settings(&of_reader, &paths).encoder).ok()
}
