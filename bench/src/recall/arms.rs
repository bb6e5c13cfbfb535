//! The arms of the comparison, and the readings that they need.
//!
//! It must not know how turns are read, stored or ranked.

use super::reading::{Heads, Plan};
use crate::recorded::Kind;

/// One way of searching.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Arm {
    /// Its name in result files.
    pub(super) name: &'static str,
    /// What it does, for tables.
    pub(super) title: &'static str,
    /// What it has to find in the store besides the text.
    pub(super) stored: &'static [Part],
}

/// Something stored of every turn for searches to read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Part {
    /// A vector of the turn's first passage.
    FirstVector,
    /// A vector of each of its passages.
    Vectors,
    /// Its words in the full-text index.
    TextIndex,
    /// The keys of the main point's tokens.
    Keys,
    /// The keys of the eight heads' main point.
    EightHeadsKeys,
    /// The keys of all content tokens.
    AllKeys,
}

/// All arms, in the order of the tables.
pub(super) const ARMS: &[Arm] = &[
    arm(
        "whole-turn",
        "whole turn, mean-pooled, in passages where it is long",
        VECTORS,
    ),
    arm(
        "whole-turn-truncated",
        "the first passage of the turn, mean-pooled",
        &[Part::FirstVector],
    ),
    arm("whole-turn-idf", "whole turn, IDF-weighted pooling", VECTORS),
    arm("lead-25", "first 25 % of the words, contextual pooling", VECTORS),
    arm("random-25", "25 % random words, contextual pooling, 5 seeds", VECTORS),
    arm("random-50", "50 % random words, contextual pooling, 5 seeds", VECTORS),
    arm("idf-25", "25 % by IDF, contextual pooling", VECTORS),
    arm("idf-50", "50 % by IDF, contextual pooling", VECTORS),
    arm("main-point-25-all-heads", "main point 25 %, all 72 heads", VECTORS),
    arm("main-point-50-all-heads", "main point 50 %, all 72 heads", VECTORS),
    arm(
        "main-point-all-heads-soft",
        "all tokens weighted by attention, all 72 heads",
        VECTORS,
    ),
    arm("main-point-25-eight-heads", "main point 25 %, eight heads", VECTORS),
    arm("main-point-50-eight-heads", "main point 50 %, eight heads", VECTORS),
    arm("main-point-25", "main point 25 %, shipped heads", VECTORS),
    arm("main-point-50", "main point 50 %, shipped heads", VECTORS),
    arm(
        "main-point",
        "main point 50 % + 0.5 × context vector (shipped, from the store)",
        VECTORS,
    ),
    arm("bm25", "BM25 (the store's full-text index)", &[Part::TextIndex]),
    arm("rrf-bm25-whole-turn", "RRF k=60 (BM25, whole turn)", VECTORS_AND_WORDS),
    arm(
        "rrf-bm25-main-point-50",
        "RRF k=60 (BM25, main point 50 %)",
        VECTORS_AND_WORDS,
    ),
    arm(
        "rrf-bm25-main-point",
        "RRF k=60 (BM25, main point + context)",
        VECTORS_AND_WORDS,
    ),
    arm(
        "attention-search",
        "attention search, keys of the main point (shipped)",
        &[Part::Keys],
    ),
    arm(
        "attention-search-eight-heads",
        "attention search, keys of the eight heads' main point",
        &[Part::EightHeadsKeys],
    ),
    arm(
        "attention-search-all-keys",
        "attention search, keys of all content tokens",
        &[Part::AllKeys],
    ),
    arm(
        "fused-60",
        "RRF k=60 (BM25, main point + context, attention)",
        EVERYTHING,
    ),
    arm(
        "fused-20",
        "RRF k=20 (BM25, main point + context, attention)",
        EVERYTHING,
    ),
    arm(
        "fused-20-candidates",
        "the same from 200 candidates of each search",
        EVERYTHING,
    ),
    arm(
        "relevance-without-attention",
        "the shipped relevance without attention search",
        VECTORS_AND_WORDS,
    ),
    arm(
        "relevance-without-neighbours",
        "the shipped relevance without the turns beside it",
        EVERYTHING,
    ),
    arm(
        "relevance-without-dates",
        "the shipped relevance without the times that the question names",
        EVERYTHING,
    ),
    arm(
        "relevance-without-speaker",
        "the shipped relevance without who speaks",
        EVERYTHING,
    ),
    arm(
        "full-pipeline",
        "relevance from BM25, main point and attention, 200 candidates of each search (shipped)",
        EVERYTHING,
    ),
    arm(
        "reranked-only",
        "the first 20 of the full pipeline by re-ranking in one prompt alone",
        EVERYTHING,
    ),
    arm(
        "reranked",
        "RRF k=20 of the full pipeline's first 20 and their re-ranking (memory.rerank)",
        EVERYTHING,
    ),
    arm(
        "fused-60-all-keys",
        "RRF k=60 of the three, keys of all content tokens",
        WITH_ALL_KEYS,
    ),
    arm(
        "fused-20-all-keys",
        "RRF k=20 of the three, keys of all content tokens",
        WITH_ALL_KEYS,
    ),
];

/// The arms that summaries show.
pub(super) const MAIN_ARMS: [&str; 10] = [
    "whole-turn-truncated",
    "whole-turn",
    "main-point",
    "bm25",
    "rrf-bm25-whole-turn",
    "rrf-bm25-main-point",
    "attention-search",
    "fused-20-candidates",
    "full-pipeline",
    "reranked",
];

/// What most arms have to find in the store.
const VECTORS: &[Part] = &[Part::Vectors];
const VECTORS_AND_WORDS: &[Part] = &[Part::Vectors, Part::TextIndex];
const EVERYTHING: &[Part] = &[Part::Vectors, Part::TextIndex, Part::Keys];
const WITH_ALL_KEYS: &[Part] = &[Part::Vectors, Part::TextIndex, Part::AllKeys];

/// How many turns the proxy takes from each search of the store, its default `memory.candidates`.
pub(super) const CANDIDATES: usize = 200;

/// The shipped heads that questions are asked with.
const SEARCH_HEADS: [[u32; 2]; 3] = [[5, 1], [5, 2], [5, 3]];
/// The heads that the prototype chose over all layers.
const EIGHT_HEADS: [[u32; 2]; 8] = [[7, 0], [7, 1], [7, 2], [6, 1], [15, 1], [6, 0], [3, 3], [1, 2]];
/// Every head of the reference reader: 18 layers of 4.
const ALL_HEADS: [[u32; 2]; 72] = every_head();
/// The model that these head lists belong to.
const REFERENCE_READER: &str = "a5fd3b62230aa5ec60212297dc9d20eaa70578ac519e00d93a17e44c087a6818";

/// What the product ships with.
pub(crate) const SHIPPED: Plan = Plan {
    name: "shipped-50",
    heads: None,
    keep: 0.5,
    context_mix: 0.5,
};
/// The shipped heads, keeping the keys of all content tokens.
pub(super) const ALL_KEYS: Plan = Plan {
    name: "shipped-100",
    heads: None,
    keep: 1.0,
    context_mix: 0.0,
};
/// The shipped main points with keys of both layers that the prototype searched with, to compare shorter keys.
pub(super) const BOTH_LAYERS: Plan = Plan {
    name: "both-layers-50",
    heads: Some(Heads {
        main_point: &[[3, 3], [1, 2], [5, 0]],
        search: &[[3, 3], [5, 1], [5, 2], [5, 3]],
    }),
    keep: 0.5,
    context_mix: 0.0,
};
/// All heads of all layers.
pub(super) const ALL_50: Plan = Plan {
    name: "all-heads-50",
    heads: Some(Heads {
        main_point: &ALL_HEADS,
        search: &SEARCH_HEADS,
    }),
    keep: 0.5,
    context_mix: 0.0,
};

/// The main points that the prototype chose with the eight heads.
pub(super) const EIGHT_50: Plan = Plan {
    name: "eight-heads-50",
    heads: Some(Heads {
        main_point: &EIGHT_HEADS,
        search: &SEARCH_HEADS,
    }),
    keep: 0.5,
    context_mix: 0.0,
};

/// The readings that the arms need; head lists of another reader than the reference are left out.
#[must_use]
pub(super) fn plans(kind: Kind, reader_sha256: &str) -> Vec<Plan> {
    if kind != Kind::Locomo {
        // Long chats take minutes to read: only what is shipped is compared with the baselines there.
        return vec![SHIPPED];
    }
    let mut plans = vec![
        SHIPPED,
        ALL_KEYS,
        Plan {
            name: "shipped-25",
            keep: 0.25,
            ..ALL_KEYS
        },
    ];
    if reader_sha256 == REFERENCE_READER {
        plans.extend([
            BOTH_LAYERS,
            EIGHT_50,
            Plan {
                name: "eight-heads-25",
                keep: 0.25,
                ..EIGHT_50
            },
        ]);
        plans.extend([
            ALL_50,
            Plan {
                name: "all-heads-25",
                keep: 0.25,
                ..ALL_50
            },
        ]);
    }
    plans
}

const fn arm(name: &'static str, title: &'static str, stored: &'static [Part]) -> Arm {
    Arm { name, title, stored }
}

const fn every_head() -> [[u32; 2]; 72] {
    let mut heads = [[0; 2]; 72];
    let mut at: u32 = 0;
    while at < 72 {
        heads[at as usize] = [at / 4, at % 4];
        at += 1;
    }
    heads
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reference;

    #[test]
    fn every_reference_figure_belongs_to_an_arm() {
        for name in reference::arms() {
            assert!(ARMS.iter().any(|arm| arm.name == name), "{name}");
        }
        for name in MAIN_ARMS {
            assert!(ARMS.iter().any(|arm| arm.name == name), "{name}");
        }
    }

    #[test]
    fn all_heads_are_listed_once() {
        assert_eq!((ALL_HEADS[0], ALL_HEADS[5], ALL_HEADS[71]), ([0, 0], [1, 1], [17, 3]));
    }

    #[test]
    fn head_lists_of_the_reference_reader_are_not_used_for_another() {
        assert_eq!(plans(Kind::Locomo, REFERENCE_READER).len(), 8);
        assert!(plans(Kind::Locomo, "another").iter().all(|plan| plan.heads.is_none()));
    }
}
