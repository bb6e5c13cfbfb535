//! However a reply is cut on its way, and however its lines end, the same is read of it.

use bytes::Bytes;

use super::{bits_of, pieces};
use crate::openai::recall_tool::{self, DocumentAnswer, StreamedAnswer, Usage};
use crate::openai::reply::{Document, ReplyParser, Verdict};
use crate::openai::request::Surface;

pub(super) fn streams(bytes: &[u8]) {
    let cut = pieces(bytes, bits_of(bytes));
    let single: Vec<&[u8]> = bytes.chunks(1).collect();
    let plain = rewritten(bytes);
    for surface in [Surface::ChatCompletions, Surface::Responses] {
        let new = || ReplyParser::events(surface);
        let whole = Seen::new(new(), &[bytes]);
        assert_eq!(Seen::new(new(), &single), whole, "byte by byte");
        assert_eq!(Seen::new(new(), &cut), whole, "in {cut:?}");
        assert_eq!(Seen::new(new(), &[plain.as_bytes()]), whole, "as {plain:?}");
    }
    let document = || ReplyParser::Document(Document::default());
    assert_eq!(Seen::new(document(), &cut), Seen::new(document(), &[bytes]));
    assert_eq!(passed(&cut), passed(&[bytes]));
    let read = |is_last| recall_tool::read(Bytes::copy_from_slice(bytes), &mut Usage::default(), is_last);
    assert!(matches!(read(true), DocumentAnswer::Final(_)), "the last answer is the client's");
    if let DocumentAnswer::Final(passed) = read(false) {
        let is_json = |bytes: &[u8]| serde_json::from_slice::<serde::de::IgnoredAny>(bytes).is_ok();
        assert!(is_json(&passed) || !is_json(bytes), "{passed:?}");
    }
}

/// What a parser knows at the end.
#[derive(Debug, PartialEq)]
struct Seen {
    verdict: Option<Verdict>,
    last_verdict: Verdict,
    is_done: bool,
    prompt_tokens: Option<u64>,
    next_number: u64,
    reply: Option<String>,
}

impl Seen {
    fn new(mut parser: ReplyParser, pieces: &[&[u8]]) -> Self {
        pieces.iter().for_each(|piece| parser.push(piece));
        parser.finish();
        Self {
            verdict: parser.verdict(),
            last_verdict: parser.last_verdict(),
            is_done: parser.is_done(),
            prompt_tokens: parser.prompt_tokens(),
            next_number: parser.next_number(),
            reply: parser.take_reply(),
        }
    }
}

/// What passes to the client of an answer to a request that offered our tool, and whether it asks the memory.
fn passed(pieces: &[&[u8]]) -> (Vec<u8>, bool) {
    let mut answer = StreamedAnswer::default();
    let mut passed = Vec::new();
    for piece in pieces {
        passed.extend_from_slice(&answer.push(piece));
    }
    passed.extend_from_slice(&answer.finish());
    (passed, answer.take_question().is_some())
}

/// The events of a stream, each read as the standard says, in one form.
fn rewritten(bytes: &[u8]) -> String {
    let bytes = bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(bytes);
    let (mut events, mut open, mut after_return) = (String::new(), false, false);
    for line in bytes.split_inclusive(|byte| matches!(byte, b'\n' | b'\r')) {
        // The second half of one end of a line.
        if std::mem::take(&mut after_return) && line == b"\n" {
            continue;
        }
        after_return = line.ends_with(b"\r");
        let line = String::from_utf8_lossy(line);
        let line = line.strip_suffix(['\n', '\r']).unwrap_or(&line);
        let (field, value) = line.split_once(':').unwrap_or((line, ""));
        if line.is_empty() && std::mem::take(&mut open) {
            events.push('\n');
        } else if field == "data" && !line.is_empty() {
            open = true;
            events.push_str("data: ");
            events.push_str(value.strip_prefix(' ').unwrap_or(value));
            events.push('\n');
        }
    }
    events
}
