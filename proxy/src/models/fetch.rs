//! Gets a model: tries the sources in order, checks what came, and installs it at once or not at all.

use std::fs::{self, File};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::assemble::assemble;
use super::blueprint::{Assembly, Blueprint};
use super::digest::Sha256Digest;
use super::directory::ModelsDirectory;
use super::error::{Attempt, ModelError, SourceError, at};
use super::manifest::Manifest;
use super::reference::ModelReference;
use super::settings::ModelsConfig;
use super::sources;
use super::sources::{ModelSource, Supply};
use super::workspace::Workspace;
use crate::terminal::Progress;

/// How a fetch ended well.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fetched {
    /// The model was there already, and its digest is right.
    AlreadyThere(PathBuf),
    /// The model was fetched and installed.
    Installed {
        /// The installed file.
        path: PathBuf,
        /// The source it came from.
        source: String,
    },
}

/// Gets a model unless it is there already, from the first of the configured sources that can supply it.
///
/// # Errors
/// When no source can supply the model, with the reason for each, or when the models directory cannot be written. A local
/// path is not fetched: it is an error when it is not there.
pub async fn fetch(
    reference: &ModelReference,
    models: &ModelsConfig,
    progress: Progress,
) -> Result<Fetched, ModelError> {
    let directory = ModelsDirectory::new(models.directory.clone());
    if let Some(blueprint) = Blueprint::new(reference) {
        let sources = sources::configured(&models.sources);
        return Fetch { directory, sources, progress }.run(blueprint).await;
    }
    let file = directory.model(reference);
    file.verify(|_| ())?;
    Ok(Fetched::AlreadyThere(file.path().to_path_buf()))
}

/// A fetch with its sources, the first one tried first.
pub(super) struct Fetch {
    pub(super) directory: ModelsDirectory,
    pub(super) sources: Vec<Box<dyn ModelSource>>,
    pub(super) progress: Progress,
}

impl Fetch {
    pub(super) async fn run(&self, blueprint: Blueprint) -> Result<Fetched, ModelError> {
        let file = self.directory.model_of(blueprint.clone());
        if file.verify(|_| ()).is_ok() {
            return Ok(Fetched::AlreadyThere(file.path().to_path_buf()));
        }
        let workspace = Workspace::open(&self.directory, &blueprint, self.progress).await?;
        // Whoever held the lock before may have installed the model.
        match file.verify(|_| ()) {
            Ok(_) => return Ok(Fetched::AlreadyThere(file.path().to_path_buf())),
            Err(ModelError::Missing { .. }) => {}
            Err(_) => {
                self.progress.line(&format!("{}: what is installed is damaged; fetching it again", blueprint.name));
            }
        }
        if let Some(notice) = blueprint.notice {
            self.progress.line(notice);
        }
        self.fetch_into(workspace, blueprint, file.path()).await
    }

    async fn fetch_into(&self, workspace: Workspace, blueprint: Blueprint, path: &Path) -> Result<Fetched, ModelError> {
        let (workspace, blueprint) = (Arc::new(workspace), Arc::new(blueprint));
        let mut attempts = Vec::new();
        for source in &self.sources {
            match self.attempt(source.as_ref(), &workspace, &blueprint).await {
                Ok(digest) => {
                    install(&workspace, &blueprint, digest, &source.name(), path)
                        .map_err(|source| ModelError::Write { path: path.to_path_buf(), source })?;
                    if let Some(Err(error)) = Arc::into_inner(workspace).map(Workspace::remove) {
                        self.progress.line(&format!("{}: cannot remove its partial files: {error}", blueprint.name));
                    }
                    return Ok(Fetched::Installed { path: path.to_path_buf(), source: source.name() });
                }
                Err(reason) => {
                    self.progress.line(&format!("{}: {}: {reason}", blueprint.name, source.name()));
                    attempts.push(Attempt { source: source.name(), reason });
                }
            }
        }
        let (name, partial, path) = (blueprint.name.clone(), self.directory.partial(), path.to_path_buf());
        Err(ModelError::Fetch { name, attempts, partial, path })
    }

    /// One source, up to a file in the workspace that is known to be the model.
    async fn attempt(
        &self,
        source: &dyn ModelSource,
        workspace: &Arc<Workspace>,
        blueprint: &Arc<Blueprint>,
    ) -> Result<Sha256Digest, SourceError> {
        let supply = source.supply(blueprint, workspace, self.progress).await?;
        let (space, assembly) = (Arc::clone(workspace), blueprint.assembly);
        if assembly != Assembly::Join && matches!(supply, Supply::Pieces(_)) {
            self.progress.line(&format!("{}: converting", blueprint.name));
        }
        let work = tokio::task::spawn_blocking(move || match supply {
            Supply::Pieces(origin) => assemble(assembly, &origin, &space),
            Supply::Whole(digest) => Ok(digest),
        });
        let digest = work.await.map_err(|source| SourceError::Interrupted { source })??;
        check(blueprint, workspace, digest)?;
        Ok(digest)
    }
}

/// Checks the assembled file; what is wrong is deleted with its pieces, so that the next attempt starts afresh.
fn check(blueprint: &Blueprint, workspace: &Workspace, found: Sha256Digest) -> Result<(), SourceError> {
    let Some(expected) = blueprint.digest.filter(|expected| *expected != found) else {
        return Ok(());
    };
    let assembled = workspace.assembled();
    fs::remove_file(&assembled).map_err(at(&assembled))?;
    workspace.forget_pieces()?;
    Err(SourceError::Digest { file: blueprint.file.clone(), found, expected })
}

/// Moves the assembled file to its place. The record is written first: a record without its model is a missing model.
fn install(
    workspace: &Workspace,
    blueprint: &Blueprint,
    digest: Sha256Digest,
    source: &str,
    path: &Path,
) -> std::io::Result<()> {
    let assembled = workspace.assembled();
    let file = File::open(&assembled)?;
    // Whoever shares the models directory may read it.
    file.set_permissions(fs::Permissions::from_mode(0o644))?;
    file.sync_all()?;
    let manifest = Manifest {
        name: blueprint.name.clone(),
        bytes: file.metadata()?.len(),
        sha256: digest.to_string(),
        source: source.to_owned(),
        recipe: blueprint.recipe().to_owned(),
    };
    manifest.write(path)?;
    fs::rename(&assembled, path)?;
    File::open(path.parent().unwrap_or(Path::new(".")))?.sync_all()
}
