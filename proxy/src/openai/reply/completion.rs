//! Puts the text of choice 0 together from the chunks of a chat completion, or takes it from a whole one.
//!
//! Replies that are more than plain text (tool calls, functions, refusals, audio) are left to the next request, which
//! brings them in the client's own form.

use serde::Deserialize;
use serde::de::IgnoredAny;

use super::Assembled;

/// Reads the data of one event.
pub(super) fn event(reply: &mut Assembled, data: &str) {
    if data.trim() == "[DONE]" {
        (reply.done, reply.whole) = (true, true);
        return;
    }
    match serde_json::from_str::<Chunk>(data) {
        Ok(chunk) if chunk.error.is_some() => reply.fail(),
        Ok(chunk) => chunk.choices.into_iter().flatten().for_each(|choice| {
            reply.begun = true;
            add(reply, choice);
        }),
        Err(_) => reply.unusable = true,
    }
}

fn add(reply: &mut Assembled, choice: Choice) {
    if choice.index != 0 {
        return;
    }
    reply.whole |= choice.finish_reason.is_some();
    let Some(delta) = choice.delta else { return };
    reply.unusable |= delta.is_more_than_text();
    if let Some(text) = delta.content {
        reply.add(&text);
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
    use super::super::Verdict;
    use super::*;

    fn read(events: &[&str]) -> Assembled {
        let mut reply = Assembled::default();
        events.iter().for_each(|data| reply.event(event, data));
        reply
    }

    fn assembled(events: &[&str]) -> Option<String> {
        read(events).whole_text()
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
        let verdict = |events: &[&str]| read(events).verdict();
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
