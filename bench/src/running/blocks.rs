//! What the proxy puts into the messages of a prompt, found again: memory blocks, digests and what they quote.
//!
//! It must not know who reads them.

use mainpoint_tests::prompt::{BLOCK_END, BLOCK_START, DIGEST_END, DIGEST_START, quotes, without_digest};

/// A message's text, taken apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Parts<'a> {
    /// What the message says itself.
    pub(crate) own: &'a str,
    /// What each line of its digest and of its memory block quotes, without date and speaker.
    pub(crate) quotes: Vec<String>,
}

/// The memory block at the end of a message, marks included.
pub(crate) fn memory(text: &str) -> Option<&str> {
    let text = text.trim_end();
    let start = text.strip_suffix(BLOCK_END)?.rfind(BLOCK_START)?;
    text.get(start..)
}

/// Takes a message apart: a digest at its head, a memory block at its end, and what is between.
pub(crate) fn parts(text: &str) -> Parts<'_> {
    let text = text.trim();
    let digest = text.strip_prefix(DIGEST_START).and_then(|rest| rest.split_once(DIGEST_END));
    let block = memory(text);
    let inside = block.map(|block| block.trim_start_matches(BLOCK_START).trim_end_matches(BLOCK_END));
    let quoted = digest.map(|(inside, _)| inside).into_iter().chain(inside);
    let own = without_digest(&text[..text.len() - block.map_or(0, str::len)]);
    Parts { own: own.trim(), quotes: quoted.flat_map(quotes).map(|quote| quote.text).collect() }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MESSAGE: &str = "<mainpoint-digest>\nShortened.\n[2026-11-20 09:00 UTC] user: a ferry … Gotland\n\
        [2026-11-20 09:01 UTC] assistant: booked\n</mainpoint-digest>\n\nWhich name?\n\n<mainpoint-memory>\n\
        Earlier excerpts.\n[2026-11-22 14:03 UTC] user: Biscuit:\n - [x] a puppy\n\n</mainpoint-memory>";

    #[test]
    fn a_message_falls_apart_into_its_own_text_and_quotes() {
        let found = parts(MESSAGE);
        assert_eq!(found.own, "Which name?");
        assert_eq!(found.quotes, ["a ferry … Gotland", "booked", "Biscuit:\n- [x] a puppy"]);
        let block = memory(MESSAGE).unwrap_or_default();
        assert!(block.starts_with("<mainpoint-memory>\nEarlier") && block.ends_with("</mainpoint-memory>"));
    }

    #[test]
    fn a_message_without_blocks_is_its_own_text() {
        for text in ["", "hello", "a <mainpoint-memory> b", "x</mainpoint-memory>"] {
            assert_eq!((parts(text).own, parts(text).quotes.len(), memory(text)), (text, 0, None));
        }
    }
}
