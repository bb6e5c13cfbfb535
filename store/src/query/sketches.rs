//! The sketches of every passage of a scope.
//!
//! Responsible for: giving those that are in memory without waiting for the others. Must not know: what sketches say.

use std::sync::Arc;

use futures::FutureExt;

use super::selection::Selection;
use crate::error::StoreError;
use crate::lance::sketches::{self, SketchedFragment, Sketcher, Unsketched};
use crate::lance::tables;
use crate::records::Scope;
use crate::state::Shared;
use crate::state::sketch_cache::{FragmentKey, Loading};

/// The sketches of a scope's passages, as far as they are in memory.
#[derive(Debug, Default)]
pub struct Sketches {
    /// The sketches, each passage's once.
    pub fragments: Vec<Arc<SketchedFragment>>,
    /// Whether every passage's is there.
    pub is_whole: bool,
}

/// What is in memory of a whole scope. What is not is loaded on the side, for those who ask later.
pub(crate) async fn find(
    shared: &Arc<Shared>,
    selection: &Selection<'_>,
    scope: &Scope,
    sketcher: &Sketcher,
) -> Result<Sketches, StoreError> {
    let points = tables::dataset(&selection.points).await?;
    let lookup = shared.sketch_cache.look_up(scope, points.fragments());
    let is_whole = lookup.missing.is_empty();
    if let Some(loading) = lookup.loading {
        let unsketched = Unsketched { points, filter: selection.filter.clone(), fragments: lookup.missing };
        // Boxed, because the types of what Lance awaits within are deep.
        tokio::spawn(load(unsketched, sketcher.clone(), loading).boxed());
    }
    Ok(Sketches { fragments: lookup.known, is_whole })
}

/// Reads without keeping the version on disk, so that nobody waits for it: where files go meanwhile, reading fails, and the next
/// who asks begins again.
async fn load(unsketched: Unsketched, sketcher: Sketcher, loading: Loading) {
    let keys: Vec<_> = unsketched.fragments.iter().map(|fragment| (fragment.id, FragmentKey::of(fragment))).collect();
    match sketches::read(unsketched, &sketcher, loading.most_bytes()).await {
        Ok(Some(mut found)) => {
            let loaded = keys.into_iter().map(|(id, key)| (key, found.remove(&id).unwrap_or_default()));
            loading.keep(loaded.collect());
        }
        Ok(None) => loading.give_up(),
        Err(error) => tracing::debug!(%error, "sketches could not be loaded"),
    }
}
