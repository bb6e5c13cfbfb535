//! What is stored with every passage to rank it by: where its turn stands, when it was said, what it looks like, and the codes
//! of the passage's main point. All in one value of one column, since reading a column of a few hundred rows costs more than
//! what is in it.

use chrono::{DateTime, Utc};
use mainpoint_store::{Turn, TurnId};

use super::features::TurnFeatures;

/// What ranking needs to know of a passage's turn, whatever is asked.
#[derive(Debug, Clone, PartialEq)]
pub struct RankingData {
    /// The turn before it.
    pub(crate) parent: Option<TurnId>,
    /// When it was said, to the microsecond.
    pub(crate) time: DateTime<Utc>,
    /// What it looks like.
    pub(crate) features: TurnFeatures,
}

/// The layout of the bytes.
const VERSION: u8 = 2;
const HAS_PARENT: u8 = 1;
const ASKS: u8 = 2;
const BY_USER: u8 = 4;

impl RankingData {
    /// The ranking data of a turn with all of its text.
    #[must_use]
    pub fn new(turn: &Turn) -> Self {
        Self { parent: turn.parent, time: turn.time, features: TurnFeatures::new(&turn.role, &turn.text) }
    }

    /// The data and a passage's codes as one value, little-endian: version u8, flags u8, bytes of the speaker's name u8,
    /// tokens of what is said u32, time in microseconds i64, the parent's id if there is one, the name, the codes.
    #[must_use]
    pub fn encode(&self, codes: &[u8]) -> Vec<u8> {
        let flag = |is_set: bool, flag: u8| if is_set { flag } else { 0 };
        let speaker = self.features.speaker.as_deref().unwrap_or_default().as_bytes();
        // Names are far shorter; see `features`.
        let speaker = speaker.get(..usize::from(u8::MAX)).unwrap_or(speaker);
        let flags = flag(self.parent.is_some(), HAS_PARENT)
            | flag(self.features.asks, ASKS)
            | flag(self.features.by_user, BY_USER);
        let mut bytes = vec![VERSION, flags, u8::try_from(speaker.len()).unwrap_or_default()];
        bytes.extend(self.features.tokens.to_le_bytes());
        bytes.extend(self.time.timestamp_micros().to_le_bytes());
        bytes.extend(self.parent.iter().flat_map(|parent| parent.0));
        bytes.extend(speaker);
        bytes.extend(codes);
        bytes
    }

    /// What [`RankingData::encode`] wrote; nothing if the bytes are anything else.
    #[must_use]
    pub fn decode(bytes: &[u8]) -> Option<(Self, &[u8])> {
        let ([version, flags, name], bytes) = bytes.split_first_chunk()?;
        let (said, bytes) = bytes.split_first_chunk()?;
        let (time, bytes) = bytes.split_first_chunk()?;
        let (parent, bytes) = if flags & HAS_PARENT == 0 {
            (None, bytes)
        } else {
            let (parent, bytes) = bytes.split_first_chunk()?;
            (Some(TurnId(*parent)), bytes)
        };
        let (name, codes) = bytes.split_at_checked(usize::from(*name))?;
        let name = std::str::from_utf8(name).ok()?;
        let data = Self {
            parent,
            time: DateTime::from_timestamp_micros(i64::from_le_bytes(*time))?,
            features: TurnFeatures {
                speaker: (!name.is_empty()).then(|| name.to_owned()),
                tokens: u32::from_le_bytes(*said),
                asks: flags & ASKS != 0,
                by_user: flags & BY_USER != 0,
            },
        };
        (*version == VERSION).then_some((data, codes))
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests fail loudly")]

    use proptest::prelude::*;

    use super::*;
    use crate::memory::turns_for_tests::turn;

    proptest! {
        #[test]
        fn what_is_written_comes_back_and_less_of_it_never_passes_for_more(
            text in "([A-ZÄ小][a-zä明]{0,9}[:：] ?)?[a-z ?？]{0,30}",
            user in any::<bool>(),
            parent in proptest::option::of(any::<[u8; 16]>()),
            microseconds in -9_000_000_000_000_000_i64..9_000_000_000_000_000,
            codes in proptest::collection::vec(any::<u8>(), 0..40),
        ) {
            let turn = Turn {
                parent: parent.map(TurnId),
                role: if user { "user" } else { "assistant" }.to_owned(),
                time: DateTime::from_timestamp_micros(microseconds).unwrap(),
                ..turn(0, &text)
            };
            let data = RankingData::new(&turn);
            let bytes = data.encode(&codes);
            prop_assert_eq!(RankingData::decode(&bytes), Some((data, codes.as_slice())));
            let head = bytes.len() - codes.len();
            for length in 0..head {
                prop_assert_eq!(RankingData::decode(&bytes[..length]), None);
            }
        }

        #[test]
        fn other_bytes_are_refused_without_panic(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
            let is_ours = bytes.first() == Some(&VERSION);
            prop_assert!(RankingData::decode(&bytes).is_none() || is_ours);
        }
    }
}
