//! What attention search takes from the allocator: a guard against regressions that no busy machine can blur.
//!
//! It must not know which scores are right; that is tested beside the search.
#![expect(clippy::unwrap_used, reason = "tests fail loudly")]
#![expect(clippy::print_stdout, reason = "the figures are to be seen")]

use std::hint::black_box;

use crate::coded_attention::scores;
use crate::keys::{HeadQueries, KeyCoder, QueryBlock};
use crate::{Codebook, KeyBlock};

/// What a piece of work takes from the allocator, freed or not.
#[derive(Debug, Clone, Copy)]
struct Cost {
    /// A vector that grows counts again.
    allocations: u64,
    bytes: u64,
}

/// What the search took when it was last looked at; a tenth more is allowed.
const KNOWN: Cost = Cost {
    allocations: 27,
    bytes: 2_669 << 10,
};

/// Candidates of one question, as many as the proxy takes of a search.
const CANDIDATES: usize = 200;
/// Candidates that centroids are learned on.
const LEARNED: usize = 30;
/// Keys of one candidate: tokens, slots, and values of each.
const TOKENS: usize = 12;
const SLOTS: usize = 2;
const WIDTH: usize = 256;
/// Queries of the question.
const HEADS: usize = 4;
const QUESTION_TOKENS: usize = 16;

#[test]
fn scoring_a_question_takes_no_more_than_it_did() {
    let cost = Cost::of_scoring(CANDIDATES);
    println!(
        "attention search over {CANDIDATES} candidates: {} allocations, {} KiB",
        cost.allocations,
        cost.bytes.div_ceil(1024)
    );
    assert!(cost.is_within(KNOWN), "{cost:?} is more than a tenth above {KNOWN:?}");
}

#[test]
fn twice_the_candidates_take_twice_as_much() {
    let (once, twice) = (Cost::of_scoring(CANDIDATES), Cost::of_scoring(2 * CANDIDATES));
    assert!(twice.is_about_twice(once), "{once:?} became {twice:?}");
}

impl Cost {
    /// Scoring so many candidates as they are stored.
    fn of_scoring(candidates: usize) -> Self {
        let blocks: Vec<KeyBlock> = (0..candidates).map(block).collect();
        let coder: KeyCoder = Codebook::learn(&blocks[..LEARNED]).unwrap().into();
        let stored: Vec<Vec<u8>> = blocks.iter().map(|block| coder.encode(block)).collect();
        let (question, content_free) = (queries(QUESTION_TOKENS), queries(4));
        let work = || {
            let stored: Vec<&[u8]> = stored.iter().map(Vec::as_slice).collect();
            scores((&question, &content_free), (&coder, &stored), 1)
        };
        assert_eq!(work().len(), candidates);
        let counted = allocation_counter::measure(|| drop(black_box(work())));
        Self {
            allocations: counted.count_total,
            bytes: counted.bytes_total,
        }
    }

    fn is_within(self, known: Self) -> bool {
        self.allocations * 10 <= known.allocations * 11 && self.bytes * 10 <= known.bytes * 11
    }

    /// At most 2.2 times as much.
    fn is_about_twice(self, once: Self) -> bool {
        self.allocations * 10 <= once.allocations * 22 && self.bytes * 10 <= once.bytes * 22
    }
}

fn block(number: usize) -> KeyBlock {
    let mut block = KeyBlock::new(SLOTS, WIDTH);
    for vector in 0..TOKENS * SLOTS {
        let key: Vec<f32> = (0..WIDTH).map(|at| value(number + vector + at)).collect();
        block.push(&key);
    }
    block
}

fn queries(tokens: usize) -> QueryBlock {
    let heads = (0..HEADS).map(|head| HeadQueries {
        slot: head % SLOTS,
        values: (0..tokens * WIDTH).map(|at| value(head + at)).collect(),
    });
    QueryBlock {
        width: WIDTH,
        slots: SLOTS,
        tokens,
        heads: heads.collect(),
    }
}

/// A number from -1 to 1 that looks like any other.
fn value(seed: usize) -> f32 {
    f32::from(u8::try_from(seed * 31 % 251).unwrap_or_default()) / 125.0 - 1.0
}
