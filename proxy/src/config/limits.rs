//! The section `[limits]`: what one caller may use, so that there is something left for others.

use serde::{Deserialize, Serialize};

use super::checked::{Whole, section};

section! {
    /// What one caller may use, with all its projects and users; 0 for as much as there is.
    pub struct LimitsConfig {
        /// Most requests a minute.
        #[serde(with = "Whole::<0, 1_000_000_000>")]
        requests_per_minute: u32 = 0,
        /// Most tokens of its turns that are read a minute; the others wait.
        #[serde(with = "Whole::<0, 1_000_000_000>")]
        read_tokens_per_minute: u32 = 0,
        /// Most turns that are stored.
        #[serde(with = "Whole::<0, 1_000_000_000>")]
        stored_turns: usize = 0,
        /// Most bytes of their texts.
        #[serde(with = "Whole::<0, { 1 << 50 }>")]
        stored_bytes: usize = 0,
    }
}

impl Copy for LimitsConfig {}

/// What a key of this proxy says of the limits of whoever has it; `None` leaves one to the configuration.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct OwnLimits {
    /// As [`LimitsConfig::requests_per_minute`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) requests_per_minute: Option<u32>,
    /// As [`LimitsConfig::read_tokens_per_minute`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) read_tokens_per_minute: Option<u32>,
    /// As [`LimitsConfig::stored_turns`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) stored_turns: Option<usize>,
    /// As [`LimitsConfig::stored_bytes`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) stored_bytes: Option<usize>,
}

impl OwnLimits {
    /// Whether it leaves all of them to the configuration.
    pub(crate) fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

impl LimitsConfig {
    /// These limits, but for those that somebody has of its own.
    pub(crate) fn with(self, own: OwnLimits) -> Self {
        Self {
            requests_per_minute: own.requests_per_minute.unwrap_or(self.requests_per_minute),
            read_tokens_per_minute: own.read_tokens_per_minute.unwrap_or(self.read_tokens_per_minute),
            stored_turns: own.stored_turns.unwrap_or(self.stored_turns),
            stored_bytes: own.stored_bytes.unwrap_or(self.stored_bytes),
        }
    }
}
