//! How much of a message was put into it by mainpoint itself, and what of it is its own.

use super::Content;

/// How much of a message's text was put in.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Echo {
    /// Bytes at the beginning of its first part.
    head: usize,
    /// Bytes at the end of its last part.
    tail: usize,
}

impl Echo {
    /// So many bytes at the beginning of the first part, and at the end of the last one.
    pub(crate) fn new(head: usize, tail: usize) -> Self {
        Self { head, tail }
    }

    /// Bytes that were put in.
    pub(crate) fn length(self) -> usize {
        self.head + self.tail
    }

    /// Whether nothing was put in.
    pub(crate) fn is_none(self) -> bool {
        self == Self::default()
    }

    /// What a message's part number `at` of `count` says itself. `None` when the part was put in as a whole.
    pub(crate) fn own<'a>(self, content: &Content, text: &'a str, at: usize, count: usize) -> Option<&'a str> {
        let start = if at == 0 { self.head } else { 0 };
        let tail = if at + 1 == count { self.tail } else { 0 };
        let own = text.get(start..text.len().saturating_sub(tail)).unwrap_or_default();
        let put_in = own.is_empty() && start + tail > 0 && matches!(content, Content::Parts(_));
        (!put_in).then_some(own)
    }
}
