//! Puts the text of choice 0 together from the chunks of a chat completion, or takes it from a whole one.
//!
//! It must not know how the data arrived. Replies that are more than plain text (tool calls, functions, refusals, audio) are
//! left to the next request, which brings them in the client's own form.

use serde::Deserialize;
use serde::de::IgnoredAny;

use super::{LARGEST_REPLY, Verdict};

/// Assembles a streamed reply.
#[derive(Debug, Default)]
pub(super) struct Chunks {
    text: String,
    done: bool,
    finished: bool,
    /// A choice came.
    begun: bool,
    failed: bool,
    unusable: bool,
}

impl Chunks {
    /// Reads the data of one event; what comes after the end does not count.
    pub(super) fn event(&mut self, data: &str) {
        if self.done {
            return;
        }
        if data.trim() == "[DONE]" {
            self.done = true;
            return;
        }
        match serde_json::from_str::<Chunk>(data) {
            Ok(chunk) if chunk.error.is_some() => self.failed = true,
            Ok(chunk) => chunk.choices.into_iter().flatten().for_each(|choice| {
                self.begun = true;
                self.choice(choice);
            }),
            Err(_) => self.unusable = true,
        }
    }

    /// Whether a choice or an error came first, if either came.
    pub(super) fn verdict(&self) -> Option<Verdict> {
        match (self.begun, self.failed) {
            (true, _) => Some(Verdict::Accepted),
            (false, true) => Some(Verdict::Refused),
            (false, false) => None,
        }
    }

    /// Whether `[DONE]` came.
    pub(super) fn is_done(&self) -> bool {
        self.done
    }

    /// How many bytes are kept.
    #[cfg(test)]
    pub(super) fn held(&self) -> usize {
        self.text.len()
    }

    /// The text, if the reply is whole and plain.
    pub(super) fn reply(self) -> Option<String> {
        let whole = (self.done || self.finished) && !self.failed && !self.unusable;
        (whole && !self.text.is_empty()).then_some(self.text)
    }

    fn choice(&mut self, choice: Choice) {
        if choice.index != 0 {
            return;
        }
        self.finished |= choice.finish_reason.is_some();
        let Some(delta) = choice.delta else { return };
        self.unusable |= delta.is_more_than_text();
        if let Some(text) = delta.content {
            if self.text.len() + text.len() > LARGEST_REPLY {
                self.unusable = true;
            } else {
                self.text.push_str(&text);
            }
        }
    }
}

/// The text of a whole `chat.completion`.
pub(super) fn document(bytes: &[u8]) -> Option<String> {
    let chunk: Chunk = serde_json::from_slice(bytes).ok()?;
    if chunk.error.is_some() {
        return None;
    }
    let choice = chunk.choices?.into_iter().find(|choice| choice.index == 0)?;
    let message = choice.message?;
    if message.is_more_than_text() {
        return None;
    }
    message.content.filter(|text| !text.is_empty())
}

/// Whether a document holds an error and no choice.
pub(super) fn is_refusal(bytes: &[u8]) -> bool {
    let chunk = serde_json::from_slice::<Chunk>(bytes);
    chunk.is_ok_and(|chunk| chunk.error.is_some() && chunk.choices.is_none_or(|choices| choices.is_empty()))
}

#[derive(Deserialize)]
struct Chunk {
    choices: Option<Vec<Choice>>,
    error: Option<IgnoredAny>,
}

#[derive(Deserialize)]
struct Choice {
    #[serde(default)]
    index: u64,
    delta: Option<Said>,
    message: Option<Said>,
    finish_reason: Option<IgnoredAny>,
}

#[derive(Deserialize)]
struct Said {
    content: Option<String>,
    tool_calls: Option<Vec<IgnoredAny>>,
    function_call: Option<IgnoredAny>,
    refusal: Option<String>,
    audio: Option<IgnoredAny>,
}

impl Said {
    fn is_more_than_text(&self) -> bool {
        self.tool_calls.as_ref().is_some_and(|calls| !calls.is_empty())
            || self.function_call.is_some()
            || self.refusal.as_ref().is_some_and(|refusal| !refusal.is_empty())
            || self.audio.is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn assembled(events: &[&str]) -> Option<String> {
        let mut assembler = Chunks::default();
        for data in events {
            assembler.event(data);
        }
        assembler.reply()
    }

    #[test]
    fn only_choice_0_counts_and_usage_chunks_are_tolerated() {
        let reply = assembled(&[
            r#"{"choices":[{"index":0,"delta":{"role":"assistant","content":""}}]}"#,
            r#"{"choices":[{"index":1,"delta":{"content":"other"}},{"index":0,"delta":{"content":"a","refusal":null}}]}"#,
            r#"{"choices":[{"delta":{"content":"b"},"finish_reason":"stop"}]}"#,
            r#"{"choices":[],"usage":{"total_tokens":3}}"#,
            "[DONE]",
        ]);
        assert_eq!(reply.as_deref(), Some("ab"));
    }

    #[test]
    fn an_error_refuses_a_request_only_where_no_choice_came_before_it() {
        let (choice, error) = (r#"{"choices":[{"delta":{"content":""}}]}"#, r#"{"error":{"message":"no key"}}"#);
        let verdict = |events: &[&str]| {
            let mut assembler = Chunks::default();
            events.iter().for_each(|data| assembler.event(data));
            assembler.verdict()
        };
        assert_eq!(verdict(&[r#"{"choices":[]}"#]), None);
        assert_eq!(verdict(&[choice, error]), Some(Verdict::Accepted));
        assert_eq!(verdict(&[error, "[DONE]"]), Some(Verdict::Refused));
        assert!(is_refusal(error.as_bytes()));
        assert!(
            !is_refusal(br#"{"choices":[{}],"error":{}}"#) && !is_refusal(br#"{"error":null}"#) && !is_refusal(b"x")
        );
    }

    #[test]
    fn tool_calls_refusals_errors_and_nonsense_give_no_reply() {
        let text = r#"{"choices":[{"delta":{"content":"a"},"finish_reason":"stop"}]}"#;
        for odd in [
            r#"{"choices":[{"delta":{"tool_calls":[{"index":0,"id":"1"}]}}]}"#,
            r#"{"choices":[{"delta":{"refusal":"no"}}]}"#,
            r#"{"error":{"message":"overloaded"}}"#,
            "nonsense",
        ] {
            assert_eq!(assembled(&[text, odd, "[DONE]"]), None, "{odd}");
        }
        assert_eq!(assembled(&[text]).as_deref(), Some("a"));
        assert_eq!(assembled(&[text, "[DONE]", "nonsense"]).as_deref(), Some("a"));
    }
}
