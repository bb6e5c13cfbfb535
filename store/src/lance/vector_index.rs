//! The vector index of a table that has outgrown exact search.
//!
//! Responsible for: building IVF_SQ once a table is large, and checking it against the exact search.
//!
//! Exact search over a scope reads the vectors of that scope only, so it stays fast far beyond what one table of many
//! scopes holds in total; the index serves scopes that are large themselves. Conversations are always searched exactly.
//! One byte a number (scalar quantisation) is exact enough to do without reading the vectors themselves again: on 100,000
//! rows, product quantisation with four times the candidates compared again took three times as long and found less.
//!
//! 100,000 vectors of 768 numbers in half precision, two busy cores: the index is built in 13 s; the nearest 200/500/1,000 take
//! 9/10/12 ms and are .99 of the exact ones, which take a third of a second. 20,000: built in 3 s, 6 ms, .99, against 40 ms.

use std::collections::HashSet;
use std::path::Path;
use std::sync::Arc;
use std::{fs, io, slice};

use arrow_array::Array;
use futures::FutureExt;
use half::slice::HalfFloatSliceExt;
use lance::Dataset;
use lance::index::DatasetIndexExt;
use lance::index::vector::VectorIndexParams;
use lance::table::format::Fragment;
use lance_index::IndexType;
use lance_index::vector::ivf::builder::IvfBuildParams;
use lance_index::vector::sq::builder::SQBuildParams;
use lancedb::query::{QueryBase, Select, VectorQuery};
use lancedb::{DistanceType, Table};

use super::exact_search::{self, RowSubset};
use super::partitions::Partitions;
use super::schema::column;
use super::{columns, tables};
use crate::error::StoreError;

/// Below this many rows exact search is fast enough.
pub(crate) const MINIMUM_ROWS: usize = 20_000;
/// Stored vectors that serve as questions for the check, and neighbours compared for each.
const QUESTIONS: usize = 16;
const NEIGHBOURS: usize = 10;
/// Below this share of exact neighbours the index is dropped.
const RECALL_NEEDED: f32 = 0.9;

/// Rows of a partition. Lance's own 8,192 make 12 partitions of 100,000 rows, of which 8 have to be looked into.
const PARTITION_ROWS: usize = 1024;
/// An index whose partitions have grown to this many times as many rows is built anew.
const OUTGROWN: usize = 4;
/// As many partitions are looked into as the square root of the rows divided by this: 31 of 97 find .985 of the 50 nearest of
/// 100,000 rows (8 of 12 as well), 100 of 976 find .970 of those of 1,000,000 (32 of 122: .972), and half as many rows or
/// fewer are compared.
const ROWS_BY_SQUARED_PARTITIONS: u64 = 100;
const LEAST_PARTITIONS: usize = 8;

/// The partitions that a search looks into where there are so many rows.
pub(crate) fn partitions(rows: u64) -> usize {
    let root = (rows / ROWS_BY_SQUARED_PARTITIONS).isqrt();
    usize::try_from(root).unwrap_or(usize::MAX).max(LEAST_PARTITIONS)
}

/// Builds the index if there are `minimum_rows` and there is none, or one that the table has outgrown. Returns its recall when it was built.
pub(crate) async fn build_when_large(
    points: &Table,
    scratch: &Path,
    minimum_rows: usize,
) -> Result<Option<f32>, StoreError> {
    let failed = || StoreError::lance("build the vector index");
    let rows = points.count_rows(None).await.map_err(failed())?;
    if rows < minimum_rows
        || partitions_of(points).await?.is_some_and(|count| count * PARTITION_ROWS * OUTGROWN >= rows)
    {
        return Ok(None);
    }
    let recall = build(points, scratch).await?;
    if recall < RECALL_NEEDED {
        tracing::warn!(
            recall,
            needed = RECALL_NEEDED,
            "the vector index misses too many neighbours; search stays exact"
        );
        for index in points.list_indices().await.map_err(failed())? {
            if index.columns == [column::VECTOR] {
                points.drop_index(&index.name).await.map_err(failed())?;
            }
        }
    }
    Ok(Some(recall))
}

/// Whether there is one.
pub(crate) async fn exists(points: &Table) -> Result<bool, StoreError> {
    Ok(name_of(points).await?.is_some())
}

async fn name_of(points: &Table) -> Result<Option<String>, StoreError> {
    let indices = points.list_indices().await.map_err(StoreError::lance("list indices"))?;
    let of_vectors = indices.into_iter().find(|index| index.columns == [column::VECTOR]);
    Ok(of_vectors.map(|index| index.name))
}

/// How many partitions the index has; `None` where there is no index.
async fn partitions_of(points: &Table) -> Result<Option<usize>, StoreError> {
    let Some(name) = name_of(points).await? else {
        return Ok(None);
    };
    let dataset = tables::dataset(points).await?;
    let told = dataset.index_statistics(&name).boxed().await;
    let told = told.map_err(StoreError::lance("look at an index"))?;
    let unreadable =
        || StoreError::unreadable(format!("statistics of the vector index without its partitions: {told}"));
    let told_of: serde_json::Value = serde_json::from_str(&told).map_err(|_| unreadable())?;
    let parts = told_of.get("indices").and_then(serde_json::Value::as_array).ok_or_else(unreadable)?;
    let of_part = |part: &serde_json::Value| part.get("num_partitions").and_then(serde_json::Value::as_u64);
    let most = parts.iter().filter_map(of_part).max().ok_or_else(unreadable)?;
    Ok(Some(usize::try_from(most).unwrap_or(usize::MAX)))
}

/// Builds the index and returns its recall. `scratch` is where a table can lie meanwhile.
pub(crate) async fn build(points: &Table, scratch: &Path) -> Result<f32, StoreError> {
    let mut dataset = tables::dataset(points).await?.as_ref().clone();
    remove(scratch)?;
    let indexed = index(&mut dataset, scratch).await;
    remove(scratch)?;
    indexed?;
    if let Some(wrapper) = points.dataset() {
        wrapper.update(dataset);
    }
    recall(points).await
}

async fn index(dataset: &mut Dataset, scratch: &Path) -> Result<(), StoreError> {
    let failed = || StoreError::lance("build the vector index");
    let rows = dataset.count_rows(None).await.map_err(failed())?;
    let partitions = Partitions::new(dataset, (rows / PARTITION_ROWS).max(1)).await?;
    let centres = Arc::clone(&partitions.centres);
    let mut divided = IvfBuildParams::try_with_centroids(centres.len(), centres).map_err(failed())?;
    divided.precomputed_partitions_file = Some(partitions.write(scratch).await?);
    let quantised = SQBuildParams::default();
    let parameters = VectorIndexParams::with_ivf_sq_params(DistanceType::Cosine.into(), divided, quantised);
    // Boxed, because the types of what Lance awaits within are too deep for a caller's.
    let columns = [column::VECTOR];
    let created = dataset.create_index(&columns, IndexType::Vector, None, &parameters, true).boxed();
    created.await.map_err(failed())?;
    Ok(())
}

fn remove(scratch: &Path) -> Result<(), StoreError> {
    match fs::remove_dir_all(scratch) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(StoreError::file("remove", scratch)(error)),
        _ => Ok(()),
    }
}

/// The fragments of a version of the table that the index does not cover.
pub(crate) async fn not_covered(dataset: &Dataset) -> Result<Vec<Fragment>, StoreError> {
    let failed = || StoreError::lance("list indices");
    let vector = dataset.schema().field(column::VECTOR).map(|field| field.id);
    let indices = dataset.load_indices().await.map_err(failed())?;
    let of_vectors =
        indices.iter().filter(|index| Some(index.fields.as_slice()) == vector.as_ref().map(slice::from_ref));
    let covered: Vec<_> = of_vectors.filter_map(|index| index.fragment_bitmap.as_ref()).collect();
    let is_covered = |fragment: &Fragment| covered.iter().any(|fragments| fragments.contains(fragment.id as u32));
    Ok(dataset.fragments().iter().filter(|fragment| !is_covered(fragment)).cloned().collect())
}

/// Share of the exact neighbours of some stored vectors that the index finds.
async fn recall(points: &Table) -> Result<f32, StoreError> {
    let failed = || StoreError::lance("check the vector index");
    let sample = points.query().select(Select::columns(&[column::VECTOR])).limit(QUESTIONS);
    let batches = tables::collect(&sample, "check the vector index").await?;
    let rows = points.count_rows(None).await.map_err(failed())?;
    let partitions = partitions(rows as u64);
    let dataset = tables::dataset(points).await?;
    let (mut found, mut wanted) = (0, 0);
    for batch in &batches {
        let width = columns::vector_width(batch)?;
        for vector in columns::vectors(batch)?.chunks_exact(width) {
            let vector = vector.to_f32_vec();
            let exact = exact_search::nearest(&dataset, RowSubset::default(), &vector, NEIGHBOURS).await?;
            let exact: HashSet<u64> = exact.into_iter().map(|(row, _)| row).collect();
            let indexed = points.query().nearest_to(vector).map_err(failed())?;
            let indexed = indexed.nprobes(partitions).map_err(failed())?;
            found += neighbours(indexed).await?.intersection(&exact).count();
            wanted += exact.len();
        }
    }
    Ok(if wanted == 0 { 1.0 } else { found as f32 / wanted as f32 })
}

async fn neighbours(query: VectorQuery) -> Result<HashSet<u64>, StoreError> {
    let query = query
        .distance_type(DistanceType::Cosine)
        .limit(NEIGHBOURS)
        .with_row_id()
        .select(Select::columns(&["_distance"]));
    let batches = tables::collect(&query, "check the vector index").await?;
    let mut ids = HashSet::new();
    for batch in &batches {
        ids.extend(columns::row_ids(batch)?.iter().copied());
    }
    Ok(ids)
}

#[cfg(test)]
#[path = "vector_index_tests.rs"]
mod tests;
