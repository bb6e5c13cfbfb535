//! The sketches of every passage of a scope.
//!
//! Responsible for: giving those that are in memory without waiting for the others.

use std::sync::Arc;
use std::time::Instant;

use futures::FutureExt;
use lance::table::format::Fragment;

use super::selection::Selection;
use crate::error::StoreError;
use crate::lance::sketches::{SketchedFragment, Sketcher, Unsketched};
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
    /// Whether the others will be there later, if they are asked for again; not where they take more memory than they may, or
    /// could not be read a moment ago.
    pub is_growing: bool,
}

/// What is in memory of a whole scope. What is not is loaded on the side, for those who ask later.
pub(crate) async fn find(
    shared: &Arc<Shared>,
    selection: &Selection<'_>,
    scope: &Scope,
    sketcher: &Sketcher,
) -> Result<Sketches, StoreError> {
    let points = tables::dataset(&selection.points).await?;
    let lookup = shared.sketch_cache.look_up(scope, points.fragments(), Instant::now());
    let (is_whole, is_growing) = (lookup.missing.is_empty(), lookup.is_expected);
    if let Some(loading) = lookup.loading {
        let unsketched = Unsketched { points, filter: selection.filter.clone(), sketcher: sketcher.clone() };
        // Boxed, because the types of what Lance awaits within are deep.
        tokio::spawn(load(unsketched, lookup.missing, loading).boxed());
    }
    Ok(Sketches { fragments: lookup.known, is_whole, is_growing })
}

/// Reads fragment by fragment without keeping the version on disk, so that nobody waits for it: where files go meanwhile, reading
/// fails, and the next who asks in a later version begins again.
async fn load(unsketched: Unsketched, fragments: Vec<Fragment>, loading: Loading) {
    for fragment in fragments {
        let key = FragmentKey::of(&fragment);
        match unsketched.read(fragment, loading.most_bytes()).await {
            Ok(Some(sketched)) => loading.keep(key, sketched),
            Ok(None) => return loading.give_up(),
            Err(error) => {
                tracing::warn!(%error, "sketches could not be loaded; the search does without for a minute");
                return loading.fail(key, Instant::now());
            }
        }
    }
}
