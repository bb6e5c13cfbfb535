//! Clusters of vectors: which of them are near to each other.
//!
//! Responsible for: dividing vectors by their directions, always in the same way, and keeping together what belongs
//! together.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow_array::{Array, Float32Array};
use half::f16;
use half::slice::HalfFloatSliceExt;
use lance_index::vector::kmeans::{KMeans, KMeansParams, compute_partitions_arrow_array};
use lancedb::DistanceType;

use super::centres::{Directions, gathered, numbered};
use super::merging::merged;
use super::partitions::list;
use crate::error::StoreError;

/// Vectors that each centre is learned from, at most.
const SAMPLE_OF_EACH: usize = 64;
const ITERATIONS: u32 = 20;
/// Beginnings that are tried, of which the best counts.
const BEGINNINGS: usize = 5;
/// What beginnings are drawn with, so that they are the same each time.
const SEED: u64 = 0;

/// A vector that is to be divided from others.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Member<'a> {
    /// The vector.
    pub(crate) vector: &'a [f16],
    /// The set whose vectors come into one cluster.
    pub(crate) set: usize,
}

/// Where a vector belongs.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Membership {
    /// The cluster, from 0 in the order of the vectors; none is empty.
    pub(crate) cluster: usize,
    /// How far its direction is from the centre, squared.
    pub(crate) distance: f32,
}

/// What a set has in a cluster.
#[derive(Debug, Clone, Copy)]
struct Part {
    vectors: usize,
    /// How far the nearest of them is from the centre, squared.
    nearest: f64,
}

/// The cluster of each vector; `None` for a vector that points nowhere. There are at most `count`: clusters that hardly
/// differ are one. Their order decides which vectors are learned from where there are many, so whoever wants the same
/// clusters again has to keep it.
pub(crate) fn divide(members: &[Member<'_>], count: usize) -> Result<Vec<Option<Membership>>, StoreError> {
    let width = members.first().map_or(0, |member| member.vector.len());
    let mut numbers = Vec::with_capacity(members.len() * width);
    let has_direction: Vec<bool> = members.iter().map(|member| append_direction(member.vector, &mut numbers)).collect();
    let with_direction = members.iter().zip(&has_direction).filter(|(_, has_direction)| **has_direction);
    let sets: Vec<usize> = with_direction.map(|(member, _)| member.set).collect();
    if sets.is_empty() {
        return Ok(vec![None; members.len()]);
    }
    let numbers = Float32Array::from(numbers);
    let clusters = by_nearest_centre(&numbers, width, count.clamp(1, sets.len()))?;
    let directions = Directions { numbers: numbers.values(), width };
    let clusters = together(directions, &merged(directions, &clusters), &sets);
    let mut memberships = memberships(directions, &clusters).into_iter();
    let membership = |has_direction| if has_direction { memberships.next() } else { None };
    Ok(has_direction.into_iter().map(membership).collect())
}

/// The cluster of each direction by k-means.
fn by_nearest_centre(numbers: &Float32Array, width: usize, count: usize) -> Result<Vec<usize>, StoreError> {
    let directions = list(Arc::new(numbers.clone()), width)?;
    let sample = directions.slice(0, directions.len().min(count * SAMPLE_OF_EACH));
    let params = KMeansParams { max_iters: ITERATIONS, redos: BEGINNINGS, seed: Some(SEED), ..KMeansParams::default() };
    let trained = KMeans::new_with_params(&sample, count, &params).map_err(StoreError::batch)?;
    let centres = list(Arc::clone(&trained.centroids), trained.dimension)?;
    let (clusters, _) =
        compute_partitions_arrow_array(&centres, &directions, DistanceType::L2.into()).map_err(StoreError::batch)?;
    // Each direction is finite, and so is in one.
    Ok(clusters.into_iter().map(|cluster| cluster.unwrap_or_default() as usize).collect())
}

/// The cluster of each vector, so that those of a set are in one: where most of them are, of several such where one is
/// nearest to the centre.
fn together(directions: Directions<'_>, clusters: &[usize], sets: &[usize]) -> Vec<usize> {
    let centres = gathered(directions, clusters);
    let mut parts: BTreeMap<usize, BTreeMap<usize, Part>> = BTreeMap::new();
    for ((vector, cluster), set) in directions.each().zip(clusters).zip(sets) {
        let distance = centres.get(*cluster).map_or(f64::INFINITY, |centre| centre.distance_of(vector));
        let part = parts.entry(*set).or_default().entry(*cluster).or_insert(Part { vectors: 0, nearest: distance });
        part.vectors += 1;
        part.nearest = part.nearest.min(distance);
    }
    let home = |parts: &BTreeMap<usize, Part>| {
        let order = |part: &Part, other: &Part| {
            other.vectors.cmp(&part.vectors).then_with(|| part.nearest.total_cmp(&other.nearest))
        };
        parts.iter().min_by(|(_, part), (_, other)| order(part, other)).map(|(cluster, _)| *cluster)
    };
    let homes: BTreeMap<usize, usize> = parts.iter().filter_map(|(set, parts)| Some((*set, home(parts)?))).collect();
    let settled = sets.iter().zip(clusters).map(|(set, cluster)| homes.get(set).copied().unwrap_or(*cluster));
    numbered(&settled.collect::<Vec<_>>())
}

#[expect(clippy::cast_possible_truncation, reason = "distances are from 0 to 4")]
fn memberships(directions: Directions<'_>, clusters: &[usize]) -> Vec<Membership> {
    let centres = gathered(directions, clusters);
    let membership = |(vector, cluster): (&[f32], &usize)| {
        let distance = centres.get(*cluster).map_or(0.0, |centre| centre.distance_of(vector));
        Membership { cluster: *cluster, distance: distance as f32 }
    };
    directions.each().zip(clusters).map(membership).collect()
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
        let members: Vec<Member<'_>> = vectors.iter().enumerate().map(|(set, vector)| Member { vector, set }).collect();
        divide(&members, count).unwrap()
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

    #[test]
    fn what_k_means_cut_though_it_is_one_is_one() {
        let near: Vec<Vec<f32>> =
            (0..12_u8).map(|turn| (0..12).map(|at| if at == turn { 1.4 } else { 1.0 }).collect()).collect();
        let far: Vec<Vec<f32>> = near.iter().map(|vector| vector.iter().map(|number| -number).collect()).collect();
        let found = clusters(&divided(&[near, far].concat(), 6));
        assert_eq!(found, [[Some(0); 12], [Some(1); 12]].concat());
    }

    #[test]
    fn what_belongs_together_is_where_most_of_it_is_else_where_it_is_nearest() {
        let (right, up) = (halves(&[1.0, 0.0]), halves(&[0.0, 1.0]));
        let (almost_right, almost_up) = (halves(&[1.0, 0.2]), halves(&[0.1, 1.0]));
        let member = |vector, set| Member { vector, set };
        let others: Vec<Member<'_>> =
            (10..20).flat_map(|set| [member(&right[..], set), member(&up[..], set + 10)]).collect();
        let found = |own: &[Member<'_>]| {
            let found = clusters(&divide(&[&others[..], own].concat(), 2).unwrap());
            found.into_iter().skip(others.len()).collect::<Vec<_>>()
        };
        assert_eq!(found(&[member(&up, 1), member(&right, 1), member(&almost_right, 1)]), [Some(0); 3]);
        assert_eq!(found(&[member(&almost_up, 1), member(&almost_right, 1)]), [Some(1); 2]);
        assert_eq!(found(&[member(&almost_up, 1), member(&almost_right, 2)]), [Some(1), Some(0)]);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]
        #[test]
        fn every_set_is_in_one_cluster(
            vectors in prop::collection::vec((prop::collection::vec(-1.0_f32..1.0, 5), 0..12_usize), 0..60),
            count in 1_usize..12,
        ) {
            let halved: Vec<(Vec<f16>, usize)> = vectors.iter().map(|(vector, set)| (halves(vector), *set)).collect();
            let members: Vec<Member<'_>> =
                halved.iter().map(|(vector, set)| Member { vector, set: *set }).collect();
            let memberships = divide(&members, count).unwrap();
            let mut homes = BTreeMap::new();
            for (member, membership) in members.iter().zip(memberships) {
                if let Some(membership) = membership {
                    prop_assert_eq!(*homes.entry(member.set).or_insert(membership.cluster), membership.cluster);
                }
            }
        }

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
