//! What the proxy puts into the messages of a prompt, found again: memory blocks, digests and their lines.
//!
//! It must not know who reads them.

/// A message's text, taken apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parts<'a> {
    /// What the message says itself.
    pub own: &'a str,
    /// What each line of its digest and of its memory block quotes, without date and speaker.
    pub quotes: Vec<&'a str>,
}

const MEMORY: (&str, &str) = ("<mainpoint-memory>", "</mainpoint-memory>");
const DIGEST: (&str, &str) = ("<mainpoint-digest>", "</mainpoint-digest>");

/// The memory block at the end of a message, marks included.
#[must_use]
pub fn memory(text: &str) -> Option<&str> {
    let text = text.trim_end();
    let start = text.strip_suffix(MEMORY.1)?.rfind(MEMORY.0)?;
    text.get(start..)
}

/// Takes a message apart: a digest at its head, a memory block at its end, and what is between.
#[must_use]
pub fn parts(text: &str) -> Parts<'_> {
    let mut own = text.trim();
    let mut quoted = Vec::new();
    if let Some((inside, rest)) = own.strip_prefix(DIGEST.0).and_then(|rest| rest.split_once(DIGEST.1)) {
        quoted.extend(quotes(inside));
        own = rest.trim();
    }
    if let Some(block) = memory(own) {
        quoted.extend(quotes(block.trim_end_matches(MEMORY.1)));
        own = own.get(..own.len() - block.len()).unwrap_or_default().trim();
    }
    Parts { own, quotes: quoted }
}

/// The dated lines inside the memory block of a message.
#[must_use]
pub fn recalled_lines(message: &str) -> Vec<String> {
    let inside = message
        .split_once(MEMORY.0)
        .and_then(|(_, rest)| rest.split_once(MEMORY.1));
    let lines = inside.map_or("", |(inside, _)| inside).lines();
    lines.filter(|line| line.starts_with('[')).map(str::to_owned).collect()
}

/// The length of `[2026-11-22 14:03` and where a quote's speaker begins.
const DATE: usize = 17;
const AFTER_DATE: &str = " UTC] ";

/// What a block's dated lines quote; a quote with line breaks goes on until the next dated line.
fn quotes(inside: &str) -> Vec<&str> {
    let mut starts = Vec::new();
    let mut at = 0;
    for line in inside.split_inclusive('\n') {
        if is_dated(line) {
            starts.push(at);
        }
        at += line.len();
    }
    let ends = starts.iter().skip(1).copied().chain([inside.len()]);
    starts
        .iter()
        .zip(ends)
        .filter_map(|(start, end)| said(inside.get(*start..end)?))
        .collect()
}

fn is_dated(line: &str) -> bool {
    line.starts_with('[') && line.get(DATE..).is_some_and(|rest| rest.starts_with(AFTER_DATE))
}

/// A quote without its date and speaker.
fn said(quote: &str) -> Option<&str> {
    let (_, said) = quote.get(DATE + AFTER_DATE.len()..)?.split_once(": ")?;
    Some(said.trim())
}

#[cfg(test)]
mod tests {
    use super::*;

    const MESSAGE: &str = "<mainpoint-digest>\nShortened.\n[2026-11-20 09:00 UTC] user: a ferry … Gotland\n\
        [2026-11-20 09:01 UTC] assistant: booked\n</mainpoint-digest>\n\nWhich name?\n\n<mainpoint-memory>\n\
        Earlier excerpts.\n[2026-11-22 14:03 UTC] user: Biscuit:\n- [x] a puppy\n\n</mainpoint-memory>";

    #[test]
    fn a_message_falls_apart_into_its_own_text_and_quotes() {
        let found = parts(MESSAGE);
        assert_eq!(found.own, "Which name?");
        assert_eq!(found.quotes, ["a ferry … Gotland", "booked", "Biscuit:\n- [x] a puppy"]);
    }

    #[test]
    fn a_message_without_blocks_is_its_own_text() {
        for text in ["", "hello", "a <mainpoint-memory> b", "x</mainpoint-memory>"] {
            assert_eq!((parts(text).own, parts(text).quotes.len()), (text, 0));
        }
    }

    #[test]
    fn the_memory_block_comes_with_its_marks() {
        let block = memory(MESSAGE).unwrap_or_default();
        assert!(block.starts_with("<mainpoint-memory>\nEarlier") && block.ends_with("</mainpoint-memory>"));
        assert_eq!(memory("no block"), None);
    }

    #[test]
    fn recalled_lines_are_those_inside_the_block() {
        let message = "Which name?\n\n<mainpoint-memory>\nEarlier excerpts.\n\
            [2026-11-22 14:03 UTC] user: Biscuit\n</mainpoint-memory>";
        assert_eq!(recalled_lines(message), ["[2026-11-22 14:03 UTC] user: Biscuit"]);
        assert!(recalled_lines("[1] no block").is_empty());
    }
}
