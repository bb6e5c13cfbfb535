//! Clusters of vectors: which of them are near to each other.
//!
//! Responsible for: dividing vectors by their directions, always in the same way. Must not know: whose vectors they are.

use std::sync::Arc;

use arrow_array::Float32Array;
use half::f16;
use half::slice::HalfFloatSliceExt;
use lance_index::vector::kmeans::{KMeans, KMeansParams, compute_partitions_arrow_array};
use lancedb::DistanceType;

use super::partitions::list;
use crate::error::StoreError;

/// Vectors that each centre is learned from, at most.
const SAMPLE_OF_EACH: usize = 64;
const ITERATIONS: u32 = 20;
/// Beginnings that are tried, of which the best counts.
const BEGINNINGS: usize = 5;
/// What beginnings are drawn with, so that they are the same each time.
const SEED: u64 = 0;

/// Where a vector belongs.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Membership {
    /// The cluster, from 0 in the order of the vectors; none is empty.
    pub(crate) cluster: usize,
    /// How far its direction is from the centre, squared.
    pub(crate) distance: f32,
}

/// The cluster of each vector; `None` for a vector that points nowhere. There are at most `count`. Their order decides which vectors
/// are learned from where there are many, so whoever wants the same clusters again has to keep it.
pub(crate) fn divide(vectors: &[&[f16]], count: usize) -> Result<Vec<Option<Membership>>, StoreError> {
    let width = vectors.first().map_or(0, |vector| vector.len());
    let mut numbers = Vec::with_capacity(vectors.len() * width);
    let has_direction: Vec<bool> = vectors.iter().map(|vector| append_direction(vector, &mut numbers)).collect();
    let found = has_direction.iter().filter(|has_direction| **has_direction).count();
    if found == 0 {
        return Ok(vec![None; vectors.len()]);
    }
    let count = count.clamp(1, found);
    let directions = list(Arc::new(Float32Array::from(numbers)), width)?;
    let sample = directions.slice(0, found.min(count * SAMPLE_OF_EACH));
    let params = KMeansParams { max_iters: ITERATIONS, redos: BEGINNINGS, seed: Some(SEED), ..KMeansParams::default() };
    let trained = KMeans::new_with_params(&sample, count, &params).map_err(StoreError::batch)?;
    let centres = list(Arc::clone(&trained.centroids), trained.dimension)?;
    let (clusters, distances) =
        compute_partitions_arrow_array(&centres, &directions, DistanceType::L2.into()).map_err(StoreError::batch)?;
    let mut memberships = numbered(&clusters, count).into_iter().zip(distances).map(|(cluster, distance)| {
        let (cluster, distance) = (cluster?, distance?);
        Some(Membership { cluster, distance: distance.max(0.0) })
    });
    let membership = |has_direction| if has_direction { memberships.next().flatten() } else { None };
    Ok(has_direction.into_iter().map(membership).collect())
}

/// The clusters by numbers in the order in which they come first, without those that nothing belongs to.
fn numbered(clusters: &[Option<u32>], count: usize) -> Vec<Option<usize>> {
    let mut numbers: Vec<Option<usize>> = vec![None; count];
    let mut next = 0;
    let mut number = |cluster: u32| {
        let slot = numbers.get_mut(cluster as usize)?;
        let number = *slot.get_or_insert_with(|| {
            next += 1;
            next - 1
        });
        Some(number)
    };
    clusters.iter().map(|cluster| number((*cluster)?)).collect()
}

/// Appends the vector with length 1; false, and nothing, if it has no direction.
fn append_direction(vector: &[f16], numbers: &mut Vec<f32>) -> bool {
    let from = numbers.len();
    numbers.resize(from + vector.len(), 0.0);
    let Some(added) = numbers.get_mut(from..) else { return false };
    vector.convert_to_f32_slice(added);
    let length = added.iter().map(|number| number * number).sum::<f32>().sqrt();
    let has_direction = length > 0.0 && length.is_finite();
    if has_direction {
        added.iter_mut().for_each(|number| *number /= length);
    } else {
        numbers.truncate(from);
    }
    has_direction
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests fail loudly")]

    use proptest::prelude::*;

    use super::*;
    use crate::lance::columns::halves;

    fn divided(vectors: &[Vec<f32>], count: usize) -> Vec<Option<Membership>> {
        let vectors: Vec<Vec<f16>> = vectors.iter().map(|vector| halves(vector)).collect();
        let vectors: Vec<&[f16]> = vectors.iter().map(Vec::as_slice).collect();
        divide(&vectors, count).unwrap()
    }

    fn clusters(memberships: &[Option<Membership>]) -> Vec<Option<usize>> {
        memberships.iter().map(|membership| membership.map(|membership| membership.cluster)).collect()
    }

    #[test]
    fn what_points_the_same_way_is_together_whatever_its_length() {
        let vectors = [[1.0, 0.1], [0.1, 3.0], [5.0, 0.0], [0.0, 1.0], [2.0, 0.3]].map(|vector| vector.to_vec());
        let expected = [0, 1, 0, 1, 0].map(Some);
        assert_eq!(clusters(&divided(&vectors, 2)), expected);
    }

    #[test]
    fn a_vector_of_zeros_belongs_nowhere_and_nothing_is_divided_into_nothing() {
        let vectors = [[0.0, 0.0], [1.0, 0.0]].map(|vector| vector.to_vec());
        assert_eq!(clusters(&divided(&vectors, 5)), [None, Some(0)]);
        assert_eq!(clusters(&divided(&vectors[..1], 5)), [None]);
        assert!(divided(&[], 5).is_empty());
    }

    #[test]
    fn what_is_the_same_is_one_cluster_however_many_there_may_be() {
        let same: Vec<Vec<f32>> = std::iter::repeat_n(vec![0.6, 0.8], 9).collect();
        let memberships = divided(&same, 4);
        assert_eq!(clusters(&memberships), [Some(0); 9]);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]
        #[test]
        fn the_same_vectors_are_divided_in_the_same_way_into_numbered_clusters(
            vectors in prop::collection::vec(prop::collection::vec(-1.0_f32..1.0, 5), 0..60), count in 1_usize..12,
        ) {
            let memberships = divided(&vectors, count);
            prop_assert_eq!(&divided(&vectors, count), &memberships);
            prop_assert_eq!(memberships.len(), vectors.len());
            let mut next = 0;
            for membership in memberships.iter().flatten() {
                prop_assert!(membership.cluster <= next && membership.distance.is_finite());
                next = next.max(membership.cluster + 1);
            }
            prop_assert!(next <= count);
        }
    }
}
