//! Cutting a turn into reading passes.
//!
//! It works on token counts alone and must not know what the tokens are.

use std::ops::Range;

/// The passes over a turn of `count` tokens: one if it fits `window`, else as few as possible, about equally long, in order.
/// No token of another turn is in them, so that what is read in a turn depends on its own text alone: not on what was said
/// before it, nor on which turns happened to come to the reader together.
pub(crate) fn passes(count: usize, window: usize) -> impl Iterator<Item = Range<usize>> {
    let passes = count.div_ceil(window.max(1));
    let step = count.div_ceil(passes.max(1));
    (0..passes).map(move |pass| pass * step..((pass + 1) * step).min(count))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_turn_that_fits_takes_one_pass_and_a_longer_one_several_alike() {
        assert!(passes(100, 100).eq(std::iter::once(0..100)));
        assert_eq!(passes(101, 100).collect::<Vec<_>>(), [0..51, 51..101]);
        assert_eq!(passes(0, 100).count(), 0);
    }

    proptest! {
        #[test]
        fn every_token_is_read_once_and_in_order(count in 0_usize..3000, window in 1_usize..400) {
            let passes: Vec<_> = passes(count, window).collect();
            prop_assert_eq!(passes.len(), count.div_ceil(window));
            prop_assert!(passes.iter().all(|tokens| !tokens.is_empty() && tokens.len() <= window));
            prop_assert_eq!(passes.into_iter().flatten().collect::<Vec<_>>(), (0..count).collect::<Vec<_>>());
        }
    }
}
