//! How short attention keys can be: what rankings find after the keys went through lossy codes.
//!
//! Question: keys of both layers that the prototype searched with take 520 bytes a token; what do shorter ones cost in recall? Method: every block of
//! keys is coded, decoded and written in int8 again, so that the product's own scorer ranks it unchanged, among the
//! candidates that the proxy would have. Baseline: the keys as they are read. What some schemes learn, they learn on the
//! conversations that heads and weights were chosen on. It must not know how other arms rank.

mod asking;
mod coder;
mod compared;
mod keys;
mod learned;
mod levels;
mod rotation;
mod schemes;

use self::compared::Compared;
use self::learned::Apart;
use super::rankings::Material;
use super::reading::Library;
use crate::BenchError;
use crate::recorded::Conversation;

/// What the table shows.
pub(super) const NOTE: &str = "recall_all of the candidates ranked by attention alone and by the full pipeline, after the keys of \
    main points were written shorter and read back; in points, the paired difference to the keys as they are read. The product keeps \
    keys of layer 5 alone, in 32 centroid numbers. Bytes per \
    token of a main point, without the 12 bytes of each passage's header. Where nothing else is said, keys are rotated at \
    random and have a scale of 2 bytes that keeps products unbiased. Means and centroids of other conversations come from \
    those that heads and weights were chosen on; without any, their lines are missing.";

/// Measures every scheme; what is learned is learned on the conversations `apart`.
///
/// # Errors
/// Any failure of the engine or the cache.
pub(super) async fn measure(
    library: &mut Library,
    materials: &[Material<'_>],
    apart: &[Conversation],
) -> Result<Compared, BenchError> {
    let mut apart = Apart::of(apart);
    let mut asked = Vec::with_capacity(materials.len());
    for material in materials {
        asked.push(asking::ask(library, material, &mut apart).await?);
    }
    Ok(Compared::of(materials, &asked))
}
