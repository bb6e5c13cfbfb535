//! The keys that earlier versions had, and what became of them: most are refused, some may stay and do nothing.

use std::fmt;

use super::document::Document;
use super::{ConfigError, Place};

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

/// Keys that may stay with any value, each with its section.
const IGNORED: [(&str, &str, &str); 1] =
    [("memory", "digest_tokens", "prompts have no digest of what has left them any more; take this key out")];

/// A key that may stay and does nothing. Its text names the place, the key and what became of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IgnoredKey {
    place: Place,
    section: &'static str,
    key: &'static str,
    fate: &'static str,
}

impl fmt::Display for IgnoredKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { place, section, key, fate } = self;
        write!(formatter, "{place}: {section}.{key} does nothing: {fate}")
    }
}

/// Takes the keys out of a document that do nothing.
pub(super) fn take_ignored(document: &mut Document<'_>) -> Vec<IgnoredKey> {
    let mut taken = Vec::new();
    for (section, key, fate) in IGNORED {
        if let Some(place) = document.remove(section, key) {
            taken.push(IgnoredKey { place, section, key, fate });
        }
    }
    taken
}

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
