//! The exact search by vector: every vector of a selection is compared.
//!
//! Responsible for: reading the vectors and the arithmetic of cosines.
//!
//! Lance compares half-precision numbers one by one unless it is compiled with kernels for them; widened a row at a time they
//! are compared several times as fast.

use arrow_array::RecordBatch;
use futures::{StreamExt, TryStreamExt};
use half::f16;
use half::slice::HalfFloatSliceExt;
use lance::Dataset;
use lance::table::format::Fragment;
use lancedb::expr::DfExpr;

use super::columns;
use super::schema::column;
use crate::error::StoreError;
use crate::tasks::blocking;

/// Batches that are compared at the same time.
const PARALLEL: usize = 2;
/// Rows of a batch: few enough that they are still in the processor's cache when they are compared.
const BATCH: usize = 1024;
/// Sums that a product is added up in, so that the compiler can use wide registers.
const LANES: usize = 16;

/// Which rows are compared: all of them unless something is said.
#[derive(Debug, Default)]
pub(crate) struct RowSubset {
    pub(crate) filter: Option<DfExpr>,
    pub(crate) fragments: Option<Vec<Fragment>>,
}

/// The rows nearest to a vector with the cosines of their vectors, at most `limit`, in no order. A vector of zeros is near to
/// nothing.
pub(crate) async fn nearest(
    points: &Dataset,
    subset: RowSubset,
    vector: &[f32],
    limit: usize,
) -> Result<Vec<(u64, f32)>, StoreError> {
    let failed = || StoreError::lance("search by vector");
    let mut scanner = points.scan();
    scanner.project(&[column::VECTOR]).map_err(failed())?;
    scanner.with_row_id().batch_size(BATCH);
    if let Some(filter) = subset.filter {
        scanner.filter_expr(filter);
    }
    if let Some(fragments) = subset.fragments {
        scanner.with_fragments(fragments);
    }
    let batches = scanner.try_into_stream().await.map_err(failed())?;
    let compared = batches.map(|batch| {
        let vector = vector.to_vec();
        async move {
            let batch = batch.map_err(failed())?;
            blocking(move || of_batch(&batch, &vector, limit)).await
        }
    });
    let mut found = compared.buffer_unordered(PARALLEL).try_concat().await?;
    keep_best(&mut found, limit);
    Ok(found)
}

fn of_batch(batch: &RecordBatch, vector: &[f32], limit: usize) -> Result<Vec<(u64, f32)>, StoreError> {
    if batch.num_rows() == 0 {
        return Ok(Vec::new());
    }
    let cosines = Cosines::new(vector);
    let rows = columns::row_ids(batch)?.iter().copied();
    let mut found: Vec<(u64, f32)> = rows.zip(cosines.of(columns::vectors(batch)?)).collect();
    found.retain(|(_, cosine)| cosine.is_finite());
    keep_best(&mut found, limit);
    Ok(found)
}

/// Leaves the `limit` best, in no order.
pub(crate) fn keep_best(found: &mut Vec<(u64, f32)>, limit: usize) {
    if found.len() > limit && limit > 0 {
        found.select_nth_unstable_by(limit - 1, |one, other| other.1.total_cmp(&one.1));
    }
    found.truncate(limit);
}

/// Cosines with one vector.
struct Cosines<'a> {
    vector: &'a [f32],
    length: f32,
}

impl<'a> Cosines<'a> {
    fn new(vector: &'a [f32]) -> Self {
        Self { vector, length: dot(vector, vector).sqrt() }
    }

    /// The cosine of each of the vectors that lie one after the other; not a number for a vector of zeros.
    fn of(&self, vectors: &[f16]) -> Vec<f32> {
        let mut wide = vec![0.0; self.vector.len()];
        let cosine = |numbers: &[f16]| {
            numbers.convert_to_f32_slice(&mut wide);
            dot(self.vector, &wide) / (self.length * dot(&wide, &wide).sqrt())
        };
        vectors.chunks_exact(self.vector.len()).map(cosine).collect()
    }
}

fn dot(one: &[f32], other: &[f32]) -> f32 {
    let (chunks, rest) = one.as_chunks::<LANES>();
    let (other_chunks, other_rest) = other.as_chunks::<LANES>();
    let mut sums = [0.0; LANES];
    for (one, other) in chunks.iter().zip(other_chunks) {
        for ((sum, one), other) in sums.iter_mut().zip(one).zip(other) {
            *sum += one * other;
        }
    }
    let rest: f32 = rest.iter().zip(other_rest).map(|(one, other)| one * other).sum();
    sums.iter().sum::<f32>() + rest
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests fail loudly")]

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_vector_of_zeros_is_near_to_nothing() {
        let zeros = columns::halves(&[0.0; 3]);
        assert!(Cosines::new(&[1.0, 0.0, 0.0]).of(&zeros)[0].is_nan());
    }

    proptest! {
        #[test]
        fn cosines_are_those_of_single_precision_to_a_thousandth(
            vectors in proptest::collection::vec(proptest::collection::vec(-1.0_f32..1.0, 37), 1..9),
        ) {
            let asked = vectors.first().unwrap().clone();
            let cosines = Cosines::new(&asked).of(&columns::halves(&vectors.concat()));
            prop_assert_eq!(cosines.len(), vectors.len());
            let sum = |one: &[f32], other: &[f32]| one.iter().zip(other).map(|(one, other)| one * other).sum::<f32>();
            for (vector, cosine) in vectors.iter().zip(cosines) {
                let expected = sum(&asked, vector) / (sum(&asked, &asked) * sum(vector, vector)).sqrt();
                prop_assert!((cosine - expected).abs() < 1e-3, "{} {}", cosine, expected);
            }
        }

        #[test]
        fn the_best_are_kept(scores in proptest::collection::vec(-1.0_f32..1.0, 0..40), limit in 1_usize..20) {
            let mut found: Vec<(u64, f32)> = (0..).zip(scores.iter().copied()).collect();
            keep_best(&mut found, limit);
            let mut kept: Vec<f32> = found.into_iter().map(|(_, score)| score).collect();
            kept.sort_by(|one, other| other.total_cmp(one));
            let mut best = scores;
            best.sort_by(|one, other| other.total_cmp(one));
            best.truncate(limit);
            prop_assert_eq!(kept, best);
        }
    }
}
