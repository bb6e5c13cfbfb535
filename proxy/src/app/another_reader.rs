//! A store that another reader filled: which one that was, as far as the models that are installed can tell.

use mainpoint_engine::vectors_sha256;
use mainpoint_store::{Store, StoreError};

use super::engine_settings;
use crate::config::Config;
use crate::error::StartError;
use crate::models::{self, Assembly, Manifest, ModelPaths, ModelReference, ModelState, ModelsDirectory};

/// What is said of a store that cannot be opened. Where another reader filled it, the installed ones are looked through to name it.
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

/// The short name of the reader whose vectors the store holds. The configured one is known not to be.
fn reader_of_store(config: &Config) -> Option<String> {
    let digest = Store::model(&config.store.directory).ok().flatten()?;
    let readers = models::blueprints().into_iter().filter(|blueprint| blueprint.assembly != Assembly::Join);
    let others = readers.map(|blueprint| ModelReference::catalogue(&blueprint.name));
    let mut others = others.filter(|other| other.location != config.models.reader.location);
    others.find(|other| digest_of(config, other).as_deref() == Some(digest.as_str())).map(|reader| reader.to_string())
}

/// The digest of what a reader of the catalogue reads, if it is installed. What was recorded when it was installed is believed, so
/// that its file is read only where there is no record.
fn digest_of(config: &Config, reader: &ModelReference) -> Option<String> {
    let mut of_reader = config.clone();
    of_reader.models.reader = reader.clone();
    let file = ModelsDirectory::new(config.models.directory.clone()).model(reader);
    if !matches!(file.state(), ModelState::Installed { .. }) {
        return None;
    }
    let recorded = Manifest::read(file.path()).and_then(|manifest| manifest.sha256.parse().ok());
    let paths = ModelPaths { reader: file.path().to_path_buf(), reader_sha256: recorded, chat: None };
    vectors_sha256(&engine_settings(&of_reader, &paths).encoder).ok()
}
