//! A forwarded prompt beside the one that was sent: which messages stayed with their bytes, and what was put into them.
//!
//! Messages are compared as they are written, so that JSON which no parser takes (a lone surrogate, a number without
//! end) can be compared, too.

use std::collections::HashMap;

use serde_json::value::RawValue;

use crate::prompt::{BLOCK_END, BLOCK_START};

/// What became of a prompt's messages.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Fate {
    /// The messages that were forwarded, as places among those that were sent, in order.
    pub retained: Vec<usize>,
    /// The memory blocks that the proxy wrote into them, as texts.
    pub injected: Vec<String>,
}

/// The messages of a chat completions request with their exact bytes.
///
/// # Panics
/// When the body is no JSON object with a list of messages.
#[must_use]
pub fn raw_messages(body: &[u8]) -> Vec<String> {
    let members: HashMap<String, &RawValue> =
        serde_json::from_slice(body).unwrap_or_else(|error| panic!("{error} in {:?}", String::from_utf8_lossy(body)));
    let messages = members.get("messages").expect("a list of messages").get();
    let messages: Vec<&RawValue> = serde_json::from_str(messages).expect("a list of messages");
    messages.iter().map(|message| message.get().to_owned()).collect()
}

/// Finds every forwarded message among those that were sent, in their order.
///
/// # Panics
/// When one of them is not there with its bytes, a memory block before or behind its content apart.
#[must_use]
pub fn fate(sent: &[String], forwarded: &[String]) -> Fate {
    let mut fate = Fate::default();
    let mut before = sent.len();
    // The newest messages stay, so that of several equal ones the last was meant.
    for message in forwarded.iter().rev() {
        let found = (0..before).rev().find_map(|place| Some((place, injected(&sent[place], message)?)));
        let (place, injected) = found.unwrap_or_else(|| {
            panic!("no message that was sent has the bytes of {message}\nsent were {sent:#?}\nforwarded {forwarded:#?}")
        });
        before = place;
        fate.retained.push(place);
        fate.injected.extend(injected);
    }
    fate.retained.reverse();
    fate.injected.reverse();
    fate
}

/// What was written into a message, nothing for one that is as it was; `None` when something else differs.
fn injected(sent: &str, forwarded: &str) -> Option<Option<String>> {
    if sent == forwarded {
        return Some(None);
    }
    let content = content(sent)?;
    let start = content.as_ptr().addr() - sent.as_ptr().addr();
    let inside = [start + 1, start + content.len() - 1];
    let put_in = |at: usize| {
        let (before, behind) = sent.split_at_checked(at)?;
        written(forwarded.strip_prefix(before)?.strip_suffix(behind)?)
    };
    inside.into_iter().find_map(put_in).map(Some)
}

/// The content of a message as it is written, quotes or brackets included.
fn content(message: &str) -> Option<&str> {
    let members: HashMap<String, &RawValue> = serde_json::from_str(message).ok()?;
    let content = members.get("content")?.get();
    (content.starts_with('"') || content.starts_with('[')).then_some(content)
}

/// The text of one whole block; `None` for anything else.
fn written(piece: &str) -> Option<String> {
    let text = plain(piece)?;
    let text = text.trim();
    (text.starts_with(BLOCK_START) && text.ends_with(BLOCK_END)).then(|| text.to_owned())
}

/// The text of a piece of a JSON string, or of a text part with the comma that joins it to its neighbour.
fn plain(piece: &str) -> Option<String> {
    if let Ok(text) = serde_json::from_str(&format!("\"{piece}\"")) {
        return Some(text);
    }
    let part: serde_json::Value = serde_json::from_str(piece.trim().trim_matches(',')).ok()?;
    (part["type"] == "text").then(|| part["text"].as_str().map(str::to_owned))?
}

#[cfg(test)]
mod tests {
    use super::{Fate, fate, raw_messages};

    fn messages(raw: &[&str]) -> Vec<String> {
        raw.iter().map(|message| (*message).to_owned()).collect()
    }

    #[test]
    fn messages_come_with_their_bytes_whatever_they_hold() {
        let body = r#"{"model":"m", "messages":[ {"a" :1e400},  {"b":"\ud83d"}]}"#;
        assert_eq!(raw_messages(body.as_bytes()), [r#"{"a" :1e400}"#, r#"{"b":"\ud83d"}"#]);
    }

    #[test]
    fn of_equal_messages_the_last_stayed_and_injections_are_told_apart_from_what_was_said() {
        let sent = messages(&[
            r#"{"role":"user", "content": "a"}"#,
            r#"{"role":"tool","content":"x"}"#,
            r#"{"role":"tool","content":"x"}"#,
            r#"{"role":"user", "content": "a <mainpoint-memory>p</mainpoint-memory>"}"#,
        ]);
        let forwarded = messages(&[
            r#"{"role":"tool","content":"x"}"#,
            r#"{"role":"user", "content": "<mainpoint-memory>\nm\n</mainpoint-memory>\n\na <mainpoint-memory>p</mainpoint-memory>"}"#,
        ]);
        let expected =
            Fate { retained: vec![2, 3], injected: messages(&["<mainpoint-memory>\nm\n</mainpoint-memory>"]) };
        assert_eq!(fate(&sent, &forwarded), expected);
    }

    #[test]
    fn a_block_may_be_a_part_of_its_own() {
        let sent = messages(&[r#"{"role":"user","content":[{"type":"image_url"}]}"#]);
        for forwarded in [
            r#"{"role":"user","content":[{"type":"text","text":"<mainpoint-memory>\nm\n</mainpoint-memory>"},{"type":"image_url"}]}"#,
            r#"{"role":"user","content":[{"type":"image_url"},{"type":"text","text":"<mainpoint-memory>\nm\n</mainpoint-memory>"}]}"#,
        ] {
            let injected = fate(&sent, &messages(&[forwarded])).injected;
            assert_eq!(injected, ["<mainpoint-memory>\nm\n</mainpoint-memory>"]);
        }
    }

    #[test]
    #[should_panic(expected = "no message that was sent")]
    fn a_message_with_other_bytes_is_noticed() {
        let sent = messages(&[r#"{"role":"user","content":"a"}"#]);
        let _ = fate(&sent, &messages(&[r#"{"role":"user", "content":"a"}"#]));
    }

    #[test]
    #[should_panic(expected = "no message that was sent")]
    fn words_before_a_message_are_noticed() {
        let sent = messages(&[r#"{"role":"user","content":"a"}"#]);
        let digest = r#"{"role":"user","content":"<mainpoint-digest>\nd\n</mainpoint-digest>\n\na"}"#;
        let _ = fate(&sent, &messages(&[digest]));
    }
}
