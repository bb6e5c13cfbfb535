//! Centres of clusters: where vectors of length 1 lie on average, and how far they lie from that.

use std::collections::HashMap;

/// Vectors of length 1, one behind the other.
#[derive(Debug, Clone, Copy)]
pub(super) struct Directions<'a> {
    /// Their numbers.
    pub(super) numbers: &'a [f32],
    /// Numbers of each.
    pub(super) width: usize,
}

/// The vectors of a cluster, summed up.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Centre {
    /// Vectors.
    pub(super) count: f64,
    sum: Vec<f64>,
    squares: f64,
}

impl<'a> Directions<'a> {
    /// Each vector.
    pub(super) fn each(self) -> impl Iterator<Item = &'a [f32]> {
        self.numbers.chunks_exact(self.width.max(1))
    }
}

impl Centre {
    fn empty(width: usize) -> Self {
        Self { count: 0.0, sum: vec![0.0; width], squares: 0.0 }
    }

    fn add(&mut self, vector: &[f32]) {
        self.count += 1.0;
        for (sum, number) in self.sum.iter_mut().zip(vector) {
            let number = f64::from(*number);
            *sum += number;
            self.squares += number * number;
        }
    }

    fn numbers(&self) -> impl Iterator<Item = f64> {
        self.sum.iter().map(|sum| sum / self.count.max(1.0))
    }

    /// The squared distances of its vectors from it, summed.
    pub(super) fn scatter(&self) -> f64 {
        let length: f64 = self.sum.iter().map(|sum| sum * sum).sum();
        (self.squares - length / self.count.max(1.0)).max(0.0)
    }

    /// The squared distance of two centres.
    pub(super) fn distance(&self, other: &Self) -> f64 {
        self.numbers().zip(other.numbers()).map(|(one, other)| (one - other).powi(2)).sum()
    }

    /// The squared distance of a vector from it.
    pub(super) fn distance_of(&self, vector: &[f32]) -> f64 {
        self.numbers().zip(vector).map(|(centre, number)| (f64::from(*number) - centre).powi(2)).sum()
    }
}

/// The centre of each cluster. `clusters` has a number for each vector, as [`numbered`] gives them.
pub(super) fn gathered(directions: Directions<'_>, clusters: &[usize]) -> Vec<Centre> {
    let count = clusters.iter().max().map_or(0, |last| last + 1);
    let mut centres = vec![Centre::empty(directions.width); count];
    for (vector, cluster) in directions.each().zip(clusters) {
        if let Some(centre) = centres.get_mut(*cluster) {
            centre.add(vector);
        }
    }
    centres
}

/// The clusters by numbers from 0 in the order in which they come first.
pub(super) fn numbered(clusters: &[usize]) -> Vec<usize> {
    let mut numbers: HashMap<usize, usize> = HashMap::new();
    let number = |cluster: &usize| {
        let next = numbers.len();
        *numbers.entry(*cluster).or_insert(next)
    };
    clusters.iter().map(number).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_centre_is_the_mean_and_its_scatter_what_lies_around_it() {
        let directions = Directions { numbers: &[1.0, 0.0, 0.0, 1.0, -1.0, 0.0], width: 2 };
        let centres = gathered(directions, &[0, 0, 1]);
        let distances: Vec<f64> =
            directions.each().filter_map(|vector| Some(centres.first()?.distance_of(vector))).collect();
        assert_eq!(distances, [0.5, 0.5, 2.5]);
        assert_eq!(centres.iter().map(Centre::scatter).collect::<Vec<_>>(), [1.0, 0.0]);
        assert_eq!(centres.first().zip(centres.last()).map(|(one, other)| one.distance(other)), Some(2.5));
    }

    #[test]
    fn clusters_are_numbered_as_they_come() {
        assert_eq!(numbered(&[7, 2, 7, 0]), [0, 1, 0, 2]);
        assert!(gathered(Directions { numbers: &[], width: 0 }, &[]).is_empty());
    }

    proptest! {
        #[test]
        fn the_scatter_is_the_sum_of_the_squared_distances(
            vectors in prop::collection::vec(prop::array::uniform3(-1.0_f32..1.0), 1..20),
        ) {
            let numbers: Vec<f32> = vectors.iter().flatten().copied().collect();
            let directions = Directions { numbers: &numbers, width: 3 };
            let centres = gathered(directions, &vec![0; vectors.len()]);
            let distances: f64 = directions.each().map(|vector| centres[0].distance_of(vector)).sum();
            prop_assert!((centres[0].scatter() - distances).abs() < 1e-9);
        }
    }
}
