//! Gives every message an id: the hash of everything said before it, and of itself.
//!
//! The chain tells conversations apart without any id from the client, makes reading idempotent and separates forks. It must
//! not know how turns are stored.

use mainpoint_store::{Scope, TurnId};

use crate::openai::block::Seal;
use crate::openai::request::{Echo, Message, OriginalPart, Raw};

/// Hashes the chains of one scope.
pub(crate) struct Chain {
    key: [u8; 32],
}

impl Chain {
    /// The chains of `scope`; the same messages in another scope have other ids.
    pub(crate) fn new(scope: &Scope) -> Self {
        Self { key: blake3::derive_key("mainpoint 2026 chain of turns", scope.as_str().as_bytes()) }
    }

    /// One id for each message. Instructions are no part of the chain, nor is what belongs to the message after it (such
    /// as reasoning), because clients may leave it out when they send the conversation back.
    pub(crate) fn turn_ids(&self, messages: &[Message]) -> Vec<Option<TurnId>> {
        let mut previous = None;
        messages
            .iter()
            .map(|message| {
                if message.is_instruction() || message.binds_next {
                    return None;
                }
                let id = self.turn_id(previous, message);
                previous = Some(id);
                Some(id)
            })
            .collect()
    }

    /// What numbers the blocks that are put into a message of which `echo` was put in before. It depends on the caller and on
    /// what the message says itself, not on what was said before it.
    pub(crate) fn seal(&self, message: &Message, echo: Echo) -> Seal {
        let mut hasher = self.begin(None, message.role);
        content(&mut hasher, message, echo);
        frame(&mut hasher, b's', b"seal");
        Seal::new(*hasher.finalize().as_bytes())
    }

    /// The id of an assistant's plain text reply after `previous`.
    pub(crate) fn reply(&self, previous: Option<TurnId>, text: &str) -> TurnId {
        let mut hasher = self.begin(previous, "assistant");
        text_part(&mut hasher, text);
        finish(&hasher)
    }

    fn turn_id(&self, previous: Option<TurnId>, message: &Message) -> TurnId {
        let mut hasher = self.begin(previous, message.role);
        content(&mut hasher, message, message.echo);
        finish(&hasher)
    }

    fn begin(&self, previous: Option<TurnId>, role: &str) -> blake3::Hasher {
        let mut hasher = blake3::Hasher::new_keyed(&self.key);
        hasher.update(&previous.map_or([0; 16], |id| id.0));
        frame(&mut hasher, b'r', role.as_bytes());
        hasher
    }
}

/// What a message says itself, but for `echo`.
fn content(hasher: &mut blake3::Hasher, message: &Message, echo: Echo) {
    if let Some(odd) = &message.odd {
        return json_part(hasher, "odd", &odd.raw);
    }
    for part in message.parts_without(echo) {
        match part {
            OriginalPart::Text(text) => text_part(hasher, text),
            OriginalPart::Other(other) => json_part(hasher, "", &other.raw),
        }
    }
    for (name, value) in &message.fields {
        json_part(hasher, name, value);
    }
}

fn text_part(hasher: &mut blake3::Hasher, text: &str) {
    frame(hasher, b't', text.as_bytes());
}

fn json_part(hasher: &mut blake3::Hasher, name: &str, value: &Raw) {
    frame(hasher, b'n', name.as_bytes());
    frame(hasher, b'j', &value.canonical());
}

/// Kind and length go first, so that no two lists of pieces hash alike.
fn frame(hasher: &mut blake3::Hasher, kind: u8, bytes: &[u8]) {
    hasher.update(&[kind]);
    hasher.update(&(bytes.len() as u64).to_le_bytes());
    hasher.update(bytes);
}

fn finish(hasher: &blake3::Hasher) -> TurnId {
    let mut id = [0; 16];
    hasher.finalize_xof().fill(&mut id);
    TurnId(id)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests fail loudly")]
    use serde_json::{Value, json};

    use super::*;
    use crate::openai::request::tests::{parsed, parsed_response};

    fn turn_ids(messages: &Value) -> Vec<Option<TurnId>> {
        names_in("k-a", messages)
    }

    fn names_of_items(items: &Value) -> Vec<Option<TurnId>> {
        let request = parsed_response(&json!({"input": items}).to_string());
        Chain::new(&Scope::new("k-a").unwrap()).turn_ids(&request.messages)
    }

    fn names_in(scope: &str, messages: &Value) -> Vec<Option<TurnId>> {
        let request = parsed(&json!({"messages": messages}).to_string());
        Chain::new(&Scope::new(scope).unwrap()).turn_ids(&request.messages)
    }

    #[test]
    fn a_string_and_the_same_text_as_one_part_have_one_name() {
        let string = turn_ids(&json!([{"role": "user", "content": "hello"}]));
        let part = turn_ids(&json!([{"role": "user", "content": [{"type": "text", "text": "hello"}]}]));
        let cached = turn_ids(
            &json!([{"role": "user", "content": [{"type": "text", "text": "hello", "cache_control": {"type": "ephemeral"}}]}]),
        );
        assert_eq!(string, part);
        assert_eq!(string, cached);
    }

    #[test]
    fn instructions_are_no_part_of_the_chain() {
        let with = turn_ids(&json!([
            {"role": "system", "content": "It is 14:03."}, {"role": "user", "content": "a"},
            {"role": "developer", "content": "x"}, {"role": "assistant", "content": "b"},
        ]));
        let without = turn_ids(&json!([{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]));
        assert_eq!(with[0], None);
        assert_eq!(vec![with[1], with[3]], without);
    }

    #[test]
    fn an_edited_turn_renames_itself_and_everything_after_it_only() {
        let first = turn_ids(&json!([
            {"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}, {"role": "user", "content": "c"}]));
        let edited = turn_ids(&json!([
            {"role": "user", "content": "a"}, {"role": "assistant", "content": "B"}, {"role": "user", "content": "c"}]));
        assert_eq!(first[0], edited[0]);
        assert_ne!(first[1], edited[1]);
        assert_ne!(first[2], edited[2]);
    }

    #[test]
    fn scopes_roles_and_borders_between_parts_matter() {
        let messages = json!([{"role": "user", "content": "a"}]);
        assert_ne!(names_in("k-a", &messages), names_in("k-b", &messages));
        assert_ne!(turn_ids(&messages), turn_ids(&json!([{"role": "assistant", "content": "a"}])));
        let together = json!([{"role": "user", "content": [{"type": "text", "text": "ab"}]}]);
        let apart =
            json!([{"role": "user", "content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]}]);
        assert_ne!(turn_ids(&together), turn_ids(&apart));
    }

    #[test]
    fn the_order_of_keys_in_a_tool_call_does_not_matter_and_its_arguments_do() {
        let call = |function: &str| {
            let body = format!(
                r#"{{"messages":[{{"role":"assistant","content":null,"tool_calls":[{{"id":"1","function":{function}}}]}}]}}"#
            );
            Chain::new(&Scope::new("k-a").unwrap()).turn_ids(&parsed(&body).messages)
        };
        assert_eq!(call(r#"{"name":"f","arguments":"{}"}"#), call(r#"{"arguments":"{}", "name":"f"}"#));
        assert_ne!(call(r#"{"name":"f","arguments":"{}"}"#), call(r#"{"name":"f","arguments":"{ }"}"#));
    }

    #[test]
    fn a_streamed_reply_has_the_name_that_the_next_request_gives_it() {
        let chain = Chain::new(&Scope::new("k-a").unwrap());
        let next = turn_ids(&json!([
            {"role": "user", "content": "a"}, {"role": "assistant", "content": "b", "refusal": null, "tool_calls": null}]));
        assert_eq!(Some(chain.reply(next[0], "b")), next[1]);
    }

    #[test]
    fn a_response_has_the_name_that_the_next_request_gives_it_in_any_form() {
        let chain = Chain::new(&Scope::new("k-a").unwrap());
        let user = json!({"role": "user", "content": "a"});
        let first = names_of_items(&json!([user]));
        let reply = chain.reply(first[0], "b");
        let replayed = json!({"type": "message", "role": "assistant", "id": "msg_1", "status": "completed", "phase": "final_answer",
            "content": [{"type": "output_text", "text": "b", "annotations": [{"type": "url_citation"}], "logprobs": []}]});
        for form in [
            replayed,
            json!({"role": "assistant", "content": "b"}),
            json!({"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "b"}]}),
        ] {
            assert_eq!(names_of_items(&json!([user, form])), [first[0], Some(reply)], "{form}");
        }
        let text = parsed_response(r#"{"input":"a"}"#);
        assert_eq!(chain.turn_ids(&text.messages), first);
        assert_eq!(turn_ids(&json!([user, {"role": "assistant", "content": "b"}]))[1], Some(reply));
    }

    #[test]
    fn what_clients_drop_has_no_name_and_changes_none() {
        let user = json!({"role": "user", "content": "a"});
        let call = json!({"type": "function_call", "id": "fc", "call_id": "c", "name": "f", "arguments": "{}", "status": "completed"});
        let result = json!({"type": "function_call_output", "call_id": "c", "output": "x"});
        let message = json!({"role": "assistant", "content": "b"});
        let whole = names_of_items(&json!([
            {"type": "mcp_list_tools", "id": "l", "tools": []}, user,
            {"type": "reasoning", "id": "rs", "summary": [], "encrypted_content": "x"}, call, result,
            {"type": "web_search_call", "id": "ws", "action": {"query": "q"}}, message,
        ]));
        let short = names_of_items(&json!([
            user, {"type": "function_call", "call_id": "c", "name": "f", "arguments": "{}", "namespace": null},
            {"type": "function_call_output", "id": "o", "call_id": "c", "output": [{"type": "input_text", "text": "x"}]}, message,
        ]));
        assert_eq!((whole[0], whole[2], whole[5]), (None, None, None));
        assert_eq!(vec![whole[1], whole[3], whole[4], whole[6]], short);
    }

    #[test]
    fn calls_results_and_references_tell_conversations_apart() {
        let after = |item: Value| names_of_items(&json!([{"role": "user", "content": "a"}, item]))[1];
        let call =
            |name: &str| after(json!({"type": "function_call", "call_id": "c", "name": name, "arguments": "{}"}));
        let result = |call: &str, output: &str| {
            after(json!({"type": "function_call_output", "call_id": call, "output": output}))
        };
        let reference = |id: &str| after(json!({"type": "item_reference", "id": id}));
        let all = [
            call("f"),
            call("g"),
            result("c", "x"),
            result("c", "y"),
            result("d", "x"),
            reference("msg_1"),
            reference("msg_2"),
        ];
        for (index, id) in all.iter().enumerate() {
            assert!(id.is_some() && !all[..index].contains(id), "{index}");
        }
        assert_eq!(reference("msg_1"), after(json!({"id": "msg_1", "type": "item_reference"})));
    }
}
