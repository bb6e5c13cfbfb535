//! A streamed answer, event by event: what passes on to the client, and what is our tool's.
//!
//! An event that needs no change passes byte for byte.

mod delta;

use bytes::Bytes;

use self::delta::{Delta, Pass};
use super::calls::Asked;
use super::splicing::Envelope;
use super::usage::Usage;
use crate::openai::reply::sse::Framer;

/// The answers of a tool loop as the client sees them: one stream with one id and one beginning.
#[derive(Debug, Default)]
pub(crate) struct StreamedAnswer {
    framer: Framer,
    /// The bytes of an event that has not ended yet.
    event: Vec<u8>,
    /// The present answer.
    answer: Delta,
    /// It said that it is over.
    is_done: bool,
    /// An error came with it, or an event that is too large to be read.
    is_failed: bool,
    /// Calls of our tool are not answered any more.
    is_last: bool,
    /// The id that the first event had, as JSON.
    id: Option<Vec<u8>>,
    usage: Usage,
}

impl StreamedAnswer {
    /// Reads the next bytes of the present answer, and gives what passes on of them and of those before.
    pub(crate) fn push(&mut self, bytes: &[u8]) -> Bytes {
        let mut out = Vec::new();
        for line in bytes.split_inclusive(|byte| matches!(byte, b'\n' | b'\r')) {
            let mut data = None;
            self.event.extend_from_slice(line);
            self.framer.push(line, |event| data = Some(event.to_owned()));
            self.is_failed |= self.framer.has_overflowed();
            if self.framer.is_between_events() || self.framer.has_overflowed() {
                self.pass(data.as_deref(), &mut out);
            }
        }
        out.into()
    }

    /// The present answer has no more bytes; gives what is left of it.
    pub(crate) fn finish(&mut self) -> Bytes {
        let (mut data, mut out) = (None, Vec::new());
        self.framer.finish(|event| data = Some(event.to_owned()));
        self.pass(data.as_deref(), &mut out);
        out.into()
    }

    /// Whether the present answer said that it is over.
    pub(crate) fn is_done(&self) -> bool {
        self.is_done
    }

    /// What the present answer, which is over, asks of the memory instead of answering. Another answer follows then.
    pub(crate) fn take_question(&mut self) -> Option<Asked> {
        if !self.asks() {
            return None;
        }
        let (begun, answer) = (self.answer.has_begun, std::mem::take(&mut self.answer));
        self.answer.has_begun = begun;
        self.answer.follows = true;
        (self.framer, self.event, self.is_done) = (Framer::default(), Vec::new(), false);
        self.usage.end_answer();
        Some(answer.asked())
    }

    /// From the next answer on no call of our tool is answered.
    pub(crate) fn expect_last(&mut self) {
        self.is_last = true;
    }

    fn asks(&self) -> bool {
        let is_over = self.is_done || self.answer.has_ended;
        is_over && self.answer.calls_only_ours() && !self.is_last && !self.is_failed
    }

    /// Lets the event that has ended pass, as far as it is the client's.
    fn pass(&mut self, data: Option<&str>, out: &mut Vec<u8>) {
        let event = std::mem::take(&mut self.event);
        match data.map(|data| self.read(data)) {
            None | Some(Pass::Untouched) => out.extend_from_slice(&event),
            Some(Pass::Instead(data)) => {
                out.extend_from_slice(b"data: ");
                out.extend_from_slice(&data);
                out.extend_from_slice(b"\n\n");
            }
            Some(Pass::Nothing) => {}
        }
    }

    fn read(&mut self, data: &str) -> Pass {
        if data.trim() == "[DONE]" {
            self.is_done = true;
            return if self.asks() { Pass::Nothing } else { Pass::Untouched };
        }
        let Some(envelope) = Envelope::new(data.as_bytes()) else {
            return Pass::Untouched;
        };
        if envelope.raw("error").is_some() {
            self.is_failed = true;
            return Pass::Untouched;
        }
        let mut changes = Vec::new();
        match (envelope.raw("id"), &self.id) {
            (Some(id), Some(first)) if self.answer.follows && first.as_slice() != id => {
                changes.push(("id", first.clone()));
            }
            (Some(id), None) if id != b"\"\"" => self.id = Some(id.to_vec()),
            _ => {}
        }
        if let Some(total) = envelope.value("usage").and_then(|told| self.usage.note(told)) {
            changes.push(("usage", total.to_string().into_bytes()));
        }
        if let Some(choices) = envelope.value("choices") {
            match self.answer.read(choices, self.is_last) {
                Pass::Nothing => return Pass::Nothing,
                Pass::Instead(choices) => changes.push(("choices", choices)),
                // What comes after the end of a choice belongs to a client that has seen the choice.
                Pass::Untouched if self.asks() => return Pass::Nothing,
                Pass::Untouched => {}
            }
        }
        if changes.is_empty() { Pass::Untouched } else { Pass::Instead(envelope.with(changes)) }
    }
}

#[cfg(test)]
mod tests;
