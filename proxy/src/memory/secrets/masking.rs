//! Puts masks in the place of secrets.

use std::borrow::Cow;
use std::ops::Range;

use super::RuleError;
use super::matching::{Finder, Found};
use crate::config::{MemoryConfig, SecretKind};

/// Masks secrets of the kinds that are not to be kept.
pub(crate) struct Masker {
    finder: Finder,
    /// Kinds that are masked.
    masked: Vec<SecretKind>,
}

/// A text that was looked through.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Masked<'t> {
    /// The text with masks in the place of secrets.
    pub(crate) text: Cow<'t, str>,
    /// The kinds of the secrets; those of the first look come first, each look's in the order in which they stood.
    pub(crate) kinds: Vec<SecretKind>,
}

impl Masker {
    /// Masks what the configuration says.
    ///
    /// # Errors
    /// When a rule is wrong, which tests rule out.
    pub(crate) fn new(config: &MemoryConfig) -> Result<Self, RuleError> {
        let is_masked = |kind: &SecretKind| config.mask_secrets && !config.mask_exceptions.contains(kind);
        Ok(Self { finder: Finder::new()?, masked: SecretKind::ALL.iter().copied().filter(is_masked).collect() })
    }

    /// The text with a mask in the place of every secret; all else stays byte for byte.
    pub(crate) fn mask<'t>(&self, text: &'t str) -> Masked<'t> {
        let mut masked = Masked { text: Cow::Borrowed(text), kinds: Vec::new() };
        // What another secret followed at once may be one by itself when that is masked.
        for _ in 0..MOST_ROUNDS {
            let found = self.find(&masked.text);
            if found.is_empty() {
                break;
            }
            masked.text = Cow::Owned(replaced(&masked.text, &found));
            masked.kinds.extend(found.iter().map(|found| found.kind));
        }
        masked
    }

    /// The secrets of a text in order, none of which overlap. What is kept is found as well, so that no vaguer rule finds it.
    fn find(&self, text: &str) -> Vec<Found> {
        if self.masked.is_empty() {
            return Vec::new();
        }
        let found = self.finder.find(text.as_bytes());
        if found.is_empty() {
            return found;
        }
        let mut found = merged(text, found);
        found.retain(|found| self.masked.contains(&found.kind));
        found
    }
}

/// How often a text is looked through, should masks lay open more.
const MOST_ROUNDS: usize = 8;

/// What was found in order; what overlaps is one.
fn merged(text: &str, mut found: Vec<Found>) -> Vec<Found> {
    let masks = masks(text);
    found.retain_mut(|found| {
        let inside = |place: usize| {
            let before = masks.partition_point(|mask| mask.start <= place);
            masks.get(..before).and_then(<[Range<usize>]>::last).filter(|mask| place < mask.end)
        };
        if let Some(mask) = inside(found.range.end.saturating_sub(1)) {
            found.range.end = mask.end;
        }
        inside(found.range.start).is_none()
    });
    for found in &mut found {
        // Patterns know bytes only.
        found.range.end = text.ceil_char_boundary(found.range.end);
    }
    found.sort_by_key(|found| (found.range.start, found.rank));
    let mut merged: Vec<Found> = Vec::new();
    for next in found {
        match merged.last_mut() {
            Some(last) if next.range.start < last.range.end => {
                last.range.end = last.range.end.max(next.range.end);
                if next.rank < last.rank {
                    (last.kind, last.rank) = (next.kind, next.rank);
                }
            }
            _ => merged.push(next),
        }
    }
    merged
}

/// Where masks stand in a text already, in order.
fn masks(text: &str) -> Vec<Range<usize>> {
    let starts = text.match_indices(MASK_START).map(|(at, _)| at);
    let mask = |start: usize| {
        let rest = text.get(start + MASK_START.len()..)?;
        let name = rest.get(..rest.bytes().take(LONGEST_NAME).position(|byte| byte == b']')?)?;
        SecretKind::parse(name).map(|_| start..start + MASK_START.len() + name.len() + 1)
    };
    starts.filter_map(mask).collect()
}

const MASK_START: &str = "[secret: ";
/// Bytes in which the name of a kind ends.
const LONGEST_NAME: usize = 32;

fn replaced(text: &str, found: &[Found]) -> String {
    let mut masked = String::with_capacity(text.len());
    let mut at = 0;
    for found in found {
        masked.push_str(text.get(at..found.range.start).unwrap_or_default());
        masked.push_str(MASK_START);
        masked.push_str(found.kind.label());
        masked.push(']');
        at = found.range.end;
    }
    masked.push_str(text.get(at..).unwrap_or_default());
    masked
}
