//! What was put into earlier prompts of a conversation, so that it is put there again, byte for byte,
//! and what must stay in them.
//!
//! It turns entries of the store's ledger into what the rewriting needs, and back.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use mainpoint_store::{ConversationId, LedgerEntry, LedgerKey, LedgerKind, PrefixId, TurnId};
use serde::de::{DeserializeOwned, IgnoredAny};
use serde::{Deserialize, Serialize};

use super::pack::Source;

/// A memory block at the tail of a user message.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct BlockRecord {
    /// The block's text; `None` when nothing was found that matters, so that nothing is put there later either.
    pub(crate) text: Option<String>,
    /// Where its memories came from, in the order of its lines.
    pub(crate) sources: Vec<Source>,
}

/// What has left a prompt up to a message. Records of earlier versions hold a digest of it besides, which is passed over.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct EvictionRecord {
    /// The prefixes whose last messages stayed before its end: for what is attached to them, because they cannot be read, or because
    /// they were the question's lead-up then. Odd ones are not among them, since they are known by what they are.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) held: Vec<PrefixId>,
}

/// The digest in a record of an earlier version. Its words are on disk as long as the record is.
#[derive(Deserialize)]
struct FormerDigest {
    /// A line for each turn that it quotes.
    #[serde(default)]
    lines: Vec<IgnoredAny>,
    /// The turn of each line; none at all where a still earlier version wrote one of them.
    #[serde(default)]
    turns: Vec<TurnId>,
}

/// What stands in the place of a tool's result.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ShortenedRecord {
    /// The text.
    pub(crate) text: String,
    /// The turn that the result is.
    pub(crate) turn: TurnId,
}

/// The turns whose words an entry of the ledger holds; `None` where that cannot be told.
pub(crate) fn quoted_turns(kind: LedgerKind, value: &[u8]) -> Option<Vec<TurnId>> {
    match kind {
        LedgerKind::Block => {
            let block: BlockRecord = serde_json::from_slice(value).ok()?;
            Some(block.sources.iter().flat_map(Source::turns).collect())
        }
        LedgerKind::Eviction => {
            let digest: FormerDigest = serde_json::from_slice(value).ok()?;
            (digest.turns.len() == digest.lines.len()).then_some(digest.turns)
        }
        LedgerKind::Shortened => {
            let record: ShortenedRecord = serde_json::from_slice(value).ok()?;
            Some(vec![record.turn])
        }
        LedgerKind::Unreadable => Some(Vec::new()),
    }
}

/// The eviction that holds for a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct CurrentEviction {
    /// Index of the message whose prefix id the ledger knows the eviction by: the last one with such an id that has left, or the last
    /// one of an exchange that stays, where the eviction ended with it.
    pub(crate) horizon: usize,
    /// What stayed before that.
    pub(crate) record: EvictionRecord,
}

/// Everything recorded for the messages of one request.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Recorded {
    /// The newest eviction on the request's chain.
    pub(crate) eviction: Option<CurrentEviction>,
    /// The blocks of messages that are still there, by index.
    pub(crate) blocks: BTreeMap<usize, BlockRecord>,
    /// What stands in the place of tools' results, by index.
    pub(crate) shortened: BTreeMap<usize, ShortenedRecord>,
    /// Messages that cannot be read, by index; they stay.
    pub(crate) unreadable: BTreeSet<usize>,
}

impl Recorded {
    /// Sorts out what the ledger has for prompts with these names up to each message, and for turns, which are said by the
    /// messages `spoken`. A record that cannot be read counts as missing.
    pub(crate) fn from_entries(
        prefix_ids: &[Option<PrefixId>],
        spoken: &[(usize, TurnId)],
        entries: &[LedgerEntry],
    ) -> Self {
        let places: HashMap<LedgerKey, usize> =
            prefix_ids.iter().enumerate().filter_map(|(index, id)| Some((LedgerKey::Prefix((*id)?), index))).collect();
        let of_turns = entries.iter().filter(|entry| entry.kind == LedgerKind::Unreadable);
        let unreadable: HashSet<LedgerKey> = of_turns.map(|entry| entry.key).collect();
        let says_it = spoken.iter().filter(|(_, turn)| unreadable.contains(&LedgerKey::Turn(*turn)));
        let found = |kind: LedgerKind| {
            let entries = entries.iter().filter(move |entry| entry.kind == kind);
            entries.filter_map(|entry| Some((*places.get(&entry.key)?, entry)))
        };
        let evictions: BTreeMap<usize, &LedgerEntry> = found(LedgerKind::Eviction).collect();
        let eviction = evictions.into_iter().rev().find_map(|(horizon, entry)| {
            let record = read(entry)?;
            Some(CurrentEviction { horizon, record })
        });
        let blocks = found(LedgerKind::Block).filter_map(|(index, entry)| Some((index, read(entry)?)));
        let shortened = found(LedgerKind::Shortened).filter_map(|(index, entry)| Some((index, read(entry)?)));
        Self {
            blocks: blocks.collect(),
            eviction,
            shortened: shortened.collect(),
            unreadable: says_it.map(|(index, _)| *index).collect(),
        }
    }

    /// The turns that the blocks of retained messages quote.
    pub(crate) fn quoted(&self, is_retained: impl Fn(usize) -> bool) -> HashSet<TurnId> {
        let retained = self.blocks.iter().filter(|(index, _)| is_retained(**index));
        retained.flat_map(|(_, block)| block.sources.iter().map(|source| source.turn)).collect()
    }
}

/// A record as the entry of the ledger for a prefix.
pub(crate) fn entry(
    kind: LedgerKind,
    prefix: PrefixId,
    conversation: ConversationId,
    record: &impl Serialize,
) -> LedgerEntry {
    LedgerEntry {
        kind,
        key: LedgerKey::Prefix(prefix),
        conversation,
        // Strings and lists of strings can always be written.
        value: serde_json::to_vec(record).unwrap_or_default(),
    }
}

fn read<T: DeserializeOwned>(entry: &LedgerEntry) -> Option<T> {
    serde_json::from_slice(&entry.value)
        .inspect_err(|error| tracing::warn!(key = ?entry.key, %error, "an entry of the ledger cannot be read"))
        .ok()
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;

    use super::*;

    const ONE: PrefixId = PrefixId([1; 16]);
    const TWO: PrefixId = PrefixId([2; 16]);
    const THREE: PrefixId = PrefixId([3; 16]);
    const QUOTED: TurnId = TurnId([4; 16]);
    const ALSO_QUOTED: TurnId = TurnId([5; 16]);
    const CONVERSATION: ConversationId = ConversationId([6; 16]);

    fn block(text: &str) -> BlockRecord {
        BlockRecord {
            text: Some(text.to_owned()),
            sources: vec![Source {
                turn: QUOTED,
                role: "user".to_owned(),
                position: 2,
                time: DateTime::UNIX_EPOCH,
                score: 0.1,
                beside: Vec::new(),
            }],
        }
    }

    #[test]
    fn the_newest_eviction_on_the_chain_holds_and_blocks_stand_where_they_stood() {
        let eviction = |held| EvictionRecord { held };
        let entries = [
            entry(LedgerKind::Eviction, ONE, CONVERSATION, &eviction(vec![])),
            entry(LedgerKind::Eviction, TWO, CONVERSATION, &eviction(vec![THREE])),
            entry(LedgerKind::Block, TWO, CONVERSATION, &block("B")),
            entry(LedgerKind::Block, THREE, CONVERSATION, &block("elsewhere")),
        ];
        let recorded = Recorded::from_entries(&[None, Some(ONE), None, Some(TWO)], &[], &entries);
        let current = CurrentEviction { horizon: 3, record: eviction(vec![THREE]) };
        assert_eq!(recorded.eviction, Some(current));
        assert_eq!(recorded.blocks, [(3, block("B"))].into());
        assert_eq!(recorded.quoted(|_| true), HashSet::from([QUOTED]));
        assert!(recorded.quoted(|index| index != 3).is_empty());
    }

    #[test]
    fn a_shortened_result_is_found_where_it_stood_and_tells_whose_words_it_holds() {
        let record = ShortenedRecord { text: "short".to_owned(), turn: QUOTED };
        let entries = [entry(LedgerKind::Shortened, TWO, CONVERSATION, &record)];
        let recorded = Recorded::from_entries(&[Some(ONE), Some(TWO)], &[], &entries);
        assert_eq!(recorded.shortened, [(1, record)].into());
        assert_eq!(recorded.eviction, None);
        assert_eq!(quoted_turns(LedgerKind::Shortened, &entries[0].value), Some(vec![QUOTED]));
        assert_eq!(quoted_turns(LedgerKind::Shortened, b"nonsense"), None);
    }

    #[test]
    fn a_record_that_cannot_be_read_counts_as_missing() {
        let broken = LedgerEntry { value: b"nonsense".to_vec(), ..entry(LedgerKind::Eviction, TWO, CONVERSATION, &()) };
        let entries = [entry(LedgerKind::Eviction, ONE, CONVERSATION, &EvictionRecord::default()), broken];
        let recorded = Recorded::from_entries(&[Some(ONE), Some(TWO)], &[], &entries);
        assert_eq!(recorded.eviction.map(|eviction| eviction.horizon), Some(0));
    }

    #[test]
    fn an_entry_tells_whose_words_it_holds() {
        let quoted = |entry: &LedgerEntry| quoted_turns(entry.kind, &entry.value);
        assert_eq!(quoted(&entry(LedgerKind::Block, ONE, CONVERSATION, &block("B"))), Some(vec![QUOTED]));
        assert_eq!(quoted(&entry(LedgerKind::Block, ONE, CONVERSATION, &BlockRecord::default())), Some(Vec::new()));
        let eviction = EvictionRecord { held: vec![ONE] };
        assert_eq!(quoted(&entry(LedgerKind::Eviction, ONE, CONVERSATION, &eviction)), Some(Vec::new()));
        assert_eq!(quoted_turns(LedgerKind::Block, b"nonsense"), None);
    }

    #[test]
    fn an_eviction_of_an_earlier_version_holds_without_its_digest_and_goes_with_the_turns_that_this_quotes() {
        let held = format!(r#""held":["{ONE}"]"#);
        for (value, quoted) in [
            (
                format!(r#"{{"lines":["a","b"],"turns":["{QUOTED}","{ALSO_QUOTED}"],{held}}}"#),
                Some(vec![QUOTED, ALSO_QUOTED]),
            ),
            (format!(r#"{{"lines":["a"],{held}}}"#), None),
            (format!(r#"{{"lines":[],{held}}}"#), Some(Vec::new())),
        ] {
            assert_eq!(quoted_turns(LedgerKind::Eviction, value.as_bytes()), quoted, "{value}");
            let known = entry(LedgerKind::Eviction, TWO, CONVERSATION, &());
            let entries = [LedgerEntry { value: value.into_bytes(), ..known }];
            let current = Recorded::from_entries(&[Some(ONE), Some(TWO)], &[], &entries).eviction;
            let record = EvictionRecord { held: vec![ONE] };
            assert_eq!(current, Some(CurrentEviction { horizon: 1, record }));
        }
    }
}
