//! Cutting a long turn into slices that are read one after the other, so that whoever reads can do something else in between.
//!
//! It works on byte ranges alone and must not know models.

use std::ops::Range;

/// A part of a turn that is read by itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Slice {
    /// Its bytes.
    pub(crate) range: Range<usize>,
    /// Which of the turn's passages lie in it, all of them whole.
    pub(crate) passages: Range<usize>,
}

/// The slices of a turn of `length` bytes with these passages: one if it has at most `most` bytes, else about equally long
/// ones of whole passages, of at most `most` bytes or one passage. A turn without passages has none. What lies between the
/// passages of two slices is in neither.
pub(crate) fn slices(length: usize, passages: &[Range<usize>], most: usize) -> Vec<Slice> {
    let Some((first, last)) = passages.first().zip(passages.last()) else {
        return Vec::new();
    };
    if length <= most {
        return vec![Slice {
            range: 0..length,
            passages: 0..passages.len(),
        }];
    }
    let spread = last.end - first.start;
    let wanted = spread.div_ceil(spread.div_ceil(most.max(1)).max(1));
    let mut found: Vec<Slice> = Vec::new();
    for (index, passage) in passages.iter().enumerate() {
        match found.last_mut() {
            Some(slice) if slice.range.len() < wanted && passage.end - slice.range.start <= most => {
                slice.range.end = passage.end;
                slice.passages.end = index + 1;
            }
            _ => found.push(Slice {
                range: passage.clone(),
                passages: index..index + 1,
            }),
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_turn_that_fits_is_one_slice_and_one_without_passages_none() {
        let whole = Slice {
            range: 0..12,
            passages: 0..2,
        };
        assert_eq!(slices(12, &[1..5, 5..11], 12), [whole]);
        assert!(slices(12, &[], 12).is_empty());
    }

    #[test]
    fn a_longer_turn_is_cut_between_passages_into_about_equal_slices() {
        let passages: Vec<_> = (0..10).map(|index| index * 10..index * 10 + 10).collect();
        let lengths: Vec<usize> = slices(100, &passages, 60)
            .iter()
            .map(|slice| slice.range.len())
            .collect();
        assert_eq!(lengths, [50, 50]);
    }

    proptest! {
        #[test]
        fn every_passage_is_in_one_slice_and_slices_are_short(
            steps in proptest::collection::vec((0_usize..30, 1_usize..20), 1..40), most in 1_usize..80,
        ) {
            let mut at = 0;
            let passages: Vec<Range<usize>> = steps
                .iter()
                .map(|(gap, length)| {
                    let start = at + gap;
                    at = start + length;
                    start..at
                })
                .collect();
            let found = slices(at, &passages, most);
            let named: Vec<usize> = found.iter().flat_map(|slice| slice.passages.clone()).collect();
            prop_assert_eq!(named, (0..passages.len()).collect::<Vec<_>>());
            for slice in &found {
                let inside = &passages[slice.passages.clone()];
                prop_assert!(inside.iter().all(|passage| slice.range.start <= passage.start && passage.end <= slice.range.end));
                prop_assert!(slice.range.len() <= most || inside.len() == 1);
            }
        }
    }
}
