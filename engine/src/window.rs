//! Planning reading passes: which turns go into which window, and what comes before them.
//!
//! It works on token counts alone and must not know what the tokens are.

use std::ops::Range;

/// One pass: pieces of turns in order; those before `read_from` are context.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Window {
    pub(crate) pieces: Vec<Piece>,
    pub(crate) read_from: usize,
}

/// A stretch of one turn's tokens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Piece {
    pub(crate) turn: usize,
    pub(crate) tokens: Range<usize>,
}

/// How large passes may be.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    /// Tokens of one pass without BOS.
    pub(crate) window: usize,
    /// Tokens of context in one pass.
    pub(crate) context: usize,
}

/// Plans the passes that read turns `first..` of turns with these token counts. Every token of
/// those turns is read in exactly one pass; a turn is cut only if it does not fit a pass alone.
pub(crate) fn plan(counts: &[usize], first: usize, limits: Limits) -> Vec<Window> {
    let mut windows = Vec::new();
    let mut turn = first;
    while turn < counts.len() {
        let context = context_before(counts, turn, limits.context.min(limits.window / 2));
        let mut room = limits.window - context.iter().map(|piece| piece.tokens.len()).sum::<usize>();
        if counts[turn] > room {
            windows.extend(alone(turn, counts[turn], limits.window));
            turn += 1;
            continue;
        }
        let read_from = context.len();
        let mut pieces = context;
        while turn < counts.len() && counts[turn] <= room {
            room -= counts[turn];
            pieces.push(Piece {
                turn,
                tokens: 0..counts[turn],
            });
            turn += 1;
        }
        windows.push(Window { pieces, read_from });
    }
    windows
}

/// As many whole turns right before `turn` as fit `budget`, oldest first.
fn context_before(counts: &[usize], turn: usize, budget: usize) -> Vec<Piece> {
    let mut room = budget;
    let mut pieces = Vec::new();
    for earlier in (0..turn).rev() {
        if counts[earlier] > room {
            break;
        }
        room -= counts[earlier];
        pieces.push(Piece {
            turn: earlier,
            tokens: 0..counts[earlier],
        });
    }
    pieces.reverse();
    pieces
}

/// A long turn in equal passes without context.
fn alone(turn: usize, count: usize, window: usize) -> Vec<Window> {
    let passes = count.div_ceil(window);
    let step = count.div_ceil(passes);
    (0..passes)
        .map(|pass| pass * step..((pass + 1) * step).min(count))
        .map(|tokens| Window {
            pieces: vec![Piece { turn, tokens }],
            read_from: 0,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn short_turns_share_a_pass() {
        let windows = plan(
            &[10, 20, 30],
            0,
            Limits {
                window: 100,
                context: 20,
            },
        );
        assert_eq!(windows.len(), 1);
        assert_eq!(windows[0].read_from, 0);
        assert_eq!(windows[0].pieces.len(), 3);
    }

    #[test]
    fn a_new_turn_is_read_behind_its_context() {
        let windows = plan(
            &[10, 8, 9, 5],
            3,
            Limits {
                window: 100,
                context: 20,
            },
        );
        assert_eq!(
            windows,
            [Window {
                pieces: vec![
                    Piece { turn: 1, tokens: 0..8 },
                    Piece { turn: 2, tokens: 0..9 },
                    Piece { turn: 3, tokens: 0..5 },
                ],
                read_from: 2,
            }]
        );
    }

    proptest! {
        #[test]
        fn every_token_is_read_once_and_no_pass_is_too_long(
            counts in proptest::collection::vec(1_usize..300, 1..40), first in 0_usize..10, window in 20_usize..200, context in 0_usize..100,
        ) {
            let first = first.min(counts.len());
            let mut read: Vec<usize> = vec![0; counts.len()];
            for window_plan in plan(&counts, first, Limits { window, context }) {
                let length: usize = window_plan.pieces.iter().map(|piece| piece.tokens.len()).sum();
                prop_assert!(length <= window);
                for piece in &window_plan.pieces[window_plan.read_from..] {
                    prop_assert_eq!(read[piece.turn], piece.tokens.start);
                    read[piece.turn] = piece.tokens.end;
                }
            }
            prop_assert_eq!(&read[first..], &counts[first..]);
        }
    }
}
