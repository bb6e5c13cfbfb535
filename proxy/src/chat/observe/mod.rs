//! Watches a reply pass by and, when it is whole, hands its text over.
//!
//! It must not change a byte of a reply nor know what becomes of its text. What it cannot read it leaves alone: the next
//! request of the conversation brings the reply again.

mod assemble;
mod sse;
mod watched;

pub(crate) use watched::{OnReply, Reply, Watched};

use assemble::Assembler;
use sse::Framer;

/// Reads a copy of a reply.
#[derive(Debug)]
pub(crate) enum Observer {
    /// A stream of events.
    Events(Events),
    /// One JSON document.
    Document(Document),
    /// Nothing is read.
    Blind,
}

/// Reads a stream of `chat.completion.chunk` events.
#[derive(Debug, Default)]
pub(crate) struct Events {
    framer: Framer,
    assembler: Assembler,
}

/// Collects a `chat.completion` document.
#[derive(Debug, Default)]
pub(crate) struct Document {
    bytes: Vec<u8>,
    overflowed: bool,
}

impl Observer {
    /// Reads the next bytes.
    pub(crate) fn push(&mut self, bytes: &[u8]) {
        match self {
            Self::Events(events) => {
                let assembler = &mut events.assembler;
                events.framer.push(bytes, |data| assembler.event(data));
            }
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

    /// Whether the reply is known to be over: a stream said `[DONE]`.
    pub(crate) fn is_done(&self) -> bool {
        matches!(self, Self::Events(events) if events.assembler.is_done())
    }

    /// Reads what an unfinished last line holds; call it at the end of the body.
    pub(crate) fn finish(&mut self) {
        if let Self::Events(events) = self {
            let assembler = &mut events.assembler;
            events.framer.finish(|data| assembler.event(data));
        }
    }

    /// The text of choice 0, if the reply is whole, plain text and nothing else. Gives it once.
    pub(crate) fn take_reply(&mut self) -> Option<String> {
        match std::mem::replace(self, Self::Blind) {
            Self::Events(events) if !events.framer.has_overflowed() => events.assembler.reply(),
            Self::Document(document) if !document.overflowed => assemble::document(&document.bytes),
            _ => None,
        }
    }

    /// Whether the bytes so far end between two events, so that another event may follow.
    pub(crate) fn is_between_events(&self) -> bool {
        match self {
            Self::Events(events) => events.framer.is_between_events(),
            Self::Document(_) | Self::Blind => false,
        }
    }
}

const LARGEST_DOCUMENT: usize = 8 << 20;

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests fail loudly")]
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn observe(pieces: &[&[u8]]) -> Observer {
        let mut observer = Observer::Events(Events::default());
        for piece in pieces {
            observer.push(piece);
        }
        observer.finish();
        observer
    }

    fn stream(texts: &[String], line_break: &str) -> Vec<u8> {
        let mut bytes = format!(": keep-alive{line_break}{line_break}");
        for text in texts {
            let chunk = json!({"choices": [{"index": 0, "delta": {"content": text}, "finish_reason": null}]});
            bytes.push_str(&format!(
                "event: message{line_break}data: {chunk}{line_break}{line_break}"
            ));
        }
        let last = json!({"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]});
        bytes.push_str(&format!(
            "data:{last}{line_break}{line_break}data: [DONE]{line_break}{line_break}"
        ));
        bytes.into_bytes()
    }

    proptest! {
        #[test]
        fn a_reply_is_the_same_however_its_bytes_are_cut(
            texts in prop::collection::vec("\\PC{0,6}", 1..6),
            line_break in prop::sample::select(vec!["\n", "\r\n", "\r"]),
            cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..12),
        ) {
            let bytes = stream(&texts, line_break);
            let mut places: Vec<usize> = cuts.iter().map(|cut| cut.index(bytes.len())).collect();
            places.extend([0, bytes.len()]);
            places.sort_unstable();
            let pieces: Vec<&[u8]> = places.windows(2).map(|pair| &bytes[pair[0]..pair[1]]).collect();
            let mut observer = observe(&pieces);
            prop_assert!(observer.is_done() && observer.is_between_events());
            let expected = texts.concat();
            prop_assert_eq!(observer.take_reply(), (!expected.is_empty()).then_some(expected));
        }

        #[test]
        fn a_stream_that_breaks_off_gives_no_reply(
            texts in prop::collection::vec("\\PC{1,6}", 1..4), cut in any::<prop::sample::Index>(),
        ) {
            let bytes = stream(&texts, "\n");
            let end_of_content = bytes.len() - "data: [DONE]\n\n".len() - 70;
            let mut observer = observe(&[&bytes[..cut.index(end_of_content)]]);
            prop_assert_eq!(observer.take_reply(), None);
        }
    }

    #[test]
    fn a_document_gives_its_text_and_a_call_gives_none() {
        let mut plain = Observer::Document(Document::default());
        plain
            .push(br#"{"choices":[{"index":0,"message":{"role":"assistant","content":"hi"},"finish_reason":"stop"}]}"#);
        assert_eq!(plain.take_reply().unwrap(), "hi");
        let mut call = Observer::Document(Document::default());
        call.push(br#"{"choices":[{"index":0,"message":{"content":"hi","tool_calls":[{"id":"1"}]}}]}"#);
        assert_eq!(call.take_reply(), None);
        let mut broken = Observer::Document(Document::default());
        broken.push(br#"{"choices":[{"index":0,"message":{"content":"hi""#);
        assert_eq!(broken.take_reply(), None);
    }

    #[test]
    fn an_error_event_gives_no_reply() {
        let mut observer = observe(&[b"data: {\"error\":{\"message\":\"x\"}}\n\n"]);
        assert_eq!(observer.take_reply(), None);
    }
}
