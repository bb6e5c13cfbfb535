//! The memory block of a prompt as the upstream received it: what it quotes, how many tokens that takes, and what the receipt
//! says of it.

use mainpoint_tests::prompt::{self, Quote};
use mainpoint_tests::tokens;
use serde::Deserialize;
use serde_json::Value;

/// The block of the last user message.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct MemoryBlock {
    /// What it quotes, in its order; nothing where there is no block.
    pub(crate) quotes: Vec<Quote>,
    pub(crate) tokens: usize,
    /// How many of them are words that were said.
    pub(crate) words: usize,
}

/// What a receipt says of the turns that are quoted, in the order of their quotes.
#[derive(Debug, Clone, Default, Deserialize)]
pub(crate) struct Recalled {
    pub(crate) memories: Vec<Memory>,
}

#[derive(Debug, Clone, Copy, Deserialize)]
pub(crate) struct Memory {
    /// Its place in its conversation.
    pub(crate) position: usize,
    /// How likely mainpoint says it is to answer the question, 0 to 1.
    pub(crate) score: f64,
}

impl MemoryBlock {
    /// The block of a request; an empty one where it has none.
    pub(crate) fn of(request: &Value) -> Self {
        let Some(block) = prompt::memory_block(request) else {
            return Self::default();
        };
        let marks = tokens::count(prompt::BLOCK_START) + tokens::count(prompt::BLOCK_END);
        let quotes = prompt::quotes(&block);
        Self {
            tokens: tokens::count(&block) + marks,
            words: quotes.iter().map(|quote| tokens::count(quote.said())).sum(),
            quotes,
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_prompt_without_a_block_quotes_nothing_and_one_with_a_block_wraps_its_words() {
        let asked = |text: &str| MemoryBlock::of(&json!({"messages": [{"role": "user", "content": text}]}));
        assert_eq!(asked("Which name?"), MemoryBlock::default());
        let block = "<mainpoint-memory>\nExcerpts. #1\n[22 November 2026]\nuser: puppy Biscuit\n</mainpoint-memory>";
        let found = asked(&format!("Which name?\n\n{block}"));
        assert_eq!(found.quotes[0].text, "puppy Biscuit");
        assert!(0 < found.words && found.words < found.tokens, "{found:?}");
    }
}
