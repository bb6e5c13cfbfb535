//! Where labels go, so that none covers another one or a mark.
//!
//! It must not know what they say.

use super::{FONT_SIZE, MARK, Place};
use crate::metrics::as_float;

/// A rectangle on a sheet.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Area {
    /// Its left side.
    pub(super) left: f64,
    /// Its upper side.
    pub(super) top: f64,
    /// Its right side.
    pub(super) right: f64,
    /// Its lower side.
    pub(super) bottom: f64,
}

/// How high a line of text is, with the space below it.
pub(super) const LINE: f64 = FONT_SIZE + 3.0;
/// How far from its mark a label may lie, nearest first.
const DISTANCES: [f64; 9] = [9.0, 20.0, 32.0, 46.0, 62.0, 80.0, 100.0, 125.0, 155.0];
/// Where a label may lie, seen from its mark, best first.
const DIRECTIONS: [(f64, f64); 8] = [
    (1.0, 0.0),
    (-1.0, 0.0),
    (0.7, -0.7),
    (0.7, 0.7),
    (-0.7, -0.7),
    (-0.7, 0.7),
    (0.0, -1.0),
    (0.0, 1.0),
];

impl Area {
    /// The rectangle around a place.
    pub(super) fn around((x, y): Place, half_width: f64, half_height: f64) -> Self {
        Self {
            left: x - half_width,
            top: y - half_height,
            right: x + half_width,
            bottom: y + half_height,
        }
    }

    /// The place in the area that is nearest to another place.
    pub(super) fn nearest(&self, (x, y): Place) -> Place {
        (x.clamp(self.left, self.right), y.clamp(self.top, self.bottom))
    }

    fn overlaps(&self, other: &Self) -> bool {
        self.left < other.right && other.left < self.right && self.top < other.bottom && other.top < self.bottom
    }

    fn contains(&self, other: &Self) -> bool {
        self.left <= other.left && other.right <= self.right && self.top <= other.top && other.bottom <= self.bottom
    }
}

/// Heights near the wanted ones, in their order, each `gap` from the next at least, between `top` and `bottom` if they
/// all fit there.
#[must_use]
pub(super) fn spread(wanted: &[f64], gap: f64, (top, bottom): (f64, f64)) -> Vec<f64> {
    let mut order: Vec<usize> = (0..wanted.len()).collect();
    order.sort_by(|one, other| wanted[*one].total_cmp(&wanted[*other]));
    // Without their gaps, labels that push each other share the mean of what they want: mean and number of labels.
    let mut groups: Vec<(f64, usize)> = Vec::new();
    for (rank, index) in order.iter().enumerate() {
        let mut group = (wanted[*index] - as_float(rank) * gap, 1);
        while let Some((mean, count)) = groups.pop_if(|(mean, _)| *mean > group.0) {
            let sum = mean * as_float(count) + group.0 * as_float(group.1);
            group = (sum / as_float(count + group.1), count + group.1);
        }
        groups.push(group);
    }
    let lowest = (bottom - gap * as_float(wanted.len().saturating_sub(1))).max(top);
    let means = groups
        .into_iter()
        .flat_map(|(mean, count)| std::iter::repeat_n(mean, count));
    let mut heights = vec![top; wanted.len()];
    for (rank, (index, mean)) in order.into_iter().zip(means).enumerate() {
        heights[index] = mean.clamp(top, lowest) + as_float(rank) * gap;
    }
    heights
}

/// An area for the label of each mark, given by its place and the label's width: inside `bounds`, off all marks, all
/// other labels and the ways from these to their marks, as near as can be. Its own way to its mark crosses no label
/// unless there is no other. Where nothing is free it lies on the right of its mark.
#[must_use]
pub(super) fn beside(marks: &[(Place, f64)], bounds: &Area) -> Vec<Area> {
    let mut taken: Vec<Area> = marks
        .iter()
        .map(|(place, _)| Area::around(*place, MARK + 1.0, MARK + 1.0))
        .collect();
    let mut areas: Vec<Area> = Vec::with_capacity(marks.len());
    for (place, width) in marks {
        let free = |area: &Area| bounds.contains(area) && !taken.iter().any(|other| other.overlaps(area));
        let is_clear = |area: &Area| !way(*place, area).any(|step| areas.iter().any(|other| other.overlaps(&step)));
        let area = candidates(*place, *width)
            .find(|area| free(area) && is_clear(area))
            .or_else(|| candidates(*place, *width).find(free))
            .unwrap_or_else(|| candidate(*place, *width, (DISTANCES[0], DIRECTIONS[0])));
        taken.push(area);
        taken.extend(way(*place, &area));
        areas.push(area);
    }
    areas
}

/// Steps on the way from a mark to its label.
fn way(from: Place, label: &Area) -> impl Iterator<Item = Area> {
    const STEPS: u32 = 16;
    let to = label.nearest(from);
    (1..STEPS).map(move |step| {
        let share = f64::from(step) / f64::from(STEPS);
        let step = (from.0 + (to.0 - from.0) * share, from.1 + (to.1 - from.1) * share);
        Area::around(step, 1.0, 1.0)
    })
}

fn candidates(place: Place, width: f64) -> impl Iterator<Item = Area> {
    DISTANCES
        .into_iter()
        .flat_map(|distance| DIRECTIONS.map(|direction| (distance, direction)))
        .map(move |seen| candidate(place, width, seen))
}

fn candidate((x, y): Place, width: f64, (distance, (across, down)): (f64, (f64, f64))) -> Area {
    let near = x + across * distance;
    let middle = match across {
        across if across > 0.0 => near + width / 2.0,
        across if across < 0.0 => near - width / 2.0,
        _ => near,
    };
    Area::around((middle, y + down * distance), width / 2.0, LINE / 2.0)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const BOUNDS: Area = Area {
        left: 0.0,
        top: 0.0,
        right: 600.0,
        bottom: 400.0,
    };

    #[test]
    fn labels_that_do_not_touch_stay_where_they_belong() {
        assert_eq!(spread(&[50.0, 10.0, 30.0], 10.0, (0.0, 100.0)), [50.0, 10.0, 30.0]);
    }

    #[test]
    fn labels_that_touch_are_moved_apart_evenly() {
        assert_eq!(spread(&[50.0, 50.0, 50.0], 10.0, (0.0, 100.0)), [40.0, 50.0, 60.0]);
        assert_eq!(spread(&[100.0, 100.0], 10.0, (0.0, 100.0)), [90.0, 100.0]);
        assert!(spread(&[], 10.0, (0.0, 100.0)).is_empty());
    }

    #[test]
    fn marks_on_one_place_have_labels_of_their_own() {
        let areas = beside(&[((300.0, 200.0), 100.0); 9], &BOUNDS);
        for (place, area) in areas.iter().enumerate() {
            assert!(BOUNDS.contains(area));
            assert!(!areas[..place].iter().any(|other| other.overlaps(area)), "{place}");
        }
        assert_eq!(areas[0].nearest((300.0, 200.0)), (309.0, 200.0));
    }

    proptest! {
        #[test]
        fn spread_labels_keep_their_order_and_their_distance(wanted in proptest::collection::vec(0.0_f64..100.0, 1..9)) {
            let heights = spread(&wanted, 10.0, (0.0, 100.0));
            for (one, here) in wanted.iter().zip(&heights) {
                for (other, there) in wanted.iter().zip(&heights) {
                    prop_assert!(one >= other || there - here > 10.0 - 1e-6);
                }
            }
            prop_assert!(heights.iter().all(|height| (-1e-6..=100.0 + 1e-6).contains(height)));
        }
    }
}
