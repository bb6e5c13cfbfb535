//! The arms of the comparison. It must not know how turns are read, stored or ranked.

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
    /// The codes of the main point's tokens.
    Codes,
    /// The codes of all content tokens.
    AllCodes,
    /// The codes of half of them.
    HalfOfCodes,
    /// The codes of a quarter of them.
    QuarterOfCodes,
}

/// What decides which tokens are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum By {
    /// What is most like everything that is attended to, as in main points.
    Coverage,
    /// The attention that a token receives × how rare it is.
    AttentionAndRarity,
    /// The attention alone.
    Attention,
    /// How rare it is alone.
    Rarity,
    /// Chance: one choice for each of [`SEEDS`].
    Chance,
}

/// A share of a turn's content tokens, and what chooses it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Choice {
    /// The arm that finds by these alone.
    pub(super) arm: &'static str,
    /// How many of a hundred tokens are kept.
    pub(super) percent: usize,
    /// What chooses them.
    pub(super) by: By,
}

/// What random choices begin with.
pub(super) const SEEDS: [u64; 5] = [1, 2, 3, 4, 5];

/// The choices that are compared.
pub(super) const CHOICES: [Choice; 10] = [
    choice("maxsim-50", 50, By::Coverage),
    choice("maxsim-50-attention-rarity", 50, By::AttentionAndRarity),
    choice("maxsim-50-attention", 50, By::Attention),
    choice("maxsim-50-rarity", 50, By::Rarity),
    choice("maxsim-50-random", 50, By::Chance),
    choice("maxsim-25", 25, By::Coverage),
    choice("maxsim-25-attention-rarity", 25, By::AttentionAndRarity),
    choice("maxsim-25-attention", 25, By::Attention),
    choice("maxsim-25-rarity", 25, By::Rarity),
    choice("maxsim-25-random", 25, By::Chance),
];

/// All arms, in the order of the tables.
pub(super) const ARMS: &[Arm] = &[
    arm(
        "first-passage",
        "mean vector of the first passage",
        &[Part::FirstVector],
    ),
    arm(
        "mean",
        "mean vector, best passage (shipped, from the store)",
        &[Part::Vectors],
    ),
    arm("bm25", "BM25 (the store's full-text index)", &[Part::TextIndex]),
    arm("rrf-bm25-mean", "RRF k=60 (BM25, mean vector)", VECTORS_AND_WORDS),
    arm("maxsim-all", "MaxSim, codes of all content tokens", &[Part::AllCodes]),
    arm("maxsim", "MaxSim, codes of the main point (shipped)", &[Part::Codes]),
    arm(
        "maxsim-50",
        "MaxSim, 50 % chosen as in main points",
        &[Part::HalfOfCodes],
    ),
    arm(
        "maxsim-50-attention-rarity",
        "MaxSim, 50 % by attention × rarity",
        &[Part::HalfOfCodes],
    ),
    arm("maxsim-50-attention", "MaxSim, 50 % by attention", &[Part::HalfOfCodes]),
    arm("maxsim-50-rarity", "MaxSim, 50 % by rarity", &[Part::HalfOfCodes]),
    arm(
        "maxsim-50-random",
        "MaxSim, 50 % by chance, 5 seeds",
        &[Part::HalfOfCodes],
    ),
    arm(
        "maxsim-25",
        "MaxSim, 25 % chosen as in main points",
        &[Part::QuarterOfCodes],
    ),
    arm(
        "maxsim-25-attention-rarity",
        "MaxSim, 25 % by attention × rarity",
        &[Part::QuarterOfCodes],
    ),
    arm(
        "maxsim-25-attention",
        "MaxSim, 25 % by attention",
        &[Part::QuarterOfCodes],
    ),
    arm("maxsim-25-rarity", "MaxSim, 25 % by rarity", &[Part::QuarterOfCodes]),
    arm(
        "maxsim-25-random",
        "MaxSim, 25 % by chance, 5 seeds",
        &[Part::QuarterOfCodes],
    ),
    arm(
        "relevance-without-words",
        "the shipped relevance without BM25's places",
        EVERYTHING,
    ),
    arm(
        "relevance-without-cosine",
        "the shipped relevance without the mean vector's cosine",
        EVERYTHING,
    ),
    arm(
        "relevance-without-maxsim",
        "the shipped relevance without MaxSim",
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
        "what the product recalls, by relevance from everything (shipped)",
        EVERYTHING,
    ),
];

/// The arms that summaries show.
pub(super) const MAIN_ARMS: [&str; 7] = [
    "first-passage",
    "mean",
    "bm25",
    "rrf-bm25-mean",
    "maxsim-all",
    "maxsim",
    "full-pipeline",
];

/// The arms that languages are compared by.
pub(super) const LANGUAGE_ARMS: [&str; 4] = ["mean", "bm25", "maxsim", "full-pipeline"];

const VECTORS_AND_WORDS: &[Part] = &[Part::Vectors, Part::TextIndex];
const EVERYTHING: &[Part] = &[Part::Vectors, Part::TextIndex, Part::Codes];

const fn arm(name: &'static str, title: &'static str, stored: &'static [Part]) -> Arm {
    Arm { name, title, stored }
}

const fn choice(arm: &'static str, percent: usize, by: By) -> Choice {
    Choice { arm, percent, by }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_arm_that_is_named_elsewhere_is_one() {
        let choices = CHOICES.iter().map(|choice| choice.arm);
        for name in choices.chain(MAIN_ARMS).chain(LANGUAGE_ARMS) {
            assert!(ARMS.iter().any(|arm| arm.name == name), "{name}");
        }
    }
}
