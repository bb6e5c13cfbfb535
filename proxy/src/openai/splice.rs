//! Writes the new body by splicing the old one: untouched messages and fields keep their exact bytes.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use bytes::{Bytes, BytesMut};
use serde_json::Value;

use super::block::{SEPARATOR, was_put_behind};
use super::request::{ChatRequest, Content, Echo, Message, Part};
use super::results;

/// What changes in a request.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Edits {
    /// Indices of the messages that leave.
    pub(crate) dropped: BTreeSet<usize>,
    /// The texts that take the place of tools' results, by their index.
    pub(crate) replaced: BTreeMap<usize, String>,
    /// The blocks that are put into the content of messages, by their index.
    pub(crate) blocks: BTreeMap<usize, String>,
}

/// The request's body with `edits` made.
///
/// `None` when a message's content can take no text, or when no message would be left.
pub(crate) fn rewrite(request: &ChatRequest, edits: &Edits) -> Option<Bytes> {
    let body = &request.body;
    let retained: Vec<usize> = (0..request.messages.len()).filter(|index| !edits.dropped.contains(index)).collect();
    let first = *retained.first()?;
    let mut out = BytesMut::with_capacity(body.len() + ROOM);
    out.extend_from_slice(body.get(..request.messages.first()?.range.start)?);
    for index in retained {
        let message = request.messages.get(index)?;
        if index != first {
            out.extend_from_slice(body.get(gap_before(request, index)?)?);
        }
        match (edits.replaced.get(&index), edits.blocks.get(&index)) {
            (Some(text), _) => results::write(&mut out, request, message, text)?,
            (None, Some(block)) => inject(&mut out, request, message, block)?,
            (None, None) => out.extend_from_slice(body.get(message.range.clone())?),
        }
    }
    // What stood after the last message: white space and the rest of the request.
    out.extend_from_slice(body.get(request.messages.last()?.range.end..)?);
    Some(out.freeze())
}

/// The message as the model will see it with `block`; `None` when its content can take no text.
pub(crate) fn injected(message: &Message, block: &str) -> Option<Message> {
    let mut longer = message.clone();
    longer.parts = message.original_parts().map(Part::from).collect();
    longer.echo = Echo::default();
    match &message.content {
        Content::None => return None,
        Content::Text(_) => longer.parts = vec![Part::Text(joined(message, block))],
        Content::Parts(_) if goes_behind(message, block) => longer.parts.push(Part::Text(block.to_owned())),
        Content::Parts(_) => longer.parts.insert(0, Part::Text(block.to_owned())),
    }
    Some(longer)
}

/// About what the blocks of a prompt take.
const ROOM: usize = 16 << 10;

/// The comma and white space before a message.
fn gap_before(request: &ChatRequest, index: usize) -> Option<Range<usize>> {
    let before = request.messages.get(index.checked_sub(1)?)?;
    Some(before.range.end..request.messages.get(index)?.range.start)
}

/// The message with a block inside the quotes or brackets of its content.
fn inject(out: &mut BytesMut, request: &ChatRequest, message: &Message, block: &str) -> Option<()> {
    if message.carries_memory() {
        return replace(out, request, message, block);
    }
    let is_behind = goes_behind(message, block);
    let (place, added) = match &message.content {
        Content::None => return None,
        Content::Text(place) if is_behind => (place, escaped(&format!("{SEPARATOR}{block}"))),
        Content::Text(place) => (place, escaped(&format!("{block}{SEPARATOR}"))),
        Content::Parts(place) => {
            let part = request.surface.text_part(block);
            let added = match (message.parts.is_empty(), is_behind) {
                (true, _) => part.to_string(),
                (false, true) => format!(",{part}"),
                (false, false) => format!("{part},"),
            };
            (place, added)
        }
    };
    // Inside the quotes or brackets.
    let at = if is_behind { place.end.checked_sub(1)? } else { place.start + 1 };
    out.extend_from_slice(request.body.get(message.range.start..at)?);
    out.extend_from_slice(added.as_bytes());
    out.extend_from_slice(request.body.get(at..message.range.end)?);
    Some(())
}

/// A client that sends injected blocks back gets the new one in their place. The content is written anew then; the
/// message's other fields keep their bytes.
fn replace(out: &mut BytesMut, request: &ChatRequest, message: &Message, block: &str) -> Option<()> {
    let (place, content) = match &message.content {
        Content::None => return None,
        Content::Text(place) => (place, Value::from(joined(message, block))),
        Content::Parts(place) => {
            let mut parts: Vec<Value> = serde_json::from_slice(request.slice(place)).ok()?;
            let (count, mut places) = (parts.len(), 0..);
            parts.retain_mut(|part| {
                let at = places.next().unwrap_or_default();
                let Some(Value::String(text)) = part.get_mut("text") else {
                    return true;
                };
                match message.echo.own(&message.content, text, at, count).map(str::to_owned) {
                    Some(own) => *text = own,
                    None => return false,
                }
                true
            });
            let at = if goes_behind(message, block) { parts.len() } else { 0 };
            parts.insert(at, request.surface.text_part(block));
            (place, Value::from(parts))
        }
    };
    out.extend_from_slice(request.body.get(message.range.start..place.start)?);
    out.extend_from_slice(content.to_string().as_bytes());
    out.extend_from_slice(request.body.get(place.end..message.range.end)?);
    Some(())
}

fn joined(message: &Message, block: &str) -> String {
    let own = message.text();
    if goes_behind(message, block) { format!("{own}{SEPARATOR}{block}") } else { format!("{block}{SEPARATOR}{own}") }
}

/// A question is answered better from what stands before it (`bench/RESULTS.md`). Results of tools must be the first parts of a message,
/// and what an earlier version put behind a message stays there.
fn goes_behind(message: &Message, block: &str) -> bool {
    !message.answers.is_empty() || was_put_behind(block)
}

/// `text` as the inside of a JSON string.
fn escaped(text: &str) -> String {
    let quoted = Value::from(text).to_string();
    quoted.get(1..quoted.len() - 1).unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests fail loudly")]
    use mainpoint_store::Scope;
    use proptest::prelude::*;
    use serde_json::json;

    use super::super::block::Seal;
    use super::super::request::tests::parsed;
    use super::*;
    use crate::conversation::chain::Chain;
    use crate::conversation::echo::recognise;
    use crate::conversation::exchanges::tests::conversation;

    fn edits(dropped: &[usize], tail: Option<(usize, &str)>) -> Edits {
        Edits {
            dropped: dropped.iter().copied().collect(),
            blocks: tail.into_iter().map(|(index, block)| (index, block.to_owned())).collect(),
            ..Edits::default()
        }
    }

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
            let rewritten = rewrite(&request, &Edits::default());
            match rewritten {
                Some(bytes) => prop_assert_eq!(bytes, body.as_bytes()),
                None => prop_assert!(messages.is_empty()),
            }
        }

        #[test]
        fn retained_messages_keep_their_bytes_and_order(messages in conversation(), mask in any::<u32>()) {
            let request = parsed(&json!({"messages": messages, "seed": 1}).to_string());
            let dropped: BTreeSet<usize> = (0..messages.len()).filter(|index| mask >> index & 1 == 1).collect();
            let edits = Edits { dropped: dropped.clone(), ..Edits::default() };
            if let Some(bytes) = rewrite(&request, &edits) {
                let again = parsed(std::str::from_utf8(&bytes).unwrap());
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
        fn a_text_in_the_place_of_a_result_arrives_and_every_other_byte_stays(
            messages in conversation(), mask in any::<u32>(), text in "(\\PC|\n|\"|\\\\){0,40}",
        ) {
            let request = parsed(&json!({"messages": messages, "seed": 1}).to_string());
            let is_chosen = |index: &usize| mask >> (index % 32) & 1 == 1;
            let results = (0..messages.len()).filter(|index| results::takes_text(&request, &request.messages[*index]));
            let replaced: BTreeMap<usize, String> = results.filter(is_chosen).map(|index| (index, text.clone())).collect();
            let edits = Edits { replaced: replaced.clone(), ..Edits::default() };
            let Some(bytes) = rewrite(&request, &edits) else { return Ok(()) };
            let mut expected = json!({"messages": messages, "seed": 1});
            for index in replaced.keys() {
                expected["messages"][index]["content"] = json!(text);
            }
            prop_assert_eq!(bytes, Bytes::from(expected.to_string()));
        }

        #[test]
        fn added_blocks_arrive_as_they_were_written(
            own in "\\PC{0,20}", parts: bool, block in "(\\PC|\n|\"|\\\\){0,40}",
        ) {
            let content = if parts { json!([{"type": "text", "text": own}]) } else { json!(own) };
            let request = parsed(&json!({"messages": [{"role": "user", "content": content}]}).to_string());
            let bytes = rewrite(&request, &edits(&[], Some((0, &block)))).unwrap();
            let again = parsed(std::str::from_utf8(&bytes).unwrap());
            prop_assert_eq!(&again.messages[0].parts, &injected(&request.messages[0], &block).unwrap().parts);
        }
    }

    #[test]
    fn spelling_and_white_space_of_everything_else_survive() {
        let request = parsed(ODD);
        let bytes = rewrite(&request, &edits(&[1, 2], Some((3, "B")))).unwrap();
        assert_eq!(
            std::str::from_utf8(&bytes).unwrap(),
            "{\"model\":\"m\",\"temperature\":1.0e-0, \"messages\" :[\n {\"role\":\"system\",\"content\":\"s\"}  , {\"role\":\"user\",\"content\":\"B\\n\\nc\",\"x\":1.50} ],\"seed\":12345678901234567890}"
        );
    }

    #[test]
    fn a_block_becomes_the_first_part_of_an_array() {
        let request = parsed(
            r#"{"messages":[{"role":"user","content":[ ]},{"role":"user","content":[{"type":"text","text":"a"}]}]}"#,
        );
        let empty = rewrite(&request, &edits(&[1], Some((0, "B")))).unwrap();
        assert_eq!(
            empty,
            r#"{"messages":[{"role":"user","content":[{"text":"B","type":"text"} ]}]}"#
                .replace(r#"{"text":"B","type":"text"}"#, &json!({"type": "text", "text": "B"}).to_string())
        );
        let last = rewrite(&request, &edits(&[0], Some((1, "B")))).unwrap();
        let value: Value = serde_json::from_slice(&last).unwrap();
        assert_eq!(
            value["messages"][0]["content"],
            json!([{"type": "text", "text": "B"}, {"type": "text", "text": "a"}])
        );
    }

    #[test]
    fn a_block_stands_before_the_parts_of_an_array_but_behind_results_of_tools() {
        let request = parsed(
            r#"{"messages":[{"role":"user","content":[]},{"role":"user","content":[{"type":"image_url","image_url":{"url":"u"}}]},{"role":"user","content":[{"type":"tool_result","tool_use_id":"1","content":"r"}]}]}"#,
        );
        let block = || "T".to_owned();
        let edits = Edits { blocks: [(0, block()), (1, block()), (2, block())].into(), ..Edits::default() };
        let value: Value = serde_json::from_slice(&rewrite(&request, &edits).unwrap()).unwrap();
        let text = json!({"type": "text", "text": "T"});
        assert_eq!(value["messages"][0]["content"], json!([text]));
        assert_eq!(value["messages"][1]["content"], json!([text, {"type": "image_url", "image_url": {"url": "u"}}]));
        let result = json!({"type": "tool_result", "tool_use_id": "1", "content": "r"});
        assert_eq!(value["messages"][2]["content"], json!([result, text]));
    }

    #[test]
    fn a_block_that_a_client_sends_back_is_replaced() {
        let chain = Chain::new(&Scope::new("k-a").unwrap());
        let asked = parsed(r#"{"messages":[{"role":"user","content":"a"}]}"#);
        let seal = chain.seal(&asked.messages[0], Echo::default());
        let old = seal.memory(&["user: old".to_owned()]);
        let new = seal.memory(&["user: new".to_owned()]);
        let earlier = seal.earlier_memory(&["user: old".to_owned()]);
        let own = json!({"type": "text", "text": "a", "cache_control": 1});
        let part = |block: &str| json!({"type": "text", "text": block});
        let as_parts = json!([part(&new), own]);
        for (content, expected) in [
            (json!(format!("{old}\n\na")), json!(format!("{new}\n\na"))),
            (json!(format!("a\n\n{earlier}")), json!(format!("{new}\n\na"))),
            (json!([part(&old), own]), as_parts.clone()),
            (json!([own, part(&earlier)]), as_parts),
        ] {
            let mut request = parsed(&json!({"messages": [{"role": "user", "content": content, "x": 1}]}).to_string());
            recognise(&chain, &mut request.messages);
            let bytes = rewrite(&request, &edits(&[], Some((0, &new)))).unwrap();
            let value: Value = serde_json::from_slice(&bytes).unwrap();
            assert_eq!(value["messages"][0], json!({"role": "user", "content": expected, "x": 1}));
            let again = parsed(std::str::from_utf8(&bytes).unwrap());
            assert_eq!(again.messages[0].parts, injected(&request.messages[0], &new).unwrap().parts);
        }
    }

    #[test]
    fn a_block_that_an_earlier_version_put_behind_a_message_stands_there_again() {
        let earlier = Seal::new([0; 32]).earlier_memory(&["user: old".to_owned()]);
        for (content, expected) in [
            (json!("a"), json!(format!("a\n\n{earlier}"))),
            (
                json!([{"type": "text", "text": "a"}]),
                json!([{"type": "text", "text": "a"}, {"type": "text", "text": earlier}]),
            ),
        ] {
            let request = parsed(&json!({"messages": [{"role": "user", "content": content}]}).to_string());
            let bytes = rewrite(&request, &edits(&[], Some((0, &earlier)))).unwrap();
            let value: Value = serde_json::from_slice(&bytes).unwrap();
            assert_eq!(value["messages"][0]["content"], expected);
        }
    }

    #[test]
    fn a_message_without_content_takes_no_block() {
        let request = parsed(r#"{"messages":[{"role":"user"}]}"#);
        assert_eq!(rewrite(&request, &edits(&[], Some((0, "B")))), None);
    }
}
