//! Whatever is quoted in a block: its lines are told from others, and the block is known again beside any text.

use chrono::NaiveDate;

use super::bits_of;
use crate::openai::block::{self, SEPARATOR, Seal};
use crate::openai::quote::{day, quote};

pub(super) fn blocks(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let (seal, other) = (Seal::new([7; 32]), Seal::new([8; 32]));
    for found in [block::before(&text), block::behind(&text), block::condensed(&text)].into_iter().flatten() {
        assert!(found.length <= text.len(), "{text:?}");
    }
    let role = ["user", "assistant", "tool", "function", text.get(..8).unwrap_or("")][(bits_of(bytes) % 5) as usize];
    let quoted = quote(role, &[], &text);
    for (at, line) in quoted.split('\n').enumerate() {
        assert!(at == 0 || line.is_empty() || line.starts_with(' '), "{quoted:?}");
        assert!(!line.contains(BREAKS), "{quoted:?}");
    }
    let lines = [day(NaiveDate::default()), quoted];
    let memory = seal.memory(&lines);
    let (first, last) = (format!("{memory}{SEPARATOR}{text}"), format!("{text}{SEPARATOR}{memory}"));
    for found in [block::before(&first), block::behind(&last)] {
        let is_known = found.is_some_and(|found| {
            seal.made(&found) && !other.made(&found) && found.length == memory.len() + SEPARATOR.len()
        });
        assert!(is_known, "{first:?}");
    }
    assert_eq!(other.memory_anew(&memory), Some(other.memory(&lines)));
    let condensed = seal.condensed(&lines);
    assert!(block::condensed(&condensed).is_some_and(|found| seal.made(&found)), "{condensed:?}");
}

/// What ends a line somewhere.
const BREAKS: [char; 6] = ['\r', '\u{b}', '\u{c}', '\u{85}', '\u{2028}', '\u{2029}'];
