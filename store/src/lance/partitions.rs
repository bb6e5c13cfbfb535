//! The partitions of the vector index: their centres, and which of them each vector belongs to.
//!
//! Responsible for: finding both in single precision.
//!
//! Lance would find them in half precision, as the vectors are stored, and without kernels for it that takes eight times as
//! long: half a minute for 20,000 vectors of 768 numbers.

use std::path::Path;
use std::sync::Arc;

use arrow_array::{Array, FixedSizeListArray, Float16Array, Float32Array, RecordBatch, RecordBatchIterator};
use arrow_array::{UInt32Array, UInt64Array};
use arrow_schema::{DataType, Field, Schema};
use futures::{StreamExt, TryStreamExt};
use half::f16;
use half::slice::HalfFloatSliceExt;
use lance::Dataset;
use lance_index::vector::kmeans::{KMeans, KMeansParams, compute_partitions_arrow_array};
use lancedb::DistanceType;

use super::columns;
use super::schema::{column, vector_item};
use crate::error::StoreError;
use crate::tasks::blocking;

/// Vectors that the centre of each partition is learned from.
const SAMPLE_OF_EACH: usize = 64;
const ITERATIONS: u32 = 20;
/// Batches that are assigned at the same time.
const PARALLEL: usize = 2;

/// The partitions of a table.
pub(crate) struct Partitions {
    /// One for each partition, in half precision.
    pub(crate) centres: Arc<FixedSizeListArray>,
    rows: Vec<u64>,
    partitions: Vec<u32>,
}

impl Partitions {
    /// Divides the vectors of a version of the table into `count` partitions.
    pub(crate) async fn new(dataset: &Dataset, count: usize) -> Result<Self, StoreError> {
        let projection = dataset.schema().project(&[column::VECTOR]).map_err(failed())?;
        let sample = dataset.sample(count * SAMPLE_OF_EACH, &projection, None).await.map_err(failed())?;
        let centres = blocking(move || {
            let params = KMeansParams { max_iters: ITERATIONS, ..KMeansParams::default() };
            let trained = KMeans::new_with_params(&directions(&sample)?, count, &params);
            let trained = trained.map_err(StoreError::batch)?;
            list(Arc::clone(&trained.centroids), trained.dimension)
        })
        .await?;
        let (rows, partitions) = assign(dataset, &centres).await?;
        Ok(Self { centres: Arc::new(in_half_precision(&centres)?), rows, partitions })
    }

    /// Writes the rows and their partitions where and as Lance reads them from.
    pub(crate) async fn write(self, path: &Path) -> Result<String, StoreError> {
        let schema = Arc::new(Schema::new(vec![
            Field::new("row_id", DataType::UInt64, false),
            Field::new("partition", DataType::UInt32, false),
        ]));
        let columns: Vec<Arc<dyn Array>> =
            vec![Arc::new(UInt64Array::from(self.rows)), Arc::new(UInt32Array::from(self.partitions))];
        let batch = RecordBatch::try_new(Arc::clone(&schema), columns).map_err(StoreError::batch)?;
        let uri = path.display().to_string();
        let batches = RecordBatchIterator::new([Ok(batch)], schema);
        Dataset::write(batches, uri.as_str(), None).await.map_err(failed())?;
        Ok(uri)
    }
}

async fn assign(dataset: &Dataset, centres: &FixedSizeListArray) -> Result<(Vec<u64>, Vec<u32>), StoreError> {
    let mut scanner = dataset.scan();
    scanner.project(&[column::VECTOR]).map_err(failed())?.with_row_id();
    let batches = scanner.try_into_stream().await.map_err(failed())?;
    let assigned = batches.map(|batch| {
        let centres = centres.clone();
        async move {
            let batch = batch.map_err(failed())?;
            blocking(move || {
                let vectors = directions(&batch)?;
                let (found, _) = compute_partitions_arrow_array(&centres, &vectors, DistanceType::L2.into())
                    .map_err(StoreError::batch)?;
                let rows = columns::row_ids(&batch)?.iter().copied();
                // A vector of zeros points nowhere, and no search finds it.
                Ok(rows.zip(found).filter_map(|(row, partition)| Some((row, partition?))).collect::<Vec<_>>())
            })
            .await
        }
    });
    let assigned: Vec<_> = assigned.buffered(PARALLEL).try_concat().await?;
    Ok(assigned.into_iter().unzip())
}

/// The vectors of a batch in single precision, each of length 1.
fn directions(batch: &RecordBatch) -> Result<FixedSizeListArray, StoreError> {
    let width = columns::vector_width(batch)?;
    let mut numbers = columns::vectors(batch)?.to_f32_vec();
    for vector in numbers.chunks_exact_mut(width) {
        let length = vector.iter().map(|number| number * number).sum::<f32>().sqrt();
        vector.iter_mut().for_each(|number| *number /= length);
    }
    list(Arc::new(Float32Array::from(numbers)), width)
}

/// Vectors of `width` numbers, which lie one after the other.
pub(super) fn list(numbers: Arc<dyn Array>, width: usize) -> Result<FixedSizeListArray, StoreError> {
    let item = Arc::new(Field::new("item", numbers.data_type().clone(), true));
    FixedSizeListArray::try_new(item, width as i32, numbers, None).map_err(StoreError::batch)
}

fn in_half_precision(centres: &FixedSizeListArray) -> Result<FixedSizeListArray, StoreError> {
    use arrow_array::cast::AsArray;
    use arrow_array::types::Float32Type;
    let numbers = centres.values().as_primitive::<Float32Type>().values();
    let halves = Float16Array::from_iter_values(numbers.iter().copied().map(f16::from_f32));
    FixedSizeListArray::try_new(vector_item(), centres.value_length(), Arc::new(halves), None)
        .map_err(StoreError::batch)
}

fn failed() -> impl FnOnce(lance::Error) -> StoreError {
    StoreError::lance("build the vector index")
}
