//! The keys that earlier versions had, and what became of them.
//!
//! It must not know how a configuration is read.

use super::ConfigError;

const ONE_MODEL: &str =
    "models.reader does all of it now; take this key out, and what was remembered is read again by `mainpoint migrate`";
const FOUND_OTHERWISE: &str =
    "every candidate is compared with the question by its own words' vectors now; take this key out";
const FATES: [(&str, &str); 11] = [
    ("models.embedder", ONE_MODEL),
    ("models.embedder_sha256", ONE_MODEL),
    ("embedder", "there is one model now, with the keys of [reader]; take this section out"),
    (
        "memory.recall_turns",
        "tokens say how much is recalled (memory.memory_share), and memory.least_relevance what is worth it; take this key out",
    ),
    (
        "memory.across_conversations",
        "memory.recall says now whose turns are recalled: \"caller\" for true, \"conversation\" for false",
    ),
    ("memory.rerank", FOUND_OTHERWISE),
    ("memory.attention_search", FOUND_OTHERWISE),
    (
        "memory.least_similarity",
        "memory.least_match says now how well the best turn must match, on another scale; its default is 0.18",
    ),
    (
        "prices.input",
        "nothing depended on it: what counts is prices.cache_read and prices.cache_write; take this key out",
    ),
    ("reader.window_tokens", "reader.passage_tokens says now how much is read in one pass; 0 leaves it to the model"),
    ("reader.calibration", "the model's attention is read as a whole now, without a list of heads; take this key out"),
];

/// Says of a key that is not known any more what became of it.
pub(super) fn explain(error: ConfigError) -> ConfigError {
    match error {
        ConfigError::UnknownKey { place, key, suggestion, known } => {
            match FATES.iter().find(|(removed, _)| *removed == key) {
                Some((_, fate)) => ConfigError::RemovedKey { place, key, fate },
                None => ConfigError::UnknownKey { place, key, suggestion, known },
            }
        }
        other => other,
    }
}
