//! One message of a request: where it lies, who says it, and what it holds.

use std::ops::Range;

use super::echo::Echo;
use super::raw::Raw;
use crate::openai::attachments::Attachment;
use crate::openai::oddity::Oddity;

/// One message, or one item of a Responses request, and where it lies in the body.
#[derive(Debug, Clone)]
pub(crate) struct Message {
    /// The message's bytes in the body.
    pub(crate) range: Range<usize>,
    /// `system`, `developer`, `user`, `assistant`, `tool` or `function`; empty when it is none of these. A message with results
    /// of tools among its parts is a `tool`'s, whoever the client says brought them.
    pub(crate) role: &'static str,
    /// What kind of content it has and where that lies.
    pub(crate) content: Content,
    /// The content in order.
    pub(crate) parts: Vec<Part>,
    /// Further fields that make the message what it is, by name.
    pub(crate) fields: Vec<(&'static str, Raw)>,
    /// Names of the calls that it makes; one that has no name is empty.
    pub(crate) calls: Vec<String>,
    /// What these calls say in words, if an assistant makes them.
    pub(crate) called: Option<Box<Called>>,
    /// Names of the calls that it answers; empty when that is not said.
    pub(crate) answers: Vec<String>,
    /// Whether it belongs to the message after it, as reasoning does: it has no name and never leaves without it.
    pub(crate) binds_next: bool,
    /// Attachments in its content and its fields.
    pub(crate) attachments: u32,
    /// What is odd about it, so that it stays as it is.
    pub(crate) odd: Option<Box<Odd>>,
    /// What of its text was put in by mainpoint itself, once that is known.
    pub(crate) echo: Echo,
}

/// The calls of a message in words: what is called, and with what.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Called {
    /// A call a line: its name, and its arguments in brackets as they were sent.
    words: String,
}

/// What is odd about a message.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Odd {
    /// Why it stays as it is.
    pub(crate) why: Oddity,
    /// All of it as it was sent.
    pub(crate) raw: Raw,
}

/// Where a message's content lies in the body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Content {
    /// Missing, null, or nothing that text can be added to.
    None,
    /// A string, with its quotes.
    Text(Range<usize>),
    /// An array of parts, with its brackets.
    Parts(Range<usize>),
}

/// One piece of content.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Part {
    /// Text, as sent.
    Text(String),
    /// Anything else, such as an image.
    Other(Other),
}

/// A piece of content that is no text.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Other {
    /// The part as it was sent.
    pub(crate) raw: Raw,
    /// What it is.
    pub(crate) nature: Nature,
}

/// What a part that is no text is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Nature {
    /// A call, or the frame of a result: the model reads its JSON.
    Call,
    /// What was thought or refused on the way: most of it may be encoded.
    Aside,
    /// What the memory cannot quote.
    Attachment(Attachment),
}

/// One piece of content without injected memory.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum OriginalPart<'a> {
    /// Text.
    Text(&'a str),
    /// Anything else.
    Other(&'a Other),
}

impl Message {
    /// Whether the message instructs the model (`system`, `developer`); such messages are never touched and are no memory.
    pub(crate) fn is_instruction(&self) -> bool {
        matches!(self.role, "system" | "developer")
    }

    /// Whether blocks can be put into the message: it is a user's, and its content takes more text.
    pub(crate) fn takes_blocks(&self) -> bool {
        self.role == "user" && self.odd.is_none() && self.content != Content::None
    }

    /// The content without injected memory; text parts that held nothing else are gone.
    pub(crate) fn original_parts(&self) -> impl Iterator<Item = OriginalPart<'_>> {
        self.parts_without(self.echo)
    }

    /// The content without `echo`; text parts that held nothing else are gone.
    pub(crate) fn parts_without(&self, echo: Echo) -> impl Iterator<Item = OriginalPart<'_>> {
        let count = self.parts.len();
        self.parts.iter().enumerate().filter_map(move |(at, part)| match part {
            Part::Text(text) => echo.own(&self.content, text, at, count).map(OriginalPart::Text),
            Part::Other(other) => Some(OriginalPart::Other(other)),
        })
    }

    /// Whether the content holds injected memory, because a client sent it back.
    pub(crate) fn carries_memory(&self) -> bool {
        !self.echo.is_none()
    }

    /// The text without injected memory; text parts are joined by line breaks. An odd message has none, because it cannot be
    /// quoted.
    pub(crate) fn text(&self) -> String {
        let texts: Vec<&str> = self.texts().collect();
        texts.join("\n")
    }

    /// Whether there is text to remember.
    pub(crate) fn has_text(&self) -> bool {
        self.texts().any(|text| !text.trim().is_empty())
    }

    /// The texts that [`Message::text`] joins: what it says, and last what it calls.
    pub(crate) fn texts(&self) -> impl Iterator<Item = &str> {
        let parts = self.original_parts().filter(|_| self.odd.is_none());
        let said = parts.filter_map(|part| match part {
            OriginalPart::Text(text) => Some(text),
            OriginalPart::Other(_) => None,
        });
        said.chain(self.called.iter().filter(|_| self.odd.is_none()).map(|called| called.words.as_str()))
    }

    /// Whether it says nothing but what it calls.
    pub(crate) fn only_calls(&self) -> bool {
        let is_said = |part: OriginalPart<'_>| matches!(part, OriginalPart::Text(text) if !text.trim().is_empty());
        self.called.is_some() && !self.original_parts().any(is_said)
    }

    /// Notes a call in words. Only what an assistant calls is said by somebody.
    pub(super) fn calls_in_words(&mut self, name: &str, arguments: &str) {
        if self.role != "assistant" || name.trim().is_empty() {
            return;
        }
        let words = &mut self.called.get_or_insert_default().words;
        if !words.is_empty() {
            words.push('\n');
        }
        words.push_str(name);
        words.push('(');
        words.push_str(arguments.trim());
        words.push(')');
    }

    /// The message with this text in the place of its content.
    pub(crate) fn with_text(&self, text: &str) -> Self {
        Self {
            content: self.content.clone(),
            parts: vec![Part::Text(text.to_owned())],
            fields: self.fields.clone(),
            calls: self.calls.clone(),
            answers: self.answers.clone(),
            binds_next: self.binds_next,
            ..Self::bare(self.range.clone(), self.role)
        }
    }

    /// A message of which nothing but its place and role is known yet.
    pub(super) fn bare(range: Range<usize>, role: &'static str) -> Self {
        Self {
            range,
            role,
            content: Content::None,
            parts: Vec::new(),
            fields: Vec::new(),
            calls: Vec::new(),
            called: None,
            answers: Vec::new(),
            binds_next: false,
            attachments: 0,
            odd: None,
            echo: Echo::default(),
        }
    }

    /// Gives back what its lists have more than they need: there may be very many messages.
    pub(super) fn shrink(&mut self) {
        self.parts.shrink_to_fit();
        self.fields.shrink_to_fit();
        self.calls.shrink_to_fit();
        self.answers.shrink_to_fit();
    }

    /// Whether nothing is known of it, so that it need not be told from its neighbours of that kind.
    pub(super) fn is_nothing(&self) -> bool {
        let odd = self.odd.as_ref().map(|odd| odd.why);
        matches!(odd, Some(Oddity::NotAnObject | Oddity::NoRole | Oddity::UnknownItem))
            && self.calls.is_empty()
            && self.answers.is_empty()
    }
}

impl From<OriginalPart<'_>> for Part {
    fn from(part: OriginalPart<'_>) -> Self {
        match part {
            OriginalPart::Text(text) => Self::Text(text.to_owned()),
            OriginalPart::Other(other) => Self::Other(other.clone()),
        }
    }
}
