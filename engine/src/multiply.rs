//! Products of matrices on the calling thread alone.
//!
//! The library shares products above a certain size with helper threads of its own. Those have the priority of whoever
//! multiplied first: the reader's lowest. A question's product would wait, spinning, for a thread that only runs when nobody
//! else wants the processor. Products of tiles below that size stay where they are. It must not know what is multiplied.

use ndarray::linalg::general_mat_mul;
use ndarray::{ArrayView2, ArrayViewMut2, s};

/// `rows · columns` of both factors from which on `matrixmultiply` 0.3 uses a second thread (its `threading.rs`).
const SHARED_FROM: usize = 2 << 14;

/// `scale · left · rightᵀ` into `out`: `[m, k]` and `[n, k]` make `[m, n]`.
pub(crate) fn multiply(
    scale: f32,
    left: &ArrayView2<'_, f32>,
    right: &ArrayView2<'_, f32>,
    out: &mut ArrayViewMut2<'_, f32>,
) {
    let (high, wide) = tile(left.ncols(), left.nrows());
    for top in (0..left.nrows()).step_by(high) {
        let rows = top..left.nrows().min(top + high);
        for first in (0..right.nrows()).step_by(wide) {
            let columns = first..right.nrows().min(first + wide);
            let (tile, other) = (left.slice(s![rows.clone(), ..]), right.slice(s![columns.clone(), ..]));
            let mut corner = out.slice_mut(s![rows.clone(), columns]);
            general_mat_mul(scale, &tile, &other.t(), 0.0, &mut corner);
        }
    }
}

/// Rows and columns of a tile whose factors are `depth` wide, at most `rows` high: whole registers where there is room.
fn tile(depth: usize, rows: usize) -> (usize, usize) {
    let both = (SHARED_FROM - 1) / depth.max(1);
    let high = whole(both / 2).min(rows.max(1));
    (high, whole(both - high))
}

fn whole(side: usize) -> usize {
    const REGISTER: usize = 16;
    if side >= REGISTER {
        side / REGISTER * REGISTER
    } else {
        side.max(1)
    }
}

#[cfg(test)]
mod tests {
    use ndarray::Array2;
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn tiles_give_the_product_of_the_whole(m in 0_usize..150, n in 0_usize..150, k in 1_usize..300) {
            let value = |(row, column): (usize, usize)| f32::from(u8::try_from((row * 7 + column * 13) % 31).unwrap_or(0)) - 15.0;
            let (left, right) = (Array2::from_shape_fn((m, k), value), Array2::from_shape_fn((n, k), value));
            let mut out = Array2::from_elem((m, n), f32::NAN);
            multiply(0.5, &left.view(), &right.view(), &mut out.view_mut());
            // Whole numbers far below 2^24: every order of adding gives the same.
            prop_assert_eq!(out, left.dot(&right.t()) * 0.5);
        }

        #[test]
        fn a_tile_is_too_small_to_be_shared(depth in 1_usize..16_000, rows in 0_usize..2000) {
            let (high, wide) = tile(depth, rows);
            prop_assert!(high > 0 && wide > 0 && (high + wide) * depth < SHARED_FROM);
        }
    }
}
