//! The arms of the comparison.

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Arm {
    pub(super) name: &'static str,
    pub(super) title: &'static str,
    /// What it has to find in the store besides the text.
    pub(super) stored: &'static [Part],
    /// Which tokens it keeps; `None` for one that does not choose.
    pub(super) choice: Option<Choice>,
}

/// Something stored of every turn for searches to read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Part {
    FirstVector,
    /// A vector of each of its passages.
    Vectors,
    TextIndex,
    /// The codes of the main point's tokens.
    Codes,
    AllCodes,
    HalfOfCodes,
    QuarterOfCodes,
}

/// What decides which tokens are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum By {
    /// What is most like everything that is attended to, as in main points.
    Coverage,
    /// The attention that a token receives × how rare it is.
    AttentionAndRarity,
    Attention,
    Rarity,
    /// Chance: one choice for each of [`SEEDS`].
    Chance,
}

/// A share of a turn's content tokens, and what chooses it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Choice {
    /// How many of a hundred tokens are kept.
    pub(super) percent: usize,
    pub(super) by: By,
}

/// What random choices begin with.
pub(super) const SEEDS: [u64; 5] = [1, 2, 3, 4, 5];

pub(super) const ARMS: &[Arm] = &[
    arm("first-passage", "mean vector of the first passage", FIRST),
    arm("mean", "mean vector, best passage (shipped, from the store)", VECTORS),
    arm("bm25", "BM25 (the store's full-text index)", &[Part::TextIndex]),
    arm("rrf-bm25-mean", "RRF k=60 (BM25, mean vector)", VECTORS_AND_WORDS),
    arm("maxsim-all", "MaxSim, codes of all content tokens", &[Part::AllCodes]),
    arm("maxsim", "MaxSim, codes of the main point (shipped)", &[Part::Codes]),
    half("maxsim-50", "MaxSim, 50 % chosen as in main points", By::Coverage),
    half("maxsim-50-attention-rarity", "MaxSim, 50 % by attention × rarity", By::AttentionAndRarity),
    half("maxsim-50-attention", "MaxSim, 50 % by attention", By::Attention),
    half("maxsim-50-rarity", "MaxSim, 50 % by rarity", By::Rarity),
    half("maxsim-50-random", "MaxSim, 50 % by chance, 5 seeds", By::Chance),
    quarter("maxsim-25", "MaxSim, 25 % chosen as in main points", By::Coverage),
    quarter("maxsim-25-attention-rarity", "MaxSim, 25 % by attention × rarity", By::AttentionAndRarity),
    quarter("maxsim-25-attention", "MaxSim, 25 % by attention", By::Attention),
    quarter("maxsim-25-rarity", "MaxSim, 25 % by rarity", By::Rarity),
    quarter("maxsim-25-random", "MaxSim, 25 % by chance, 5 seeds", By::Chance),
    arm("relevance-without-words", "shipped, without BM25's places", EVERYTHING),
    arm("relevance-without-cosine", "shipped, without the cosine", EVERYTHING),
    arm("relevance-without-maxsim", "shipped, without MaxSim", VECTORS_AND_WORDS),
    arm("relevance-without-neighbours", "shipped, without the turns beside", EVERYTHING),
    arm("relevance-without-dates", "shipped, without named times", EVERYTHING),
    arm("relevance-without-speaker", "shipped, without who speaks", EVERYTHING),
    arm("full-pipeline", "what the product recalls, by relevance (shipped)", EVERYTHING),
];

pub(super) const MAIN_ARMS: [&str; 7] =
    ["first-passage", "mean", "bm25", "rrf-bm25-mean", "maxsim-all", "maxsim", "full-pipeline"];

pub(super) const LANGUAGE_ARMS: [&str; 4] = ["mean", "bm25", "maxsim", "full-pipeline"];

const FIRST: &[Part] = &[Part::FirstVector];
const VECTORS: &[Part] = &[Part::Vectors];
const VECTORS_AND_WORDS: &[Part] = &[Part::Vectors, Part::TextIndex];
const EVERYTHING: &[Part] = &[Part::Vectors, Part::TextIndex, Part::Codes];

const fn arm(name: &'static str, title: &'static str, stored: &'static [Part]) -> Arm {
    Arm { name, title, stored, choice: None }
}

const fn half(name: &'static str, title: &'static str, by: By) -> Arm {
    Arm { choice: Some(Choice { percent: 50, by }), ..arm(name, title, &[Part::HalfOfCodes]) }
}

const fn quarter(name: &'static str, title: &'static str, by: By) -> Arm {
    Arm { choice: Some(Choice { percent: 25, by }), ..arm(name, title, &[Part::QuarterOfCodes]) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_arm_that_is_named_elsewhere_is_one() {
        for name in MAIN_ARMS.into_iter().chain(LANGUAGE_ARMS) {
            assert!(ARMS.iter().any(|arm| arm.name == name), "{name}");
        }
    }
}
