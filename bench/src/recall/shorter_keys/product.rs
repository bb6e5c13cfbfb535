//! Product quantisation (Jégou, Douze and Schmid, 2011): a key is cut into parts, and each part is stored as the number of the
//! nearest of 256 centroids.
//!
//! It must not know whose keys the centroids were learned on.

use super::keys::float;

/// The centroids of every part of a key.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Book {
    /// Numbers in a part.
    part: usize,
    /// Part after part, [`CENTROIDS`] of `part` numbers each.
    centroids: Vec<f32>,
}

/// Parts of a key, each a byte.
pub(super) const PARTS: usize = 32;
const CENTROIDS: usize = 256;
const ITERATIONS: usize = 10;
const SEED: u64 = 20_261_124;

impl Book {
    /// Learns centroids by k-means, from keys drawn at random; nothing if there are fewer keys than centroids, or if keys do
    /// not divide into parts.
    #[must_use]
    pub(super) fn learn(keys: &[&[f32]]) -> Option<Self> {
        let width = keys.first().map_or(0, |key| key.len());
        if width == 0 || !width.is_multiple_of(PARTS) || keys.len() < CENTROIDS {
            return None;
        }
        let part = width / PARTS;
        let mut order: Vec<usize> = (0..keys.len()).collect();
        fastrand::Rng::with_seed(SEED).shuffle(&mut order);
        let mut centroids = Vec::with_capacity(CENTROIDS * width);
        for at in (0..width).step_by(part) {
            let own: Vec<&[f32]> = keys.iter().filter_map(|key| key.get(at..at + part)).collect();
            let drawn = order.iter().take(CENTROIDS).filter_map(|key| own.get(*key));
            let mut means: Vec<f32> = drawn.copied().flatten().copied().collect();
            for _ in 0..ITERATIONS {
                improve(&mut means, &own);
            }
            centroids.extend(means);
        }
        Some(Self { part, centroids })
    }

    /// Puts the nearest centroids in the place of a key's parts.
    pub(super) fn round_trip(&self, key: &mut [f32]) {
        let books = self.centroids.chunks_exact(CENTROIDS * self.part);
        for (part, centroids) in key.chunks_exact_mut(self.part).zip(books) {
            let found = nearest(centroids, part) * self.part;
            let centroid = centroids.iter().skip(found);
            part.iter_mut().zip(centroid).for_each(|(value, found)| *value = *found);
        }
    }
}

/// Moves every centroid to the mean of the parts that it is nearest to; one that is nearest to none stays.
fn improve(centroids: &mut [f32], parts: &[&[f32]]) {
    let width = centroids.len() / CENTROIDS;
    let mut sums = vec![0.0; centroids.len()];
    let mut counts = [0_usize; CENTROIDS];
    for part in parts {
        let found = nearest(centroids, part);
        counts[found] += 1;
        let sum = sums.iter_mut().skip(found * width);
        sum.zip(*part).for_each(|(sum, value)| *sum += value);
    }
    let moved = centroids.chunks_exact_mut(width).zip(sums.chunks_exact(width));
    for ((centroid, sum), count) in moved.zip(counts).filter(|(_, count)| *count > 0) {
        for (value, sum) in centroid.iter_mut().zip(sum) {
            *value = sum / float(count);
        }
    }
}

/// The number of the centroid with the least squared distance to a part.
fn nearest(centroids: &[f32], part: &[f32]) -> usize {
    let (mut best, mut least) = (0, f32::INFINITY);
    for (number, centroid) in centroids.chunks_exact(part.len().max(1)).enumerate() {
        let mut distance = 0.0;
        for (left, right) in centroid.iter().zip(part) {
            distance += (left - right) * (left - right);
        }
        if distance < least {
            (best, least) = (number, distance);
        }
    }
    best
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests fail loudly")]

    use super::*;

    /// Keys with a few values in every part, which so many centroids can hold.
    fn keys() -> Vec<Vec<f32>> {
        let mut random = fastrand::Rng::with_seed(3);
        let key = |_| (0..64).map(|_| f32::from(random.u8(0..3))).collect();
        (0..600).map(key).collect()
    }

    #[test]
    fn keys_of_few_different_parts_come_back() {
        let keys = keys();
        let book = Book::learn(&keys.iter().map(Vec::as_slice).collect::<Vec<_>>()).unwrap();
        for key in &keys {
            let mut found = key.clone();
            book.round_trip(&mut found);
            let wrong = found
                .iter()
                .zip(key)
                .filter(|(found, value)| (*found - *value).abs() > 1e-4);
            assert_eq!(wrong.count(), 0);
        }
    }

    #[test]
    fn the_same_keys_give_the_same_book() {
        let keys = keys();
        let keys: Vec<&[f32]> = keys.iter().map(Vec::as_slice).collect();
        assert_eq!(Book::learn(&keys), Book::learn(&keys));
    }

    #[test]
    fn too_few_keys_teach_nothing() {
        let key = [1.0; 64];
        assert_eq!(Book::learn(&[key.as_slice(); 255]), None);
        assert_eq!(Book::learn(&[&key[..48]; 300]), None);
        assert_eq!(Book::learn(&[]), None);
    }
}
