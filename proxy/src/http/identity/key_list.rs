//! The list of this proxy's keys as its file has it, in TOML or JSON: for each the SHA-256 of the key, whose it is, when it was made and
//! what its owner may use.
//!
//! A digest suffices without salt and without being slow to compute: a key that this proxy has drawn has 192 random bits, which no list
//! of guesses reaches. Keys are looked up by their digests, so that the time that takes says nothing about the keys that there are.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::config::OwnLimits;

/// The keys as they are looked up.
#[derive(Debug, Default)]
pub(crate) struct KeyList {
    names: HashMap<[u8; 32], String>,
    /// Of those names that have some of their own.
    limits: HashMap<String, OwnLimits>,
}

/// The keys as they are written.
#[derive(Debug, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct WrittenKeys {
    /// One after the other.
    pub(crate) keys: Vec<WrittenKey>,
}

/// One of them.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct WrittenKey {
    /// Whose memory it is.
    pub(crate) name: String,
    /// Of the key, in hexadecimal digits.
    pub(crate) sha256: String,
    /// When it was made; whoever writes the file by hand need not say so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) created_at: Option<DateTime<Utc>>,
    /// What whoever has the name may use.
    #[serde(default, skip_serializing_if = "OwnLimits::is_empty")]
    pub(crate) limits: OwnLimits,
}

impl KeyList {
    /// Reads a list. One name may have several keys, so that one can take the place of another; the limits of the last one hold.
    ///
    /// # Errors
    /// What is wrong with it, without anything that could be a key.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let mut list = Self::default();
        for (index, WrittenKey { name, sha256, limits, .. }) in WrittenKeys::parse(text)?.keys.into_iter().enumerate() {
            if name.is_empty() {
                return Err(format!("keys[{index}].name is empty"));
            }
            let digest = digest(&sha256)
                .ok_or_else(|| format!("keys[{index}].sha256 (of {name:?}, not shown) is not 64 hexadecimal digits"))?;
            list.limits.insert(name.clone(), limits);
            if list.names.insert(digest, name).is_some() {
                return Err(format!("keys[{index}].sha256 stands there before"));
            }
        }
        list.limits.retain(|_, limits| !limits.is_empty());
        // A list may be empty, so that the last key can be taken out.
        Ok(list)
    }

    /// Whose key this is.
    pub(super) fn name_of(&self, key: &[u8]) -> Option<&str> {
        let digest: [u8; 32] = Sha256::digest(key).into();
        self.names.get(&digest).map(String::as_str)
    }

    /// What somebody may use, where a key says so.
    pub(crate) fn limits_of(&self, name: &str) -> OwnLimits {
        self.limits.get(name).copied().unwrap_or_default()
    }

    /// Those who have limits of their own, with these.
    pub(crate) fn limits(&self) -> impl Iterator<Item = (&str, OwnLimits)> {
        self.limits.iter().map(|(name, limits)| (name.as_str(), *limits))
    }
}

impl WrittenKeys {
    /// Reads a list as it is written.
    ///
    /// # Errors
    /// Which line is not as expected; never the line itself, which may hold a key by mistake.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        if is_json(text) {
            serde_json::from_str(text).map_err(|error| format!("line {} is not as expected", error.line()))
        } else {
            toml::from_str(text).map_err(|error| {
                let before = error.span().and_then(|span| text.get(..span.start)).unwrap_or_default();
                format!("line {} is not as expected", before.matches('\n').count() + 1)
            })
        }
    }
}

/// Whether a list is written in JSON.
pub(super) fn is_json(text: &str) -> bool {
    text.trim_start().starts_with('{')
}

/// The SHA-256 of a key, as it is written.
pub(super) fn written_digest(key: &str) -> String {
    Sha256::digest(key).iter().map(|byte| format!("{byte:02x}")).collect()
}

fn digest(text: &str) -> Option<[u8; 32]> {
    let digits: Option<Vec<u8>> = text.chars().map(|digit| u8::try_from(digit.to_digit(16)?).ok()).collect();
    let digits = digits.filter(|digits| digits.len() == 64)?;
    let bytes = digits.chunks_exact(2).map(|pair| pair.iter().fold(0, |byte, digit| (byte << 4) | digit));
    bytes.collect::<Vec<u8>>().try_into().ok()
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests fail loudly")]
    use super::*;

    /// SHA-256 of "abc".
    const ABC: &str = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";

    #[test]
    fn the_last_key_can_be_taken_out() {
        assert!(KeyList::parse("keys = []").unwrap().names.is_empty());
    }

    #[test]
    fn a_key_says_when_it_was_made_and_what_its_owner_may_use_and_need_say_neither() {
        assert_eq!(written_digest("abc"), ABC);
        let one = |more: &str| format!("[[keys]]\nname = \"ann\"\nsha256 = \"{ABC}\"\n{more}");
        let key = |more: &str| WrittenKeys::parse(&one(more)).unwrap().keys.remove(0);
        assert_eq!((key("").created_at, key("").limits.is_empty()), (None, true));
        let made = key("created_at = \"2026-11-30T12:00:00Z\"").created_at.unwrap();
        assert_eq!(made.to_rfc3339(), "2026-11-30T12:00:00+00:00");

        let list = KeyList::parse(&one("limits = { requests_per_minute = 5, stored_turns = 0 }")).unwrap();
        let limits = OwnLimits { requests_per_minute: Some(5), stored_turns: Some(0), ..OwnLimits::default() };
        assert_eq!((list.name_of(b"abc"), list.limits_of("ann")), (Some("ann"), limits));
        assert!(list.limits_of("ben").is_empty() && list.name_of(b"abd").is_none());
        assert!(KeyList::parse(&one("limits = { requests = 5 }")).unwrap_err().contains("line 4"));
    }

    #[test]
    fn a_list_that_is_none_is_refused_without_showing_what_may_be_a_key() {
        for (text, expected) in [
            ("", "line 1"),
            ("[[keys]]\nname = \"a\"\nsha256 = \"sk-hidden\"", "keys[0].sha256 (of \"a\", not shown)"),
            ("[[keys]]\nname = \"a\"\nkey = \"sk-hidden\"", "line"),
            ("[[keys]]\nname = sk-hidden", "line 2"),
            ("{\"keys\": \"sk-hidden\"}", "line 1"),
            (&format!("[[keys]]\nname = \"\"\nsha256 = \"{ABC}\""), "keys[0].name is empty"),
            (
                &format!("[[keys]]\nname = \"a\"\nsha256 = \"{ABC}\"\n[[keys]]\nname = \"b\"\nsha256 = \"{ABC}\""),
                "keys[1].sha256 stands there before",
            ),
        ] {
            let error = KeyList::parse(text).unwrap_err();
            assert!(error.contains(expected), "{text}: {error}");
            assert!(!error.contains("hidden"), "{text}: {error}");
        }
    }
}
