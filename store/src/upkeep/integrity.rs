//! Whether the files of the tables are as they were written.
//!
//! Responsible for: comparing them with the newest versions, putting manifests back that are remembered.

use std::path::PathBuf;
use std::sync::Arc;

use lance::Dataset;

use crate::error::StoreError;
use crate::lance::inspection;
use crate::lance::schema::{POINTS, TURNS};
use crate::lance::tables::{self, Tables};
use crate::state::Shared;

/// Whether the newest version of both tables has all of its files, as long as they were written. Changes nothing.
pub(super) async fn are_whole(shared: &Arc<Shared>) -> Result<bool, StoreError> {
    for (place, newest) in newest_versions(shared).await?.into_iter().enumerate() {
        let is_there = shared.blocking(move |shared| shared.manifests.is_unchanged(place, &newest.manifest)).await?;
        let table = shared.directory.table(newest.name);
        // First the manifest, since the indices are listed in it.
        if !is_there || !inspection::missing(&table, &newest.dataset).await?.is_empty() {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Puts the newest manifests back as they were written, where they are gone or were changed and are remembered.
pub(super) async fn restore_manifests(shared: &Arc<Shared>) -> Result<(), StoreError> {
    for (place, newest) in newest_versions(shared).await?.into_iter().enumerate() {
        shared
            .blocking(move |shared| {
                let (manifests, path) = (&shared.manifests, &newest.manifest);
                if !manifests.is_unchanged(place, path)? {
                    manifests.restore(place, path, &shared.directory)?;
                }
                Ok(())
            })
            .await?;
    }
    Ok(())
}

/// A table's newest version, and where it is written down.
struct NewestVersion {
    name: &'static str,
    dataset: Arc<Dataset>,
    manifest: PathBuf,
}

async fn newest_versions(shared: &Shared) -> Result<[NewestVersion; 2], StoreError> {
    let Tables { turns, points, .. } = shared.tables();
    let newest = |name, dataset: Arc<Dataset>| {
        let file = dataset.manifest_location().path.filename().unwrap_or_default().to_owned();
        NewestVersion { name, manifest: shared.directory.table(name).join("_versions").join(file), dataset }
    };
    Ok([newest(TURNS, tables::dataset(&turns).await?), newest(POINTS, tables::dataset(&points).await?)])
}
