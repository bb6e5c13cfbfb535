//! Watches a reply pass by and, when it is whole, hands its text over.
//!
//! It must not change a byte of a reply nor know what becomes of its text. What it cannot read it leaves alone: the next
//! request of the conversation brings the reply again.

mod completion;
#[cfg(test)]
mod recorded_tests;
mod response;
pub(super) mod sse;
#[cfg(test)]
mod tests;
mod usage;

use super::request::Surface;
use sse::Framer;

/// Reads a copy of a reply.
#[derive(Debug)]
pub(crate) enum ReplyParser {
    /// A stream of events.
    Events(Events),
    /// One JSON document.
    Document(Document),
    /// Nothing is read.
    Blind,
}

/// What the upstream thinks of a request, whatever its status says: some services answer 200 and then tell an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// The reply has begun.
    Accepted,
    /// An error came instead.
    Refused,
}

/// Reads a stream of events.
#[derive(Debug)]
pub(crate) struct Events {
    framer: Framer,
    /// Reads the data of one event.
    read: fn(&mut Assembled, &str),
    reply: Assembled,
}

/// A streamed reply, as far as its events have come.
#[derive(Debug, Default)]
struct Assembled {
    text: String,
    /// Which part of which item of a response the text is.
    place: Option<(u64, u64)>,
    /// The number that the next event of a response has.
    next_number: u64,
    /// How many tokens the prompt has, as it said last.
    prompt_tokens: Option<u64>,
    /// A choice or an item came.
    begun: bool,
    /// An error came.
    failed: bool,
    /// The text is all of it.
    whole: bool,
    /// Nothing that comes now counts.
    done: bool,
    /// It is more than one plain text, or cannot be read.
    unusable: bool,
    /// No text is put together.
    without_text: bool,
}

/// Collects a `chat.completion` or `response` document.
#[derive(Debug, Default)]
pub(crate) struct Document {
    bytes: Vec<u8>,
    overflowed: bool,
}

impl ReplyParser {
    /// Reads a stream as `surface` has it.
    pub(crate) fn events(surface: Surface) -> Self {
        let read = match surface {
            Surface::ChatCompletions => completion::event,
            Surface::Responses => response::event,
        };
        Self::Events(Events { framer: Framer::default(), read, reply: Assembled::default() })
    }

    /// Reads the next bytes.
    pub(crate) fn push(&mut self, bytes: &[u8]) {
        match self {
            Self::Events(events) => events.framer.push(bytes, |data| events.reply.event(events.read, data)),
            Self::Document(document) => {
                if document.bytes.len() + bytes.len() > LARGEST_DOCUMENT {
                    document.overflowed = true;
                    document.bytes = Vec::new();
                } else if !document.overflowed {
                    document.bytes.extend_from_slice(bytes);
                }
            }
            Self::Blind => {}
        }
    }

    /// How many bytes are kept of the reply.
    pub(crate) fn held(&self) -> usize {
        match self {
            Self::Events(events) => events.framer.held() + events.reply.text.len(),
            Self::Document(document) => document.bytes.len(),
            Self::Blind => 0,
        }
    }

    /// Puts no text together, since nobody wants it.
    pub(crate) fn read_no_text(&mut self) {
        if let Self::Events(events) = self {
            events.reply.read_no_text();
        }
    }

    /// Keeps no copy of the reply from now on, so that it has no text; how it ends is still told.
    pub(crate) fn give_up(&mut self) {
        match self {
            Self::Events(events) => {
                events.framer.keep_little();
                events.reply.read_no_text();
            }
            Self::Document(document) => (document.overflowed, document.bytes) = (true, Vec::new()),
            Self::Blind => {}
        }
    }

    /// What the upstream thinks of the request, as soon as that is known. A document says so at its end.
    pub(crate) fn verdict(&self) -> Option<Verdict> {
        match self {
            Self::Events(events) => events.reply.verdict(),
            Self::Document(_) => None,
            Self::Blind => Some(Verdict::Accepted),
        }
    }

    /// The same, when nothing more can come; what is not known is accepted.
    pub(crate) fn last_verdict(&self) -> Verdict {
        match self {
            Self::Document(document)
                if completion::is_refusal(&document.bytes) && response::is_refusal(&document.bytes) =>
            {
                Verdict::Refused
            }
            Self::Events(_) | Self::Document(_) | Self::Blind => self.verdict().unwrap_or(Verdict::Accepted),
        }
    }

    /// Whether the reply is known to be over: a stream said so.
    pub(crate) fn is_done(&self) -> bool {
        match self {
            Self::Events(events) => events.reply.done,
            Self::Document(_) | Self::Blind => false,
        }
    }

    /// Reads what an unfinished last line holds; call it at the end of the body.
    pub(crate) fn finish(&mut self) {
        if let Self::Events(events) = self {
            events.framer.finish(|data| events.reply.event(events.read, data));
        }
    }

    /// The text of the reply (of choice 0), if it is whole, plain text and nothing else. Gives it once. One with U+0000 is none, as
    /// the message is odd that brings it back.
    pub(crate) fn take_reply(&mut self) -> Option<String> {
        self.take_text().filter(|text| !text.contains('\0'))
    }

    fn take_text(&mut self) -> Option<String> {
        match std::mem::replace(self, Self::Blind) {
            Self::Events(events) if !events.framer.has_overflowed() => events.reply.whole_text(),
            Self::Document(document) if !document.overflowed => {
                completion::document(&document.bytes).or_else(|| response::document(&document.bytes))
            }
            _ => None,
        }
    }

    /// How many tokens the prompt has, as far as the reply has said so without an error. Ask before the reply is taken.
    pub(crate) fn prompt_tokens(&self) -> Option<u64> {
        match self {
            Self::Events(events) => events.reply.prompt_tokens.filter(|_| !events.reply.failed),
            Self::Document(document) => usage::prompt_tokens(std::str::from_utf8(&document.bytes).ok()?),
            Self::Blind => None,
        }
    }

    /// Whether the bytes so far end between two events, so that another event may follow.
    pub(crate) fn is_between_events(&self) -> bool {
        match self {
            Self::Events(events) => events.framer.is_between_events(),
            Self::Document(_) | Self::Blind => false,
        }
    }

    /// The number that the next event of a Responses stream has; 0 for every other reply.
    pub(crate) fn next_number(&self) -> u64 {
        match self {
            Self::Events(events) => events.reply.next_number,
            Self::Document(_) | Self::Blind => 0,
        }
    }
}

impl Assembled {
    /// Reads the data of one event; what comes after the end does not count.
    fn event(&mut self, read: fn(&mut Self, &str), data: &str) {
        if !self.done {
            read(self, data);
            if self.without_text {
                self.text = String::new();
            }
            self.prompt_tokens = usage::prompt_tokens(data).or(self.prompt_tokens);
        }
    }

    fn add(&mut self, text: &str) {
        if self.text.len() + text.len() > LARGEST_REPLY {
            self.unusable = true;
        } else {
            self.text.push_str(text);
        }
    }

    fn read_no_text(&mut self) {
        (self.without_text, self.unusable, self.text) = (true, true, String::new());
    }

    fn fail(&mut self) {
        self.failed = true;
        self.unusable = true;
    }

    /// Whether the reply began or an error came first, if either came.
    fn verdict(&self) -> Option<Verdict> {
        match (self.begun, self.failed) {
            (true, _) => Some(Verdict::Accepted),
            (false, true) => Some(Verdict::Refused),
            (false, false) => None,
        }
    }

    /// The text, if the reply is whole and plain.
    fn whole_text(self) -> Option<String> {
        (self.whole && !self.unusable && !self.text.is_empty()).then_some(self.text)
    }
}

const LARGEST_DOCUMENT: usize = 8 << 20;

/// A longer text is not put together.
const LARGEST_REPLY: usize = 4 << 20;
