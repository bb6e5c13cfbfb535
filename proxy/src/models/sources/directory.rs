//! A directory on this machine that holds installed models, such as a copy of another machine's models directory.
//!
//! It must not change anything in that directory.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use futures::FutureExt;
use futures::future::BoxFuture;

use super::{ModelSource, Supply};
use crate::models::blueprint::Blueprint;
use crate::models::digest::Sha256Digest;
use crate::models::error::{SourceError, at};
use crate::models::manifest::Manifest;
use crate::models::workspace::Workspace;
use crate::terminal::Progress;

pub(super) struct Directory {
    path: PathBuf,
}

impl Directory {
    pub(super) fn new(path: PathBuf) -> Self {
        Self { path }
    }
}

impl ModelSource for Directory {
    fn name(&self) -> String {
        format!("path:{}", self.path.display())
    }

    fn supply<'a>(
        &'a self,
        blueprint: &'a Arc<Blueprint>,
        workspace: &'a Arc<Workspace>,
        progress: Progress,
    ) -> BoxFuture<'a, Result<Supply, SourceError>> {
        let original = self.path.join(&blueprint.file);
        let (blueprint, workspace) = (Arc::clone(blueprint), Arc::clone(workspace));
        async move {
            let work = tokio::task::spawn_blocking(move || copy(&original, &blueprint, &workspace, progress));
            work.await.map_err(|source| SourceError::Interrupted { source })?
        }
        .boxed()
    }
}

fn copy(
    original: &Path,
    blueprint: &Blueprint,
    workspace: &Workspace,
    progress: Progress,
) -> Result<Supply, SourceError> {
    if !original.is_file() {
        return Err(SourceError::NotOffered);
    }
    progress.line(&format!("{}: copying {}", blueprint.name, original.display()));
    let assembled = workspace.assembled();
    fs::copy(original, &assembled).map_err(at(original))?;
    let found = Sha256Digest::of_file(&assembled, |_| ()).map_err(at(&assembled))?;
    // A model that is made here has no digest known beforehand; its record says which one it had.
    let recorded = Manifest::read(original).and_then(|manifest| manifest.sha256.parse().ok());
    match blueprint.digest.or(recorded) {
        Some(expected) if expected != found => {
            fs::remove_file(&assembled).map_err(at(&assembled))?;
            Err(SourceError::Digest { file: original.display().to_string(), found, expected })
        }
        _ => Ok(Supply::Whole(found)),
    }
}
