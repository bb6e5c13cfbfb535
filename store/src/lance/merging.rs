//! Clusters that are one: k-means makes as many as it is told, so that it cuts what is one thing into several.
//!
//! Two clusters are compared by how far their vectors lie from those of the other, and how far from each other: the
//! mean squared distance of two vectors across, over that of two within, less one, is how much they differ. It is 0
//! where a cluster was cut at random, and has no unit, so that it is the same for models whose vectors lie near
//! together and for others. It is what Davies and Bouldin (1979) compare, spread and distance of centres, squared;
//! without what the centres of few vectors are apart by chance. Clusters are merged by average linkage (Sokal and
//! Michener 1958), the least different ones first, while they differ by less than [`DIFFERENCE`]: since merged ones are
//! compared by the clusters that they are made of, two that differ are not one because a third lies between them.

use std::collections::{BTreeMap, BTreeSet};

use super::centres::{Centre, Directions, gathered, numbered};

/// What differs by less is one. K-means cuts 12 to 200 drawn vectors without any structure into clusters that differ by
/// 0.1 to 0.3 on average, in 20 to 40 dimensions; cut so, four subjects that differ by 0.5 are four to six clusters
/// after merging, and mostly four in 40 dimensions.
const DIFFERENCE: f64 = 1.0 / 3.0;
/// The spread of a cluster is averaged with that of all, as if so many of its vectors were spread so: a single vector
/// has none.
const PRIOR: f64 = 2.0;
/// The square of what half precision makes two numbers differ by.
const ROUNDING: f64 = 1e-6;

/// How much two clusters differ.
#[derive(Debug, Clone, Copy)]
struct Pair {
    difference: f64,
    /// Pairs of their vectors.
    weight: f64,
}

/// The pairs of clusters, by the lower and the higher number.
type Pairs = BTreeMap<(usize, usize), Pair>;

/// The cluster of each vector after merging, from 0 in the order of the vectors; `clusters` has it before. What the
/// clusters are called there, and so their order, changes nothing.
pub(super) fn merged(directions: Directions<'_>, clusters: &[usize]) -> Vec<usize> {
    let clusters = numbered(clusters);
    let centres = gathered(directions, &clusters);
    let groups = groups(centres.len(), &pairs(&centres));
    let group = |cluster: &usize| groups.iter().position(|group| group.contains(cluster)).unwrap_or(*cluster);
    numbered(&clusters.iter().map(group).collect::<Vec<_>>())
}

/// The clusters that are one, for each of what is left.
fn groups(count: usize, pairs: &Pairs) -> Vec<BTreeSet<usize>> {
    let mut groups: Vec<BTreeSet<usize>> = (0..count).map(|cluster| BTreeSet::from([cluster])).collect();
    while let Some((into, from)) = nearest(&groups, pairs) {
        let merged = groups.remove(from);
        if let Some(group) = groups.get_mut(into) {
            group.extend(merged);
        }
    }
    groups
}

/// The two groups that differ least, the lower one first, unless they are not one. Of several that differ as little,
/// the first.
fn nearest(groups: &[BTreeSet<usize>], pairs: &Pairs) -> Option<(usize, usize)> {
    let numbered = || groups.iter().enumerate();
    let all =
        numbered().flat_map(|(at, one)| numbered().skip(at + 1).map(move |(behind, other)| (at, one, behind, other)));
    let differences = all.map(|(at, one, behind, other)| (average(one, other, pairs), at, behind));
    let (difference, into, from) = differences.min_by(|(one, ..), (other, ..)| one.total_cmp(other))?;
    (difference < DIFFERENCE).then_some((into, from))
}

/// How much the clusters of two groups differ on average over their pairs of vectors.
fn average(one: &BTreeSet<usize>, other: &BTreeSet<usize>, pairs: &Pairs) -> f64 {
    let across = one.iter().flat_map(|one| other.iter().map(move |other| (*one.min(other), *one.max(other))));
    let (mut differences, mut weights) = (0.0, 0.0);
    for pair in across.filter_map(|key| pairs.get(&key)) {
        differences += pair.difference * pair.weight;
        weights += pair.weight;
    }
    differences / weights
}

fn pairs(centres: &[Centre]) -> Pairs {
    let spread = usual_spread(centres);
    let numbered = || centres.iter().enumerate();
    let all =
        numbered().flat_map(|(at, one)| numbered().skip(at + 1).map(move |(behind, other)| ((at, behind), one, other)));
    all.map(|(key, one, other)| {
        let pair = Pair { difference: difference(one, other, spread), weight: one.count * other.count };
        (key, pair)
    })
    .collect()
}

/// The mean squared distance of two vectors across, over that of two within, less one.
fn difference(one: &Centre, other: &Centre, usual_spread: f64) -> f64 {
    let free = one.count + other.count - 2.0;
    let spread = (one.scatter() + other.scatter() + PRIOR * usual_spread) / (free + PRIOR);
    let by_chance = spread * (one.count.recip() + other.count.recip());
    (one.distance(other) - by_chance - ROUNDING) / (2.0 * spread + ROUNDING)
}

/// The variance of vectors around the centres of their clusters, over all; 0 where each is a cluster of its own.
fn usual_spread(centres: &[Centre]) -> f64 {
    let scatter: f64 = centres.iter().map(Centre::scatter).sum();
    let free: f64 = centres.iter().map(|centre| centre.count - 1.0).sum();
    scatter / free.max(1.0)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const WIDTH: usize = 48;

    /// Numbers from -0.5 to 0.5, the same each time.
    struct Drawn(u64);

    impl Drawn {
        fn vector(&mut self) -> Vec<f32> {
            let number = |_| {
                self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                f32::from(u16::try_from(self.0 >> 48).unwrap_or_default()) / 65_536.0 - 0.5
            };
            (0..WIDTH).map(number).collect()
        }
    }

    /// So many vectors around each of `subjects`, which draw them by `pull`: 1 as strongly as they are spread.
    fn around(subjects: usize, of_each: usize, pull: f32) -> Vec<f32> {
        let mut drawn = Drawn(7);
        let subjects: Vec<Vec<f32>> = (0..subjects).map(|_| drawn.vector()).collect();
        let mut numbers = Vec::new();
        for subject in subjects.iter().flat_map(|subject| std::iter::repeat_n(subject, of_each)) {
            let vector: Vec<f32> =
                drawn.vector().iter().zip(subject).map(|(own, common)| own + pull * common).collect();
            numbers.extend(direction(&vector));
        }
        numbers
    }

    fn direction(vector: &[f32]) -> Vec<f32> {
        let length = vector.iter().map(|number| number * number).sum::<f32>().sqrt();
        vector.iter().map(|number| number / length).collect()
    }

    fn halves(count: usize) -> Vec<usize> {
        (0..count).map(|at| at % 2).collect()
    }

    #[test]
    fn a_subject_that_was_cut_into_several_clusters_is_one_again() {
        let numbers = around(3, 12, 1.0);
        // Each subject is cut into two.
        let clusters: Vec<usize> = (0..36).map(|at| at / 6).collect();
        let expected: Vec<usize> = (0..36).map(|at| at / 12).collect();
        assert_eq!(merged(Directions { numbers: &numbers, width: WIDTH }, &clusters), expected);
    }

    #[test]
    fn vectors_without_any_subject_are_one_cluster() {
        let numbers = around(1, 40, 0.0);
        let directions = Directions { numbers: &numbers, width: WIDTH };
        assert_eq!(merged(directions, &halves(40)), [0; 40]);
        let first_number = |vector: &[f32]| usize::from(vector.first().is_some_and(|number| *number > 0.0));
        let cut: Vec<usize> = directions.each().map(first_number).collect();
        assert_eq!(merged(directions, &cut), [0; 40], "cut by one of its numbers");
    }

    #[test]
    fn single_vectors_are_compared_by_the_spread_of_the_others_and_equal_ones_are_one() {
        let numbers = [[1.0_f32, 0.0], [0.6, 0.8], [-1.0, 0.0], [-0.8, -0.6]].concat();
        let directions = Directions { numbers: &numbers, width: 2 };
        assert_eq!(merged(directions, &[0, 0, 1, 2]), [0, 0, 1, 1]);
        let equal = [0.6_f32, 0.8].repeat(5);
        assert_eq!(merged(Directions { numbers: &equal, width: 2 }, &[0, 1, 2, 1, 0]), [0; 5]);
        assert!(merged(Directions { numbers: &[], width: 0 }, &[]).is_empty());
    }

    #[test]
    fn clusters_that_differ_stay_apart_though_another_one_lies_between_them() {
        let between = |difference| Pair { difference, weight: 1.0 };
        let pairs = Pairs::from([((0, 1), between(0.2)), ((1, 2), between(0.3)), ((0, 2), between(0.9))]);
        assert_eq!(groups(3, &pairs), [BTreeSet::from([0, 1]), BTreeSet::from([2])]);
    }

    proptest! {
        #[test]
        fn merging_does_not_depend_on_the_order_of_the_clusters_and_divides_none(
            vectors in prop::collection::vec((prop::array::uniform4(0.1_f32..1.0), 0..6_usize), 0..40),
            names in Just((10..16_usize).collect::<Vec<_>>()).prop_shuffle(),
        ) {
            let numbers: Vec<f32> = vectors.iter().flat_map(|(vector, _)| direction(vector)).collect();
            let directions = Directions { numbers: &numbers, width: 4 };
            let clusters: Vec<usize> = vectors.iter().map(|(_, cluster)| *cluster).collect();
            let renamed: Vec<usize> = clusters.iter().map(|cluster| names[*cluster]).collect();
            let found = merged(directions, &clusters);
            prop_assert_eq!(&merged(directions, &renamed), &found);
            prop_assert_eq!(&numbered(&found), &found);
            for (one, into) in clusters.iter().zip(&found) {
                let mut others = clusters.iter().zip(&found).filter(|(other, _)| *other == one);
                prop_assert!(others.all(|(_, other)| other == into));
            }
        }
    }
}
