//! Writes the new body by splicing the old one: untouched messages and fields keep their exact bytes.
//!
//! It must not know why a message leaves or what is added.

use std::collections::BTreeSet;
use std::ops::Range;

use bytes::{Bytes, BytesMut};
use serde_json::{Value, json};

use super::block::{self, SEPARATOR};
use super::parse::{ChatRequest, Content, Message, Part};

/// The request's body without the messages in `dropped`, and with `block` at the end of the message `at`.
///
/// `None` when that message's content can take no text, or when nothing would be left.
pub(crate) fn rewrite(request: &ChatRequest, dropped: &BTreeSet<usize>, added: Option<(usize, &str)>) -> Option<Bytes> {
    let body = &request.body;
    let kept: Vec<usize> = (0..request.messages.len())
        .filter(|index| !dropped.contains(index))
        .collect();
    let first = *kept.first()?;
    let mut out = BytesMut::with_capacity(body.len() + added.map_or(0, |(_, block)| 2 * block.len()));
    out.extend_from_slice(body.get(..request.messages.first()?.range.start)?);
    for index in kept {
        let message = request.messages.get(index)?;
        if index != first {
            out.extend_from_slice(body.get(gap_before(request, index)?)?);
        }
        match added {
            Some((at, block)) if at == index => append(&mut out, request, message, block)?,
            _ => out.extend_from_slice(body.get(message.range.clone())?),
        }
    }
    // What stood after the last message: white space and the rest of the request.
    out.extend_from_slice(body.get(request.messages.last()?.range.end..)?);
    Some(out.freeze())
}

/// The comma and white space before a message.
fn gap_before(request: &ChatRequest, index: usize) -> Option<Range<usize>> {
    let before = request.messages.get(index.checked_sub(1)?)?;
    Some(before.range.end..request.messages.get(index)?.range.start)
}

/// The message with `block` inserted before the closing quote or bracket of its content.
fn append(out: &mut BytesMut, request: &ChatRequest, message: &Message, block: &str) -> Option<()> {
    if message.carries_memory() {
        return replace(out, request, message, block);
    }
    let (place, insertion) = match &message.content {
        Content::None => return None,
        Content::Text(place) => (place, escaped(&format!("{SEPARATOR}{block}"))),
        Content::Parts(place) => {
            let part = text_part(block).to_string();
            (
                place,
                if message.parts.is_empty() {
                    part
                } else {
                    format!(",{part}")
                },
            )
        }
    };
    let closing = place.end.checked_sub(1)?;
    out.extend_from_slice(request.body.get(message.range.start..closing)?);
    out.extend_from_slice(insertion.as_bytes());
    out.extend_from_slice(request.body.get(closing..message.range.end)?);
    Some(())
}

/// A client that sends an injected block back gets the new one in its place. The content is written anew then; the
/// message's other fields keep their bytes.
fn replace(out: &mut BytesMut, request: &ChatRequest, message: &Message, block: &str) -> Option<()> {
    let (place, content) = match &message.content {
        Content::None => return None,
        Content::Text(place) => (place, Value::from(format!("{}{SEPARATOR}{block}", message.text()))),
        Content::Parts(place) => {
            let mut parts: Vec<Value> = serde_json::from_slice(request.slice(place)).ok()?;
            parts.retain_mut(|part| {
                let is_text = part.get("type").is_some_and(|kind| kind == "text");
                let Some(Value::String(text)) = part.get_mut("text").filter(|_| is_text) else {
                    return true;
                };
                let own = block::strip(text).len();
                let untouched = own == text.len();
                text.truncate(own);
                untouched || !text.is_empty()
            });
            parts.push(text_part(block));
            (place, Value::from(parts))
        }
    };
    out.extend_from_slice(request.body.get(message.range.start..place.start)?);
    out.extend_from_slice(content.to_string().as_bytes());
    out.extend_from_slice(request.body.get(place.end..message.range.end)?);
    Some(())
}

fn text_part(text: &str) -> Value {
    json!({"type": "text", "text": text})
}

/// The message as the model will see it once `block` is appended; `None` when its content can take no text.
pub(crate) fn appended(message: &Message, block: &str) -> Option<Message> {
    let mut longer = message.clone();
    longer.parts = message.original_parts().map(Part::from).collect();
    match &message.content {
        Content::None => return None,
        Content::Text(_) => longer.parts = vec![Part::Text(format!("{}{SEPARATOR}{block}", message.text()))],
        Content::Parts(_) => longer.parts.push(Part::Text(block.to_owned())),
    }
    Some(longer)
}

/// `text` as the inside of a JSON string.
fn escaped(text: &str) -> String {
    let quoted = Value::from(text).to_string();
    quoted.get(1..quoted.len() - 1).unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests fail loudly")]
    use proptest::prelude::*;

    use super::super::parse::tests::parsed;
    use super::super::units::tests::conversation;
    use super::*;

    const ODD: &str = "{\"model\":\"m\",\"temperature\":1.0e-0, \"messages\" :[\n {\"role\":\"system\",\"content\":\"s\"} ,\t{\"content\":\"\\u0061\",\"role\":\"user\"},{\"role\":\"assistant\",\"content\":\"b\"}  , {\"role\":\"user\",\"content\":\"c\",\"x\":1.50} ],\"seed\":12345678901234567890}";

    proptest! {
        #[test]
        fn a_rewriting_that_changes_nothing_gives_the_same_bytes(
            messages in conversation(), spaces in "[ \n\t]{0,3}",
        ) {
            let mut body = format!("{{{spaces}\"messages\"{spaces}:{spaces}[{spaces}");
            let joined: Vec<String> = messages.iter().map(ToString::to_string).collect();
            body.push_str(&joined.join(&format!("{spaces},{spaces}")));
            body.push_str(&format!("{spaces}]{spaces},\"top_p\":0.10}}"));
            let request = parsed(&body);
            let rewritten = rewrite(&request, &BTreeSet::new(), None);
            match rewritten {
                Some(bytes) => prop_assert_eq!(bytes, body.as_bytes()),
                None => prop_assert!(messages.is_empty()),
            }
        }

        #[test]
        fn kept_messages_keep_their_bytes_and_order(messages in conversation(), mask in any::<u32>()) {
            let request = parsed(&json!({"messages": messages, "seed": 1}).to_string());
            let dropped: BTreeSet<usize> = (0..messages.len()).filter(|index| mask >> index & 1 == 1).collect();
            if let Some(bytes) = rewrite(&request, &dropped, None) {
                let again = ChatRequest::parse(bytes).unwrap();
                let slices: Vec<&[u8]> = again.messages.iter().map(|message| again.slice(&message.range)).collect();
                let expected: Vec<&[u8]> = (0..messages.len())
                    .filter(|index| !dropped.contains(index))
                    .map(|index| request.slice(&request.messages[index].range))
                    .collect();
                prop_assert_eq!(slices, expected);
            } else {
                prop_assert_eq!(dropped.len(), messages.len());
            }
        }

        #[test]
        fn an_added_block_arrives_as_it_was_written(own in "\\PC{0,20}", block in "(\\PC|\n|\"|\\\\){0,40}", parts: bool) {
            let content = if parts { json!([{"type": "text", "text": own}]) } else { json!(own) };
            let request = parsed(&json!({"messages": [{"role": "user", "content": content}]}).to_string());
            let bytes = rewrite(&request, &BTreeSet::new(), Some((0, &block))).unwrap();
            let again = ChatRequest::parse(bytes).unwrap();
            let expected = appended(&request.messages[0], &block).unwrap();
            prop_assert_eq!(&again.messages[0].parts, &expected.parts);
        }
    }

    #[test]
    fn spelling_and_white_space_of_everything_else_survive() {
        let request = parsed(ODD);
        let bytes = rewrite(&request, &[1, 2].into(), Some((3, "B"))).unwrap();
        assert_eq!(
            std::str::from_utf8(&bytes).unwrap(),
            "{\"model\":\"m\",\"temperature\":1.0e-0, \"messages\" :[\n {\"role\":\"system\",\"content\":\"s\"}  , {\"role\":\"user\",\"content\":\"c\\n\\nB\",\"x\":1.50} ],\"seed\":12345678901234567890}"
        );
    }

    #[test]
    fn a_block_becomes_the_last_part_of_an_array() {
        let request = parsed(
            r#"{"messages":[{"role":"user","content":[ ]},{"role":"user","content":[{"type":"text","text":"a"}]}]}"#,
        );
        let empty = rewrite(&request, &[1].into(), Some((0, "B"))).unwrap();
        assert_eq!(
            empty,
            r#"{"messages":[{"role":"user","content":[ {"text":"B","type":"text"}]}]}"#.replace(
                r#"{"text":"B","type":"text"}"#,
                &json!({"type": "text", "text": "B"}).to_string()
            )
        );
        let last = rewrite(&request, &[0].into(), Some((1, "B"))).unwrap();
        let value: Value = serde_json::from_slice(&last).unwrap();
        assert_eq!(value["messages"][0]["content"][1], json!({"type": "text", "text": "B"}));
    }

    #[test]
    fn a_block_that_a_client_sends_back_is_replaced() {
        let old = block::render(&["[2026-11-22 14:03 UTC] user: old".to_owned()]);
        let new = block::render(&["[2026-11-22 14:04 UTC] user: new".to_owned()]);
        let parts = json!([{"type": "text", "text": "a", "cache_control": 1}, {"type": "text", "text": old}]);
        for (content, expected) in [
            (json!(format!("a\n\n{old}")), json!(format!("a\n\n{new}"))),
            (
                parts,
                json!([{"type": "text", "text": "a", "cache_control": 1}, {"type": "text", "text": new}]),
            ),
        ] {
            let request = parsed(&json!({"messages": [{"role": "user", "content": content, "x": 1}]}).to_string());
            let bytes = rewrite(&request, &BTreeSet::new(), Some((0, &new))).unwrap();
            let value: Value = serde_json::from_slice(&bytes).unwrap();
            assert_eq!(
                value["messages"][0],
                json!({"role": "user", "content": expected, "x": 1})
            );
            let again = ChatRequest::parse(bytes).unwrap();
            assert_eq!(
                again.messages[0].parts,
                appended(&request.messages[0], &new).unwrap().parts
            );
        }
    }

    #[test]
    fn a_message_without_content_takes_no_block() {
        let request = parsed(r#"{"messages":[{"role":"user"}]}"#);
        assert_eq!(rewrite(&request, &BTreeSet::new(), Some((0, "B"))), None);
    }
}
