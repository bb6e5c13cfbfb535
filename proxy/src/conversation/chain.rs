//! Names: of a turn, by what it says, and of a prompt up to a message, by everything that is said in it so far.
//!
//! A turn has its name wherever it stands, so that it is read once. What was put into a prompt belongs to exactly that
//! prompt.

use std::borrow::Cow;
use std::collections::BTreeMap;

use mainpoint_store::{PrefixId, Scope, TurnId};

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

    /// The name of a turn: of who says it and what it says in words.
    pub(crate) fn turn(&self, role: &str, text: &str) -> TurnId {
        self.spoken(role, std::iter::once(text))
    }

    /// The name of the turn that a message is, whatever else belongs to the message.
    pub(crate) fn turn_of(&self, message: &Message) -> TurnId {
        self.spoken(message.role, message.texts())
    }

    /// The name of the prompt up to each message, that message included. Instructions are no part of the chain, nor is
    /// what belongs to the message after it (such as reasoning), because clients may leave it out when they send the
    /// conversation back.
    pub(crate) fn prefix_ids(&self, messages: &[Message]) -> Vec<Option<PrefixId>> {
        self.prefix_ids_as_known(messages, &BTreeMap::new(), &[])
    }

    /// The same where some messages, by index, say again what a turn with this text said: they count with its words, so
    /// that the prompt has the name that it had with that turn. A message whose parts those words cannot be counts with
    /// its own.
    pub(crate) fn prefix_ids_as_known(
        &self,
        messages: &[Message],
        known: &BTreeMap<usize, String>,
        lost: &[TurnId],
    ) -> Vec<Option<PrefixId>> {
        let (mut previous, mut is_first) = (None, true);
        messages
            .iter()
            .enumerate()
            .map(|(index, message)| {
                if message.is_instruction() || message.binds_next {
                    return None;
                }
                let id = self.prefix_id(previous, message, known.get(&index).map(String::as_str));
                previous = Some(if is_first { self.behind(id, lost) } else { id });
                is_first = false;
                Some(id)
            })
            .collect()
    }

    /// What numbers the blocks that are put into a message of which `echo` was put in before. It depends on the caller
    /// and on what the message says itself, not on what was said before it.
    pub(crate) fn seal(&self, message: &Message, echo: Echo) -> Seal {
        let mut hasher = self.begin(None, message.role);
        content(&mut hasher, message, echo, None);
        frame(&mut hasher, b's', b"seal");
        Seal::new(*hasher.finalize().as_bytes())
    }

    /// What numbers the text that stands in the place of a tool's result. It depends on the caller and on which call
    /// the message answers, not on the result itself, which is gone when the text comes back.
    pub(crate) fn result_seal(&self, message: &Message) -> Seal {
        let mut hasher = self.begin(None, message.role);
        fields(&mut hasher, message);
        frame(&mut hasher, b's', b"result");
        Seal::new(*hasher.finalize().as_bytes())
    }

    /// The name of the turn whose text is these, one a line.
    fn spoken<'a>(&self, role: &str, mut texts: impl Iterator<Item = &'a str>) -> TurnId {
        let mut words = Cow::Borrowed(texts.next().unwrap_or_default());
        for text in texts {
            let words = words.to_mut();
            words.push('\n');
            words.push_str(text);
        }
        let words = if role == "assistant" { as_sent_back(&words) } else { &words };
        let mut hasher = self.begin(None, role);
        hasher.update(b"w");
        hasher.update(words.as_bytes());
        TurnId(finish(&hasher))
    }

    fn prefix_id(&self, previous: Option<PrefixId>, message: &Message, known: Option<&str>) -> PrefixId {
        let mut hasher = self.begin(previous, message.role);
        content(&mut hasher, message, message.echo, known);
        PrefixId(finish(&hasher))
    }

    /// What the chain goes on with behind a message that these turns are missing around.
    fn behind(&self, previous: PrefixId, lost: &[TurnId]) -> PrefixId {
        if lost.is_empty() {
            return previous;
        }
        let mut hasher = self.begin(Some(previous), "");
        for turn in lost {
            frame(&mut hasher, b'l', &turn.0);
        }
        PrefixId(finish(&hasher))
    }

    fn begin(&self, previous: Option<PrefixId>, role: &str) -> blake3::Hasher {
        let mut hasher = blake3::Hasher::new_keyed(&self.key);
        hasher.update(&previous.map_or([0; 16], |id| id.0));
        frame(&mut hasher, b'r', role.as_bytes());
        hasher
    }
}

/// What many clients send back of an answer: without the space around it, and without what the model thought before it.
fn as_sent_back(answer: &str) -> &str {
    let answer = answer.trim();
    let behind_thoughts = answer.strip_prefix("<think>").and_then(|rest| rest.split_once("</think>"));
    behind_thoughts.map(|(_, said)| said.trim_start()).filter(|said| !said.is_empty()).unwrap_or(answer)
}

/// What a message says itself, but for `echo`, with the words `known` in the place of its own if they can be.
fn content(hasher: &mut blake3::Hasher, message: &Message, echo: Echo, known: Option<&str>) {
    if let Some(odd) = &message.odd {
        return json_part(hasher, "odd", &odd.raw);
    }
    let known = known.and_then(|known| texts_of(known, &message.texts().collect::<Vec<_>>()));
    let mut known = known.unwrap_or_default().into_iter();
    for part in message.parts_without(echo) {
        match part {
            OriginalPart::Text(text) => text_part(hasher, known.next().unwrap_or(text)),
            OriginalPart::Other(other) => json_part(hasher, "", &other.raw),
        }
    }
    fields(hasher, message);
}

/// The texts that made the words `known`, where `said` are the texts that a message has now and all but one of them are
/// the same.
fn texts_of<'a>(known: &'a str, said: &[&str]) -> Option<Vec<&'a str>> {
    let (mut middle, mut texts, mut after) = (known, Vec::new(), Vec::new());
    let mut left = said;
    while let [first, rest @ ..] = left
        && !rest.is_empty()
        && let Some((text, behind)) = middle.split_at_checked(first.len())
        && let Some(behind) = behind.strip_prefix('\n').filter(|_| text == *first)
    {
        texts.push(text);
        (left, middle) = (rest, behind);
    }
    while let [rest @ .., last] = left
        && !rest.is_empty()
        && let Some(before) = middle.strip_suffix(last).and_then(|before| before.strip_suffix('\n'))
    {
        after.push(middle.get(before.len() + 1..).unwrap_or_default());
        (left, middle) = (rest, before);
    }
    texts.push(middle);
    texts.extend(after.into_iter().rev());
    (left.len() == 1).then_some(texts)
}

fn fields(hasher: &mut blake3::Hasher, message: &Message) {
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

fn finish(hasher: &blake3::Hasher) -> [u8; 16] {
    let mut id = [0; 16];
    hasher.finalize_xof().fill(&mut id);
    id
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests fail loudly")]
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;
    use crate::openai::request::tests::{parsed, parsed_response};

    fn names(messages: &Value) -> Vec<Option<PrefixId>> {
        names_in("k-a", messages)
    }

    fn names_of_items(items: &Value) -> Vec<Option<PrefixId>> {
        let request = parsed_response(&json!({"input": items}).to_string());
        Chain::new(&Scope::new("k-a").unwrap()).prefix_ids(&request.messages)
    }

    #[test]
    fn an_answer_has_its_name_however_clients_send_it_back() {
        let chain = Chain::new(&Scope::new("k-a").unwrap());
        let answer = chain.turn("assistant", "It is in Riga.\n\nBehind the station.");
        for sent in [
            "\n It is in Riga.\n\nBehind the station. \n",
            "<think>\nWhere was it?\n</think>\n\nIt is in Riga.\n\nBehind the station.",
        ] {
            assert_eq!(chain.turn("assistant", sent), answer, "{sent:?}");
            assert_ne!(chain.turn("user", sent), chain.turn("user", "It is in Riga.\n\nBehind the station."));
        }
        let thought = "<think>Where was it?</think>";
        assert_ne!(chain.turn("assistant", thought), chain.turn("assistant", ""), "there is nothing else");
        assert_ne!(chain.turn("assistant", "It is in Riga."), answer);
    }

    fn names_in(scope: &str, messages: &Value) -> Vec<Option<PrefixId>> {
        let request = parsed(&json!({"messages": messages}).to_string());
        Chain::new(&Scope::new(scope).unwrap()).prefix_ids(&request.messages)
    }

    #[test]
    fn a_string_and_the_same_text_as_one_part_have_one_name() {
        let string = names(&json!([{"role": "user", "content": "hello"}]));
        let part = names(&json!([{"role": "user", "content": [{"type": "text", "text": "hello"}]}]));
        let cached = names(
            &json!([{"role": "user", "content": [{"type": "text", "text": "hello", "cache_control": {"type": "ephemeral"}}]}]),
        );
        assert_eq!(string, part);
        assert_eq!(string, cached);
    }

    #[test]
    fn instructions_are_no_part_of_the_chain() {
        let with = names(&json!([
            {"role": "system", "content": "It is 14:03."}, {"role": "user", "content": "a"},
            {"role": "developer", "content": "x"}, {"role": "assistant", "content": "b"},
        ]));
        let without = names(&json!([{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]));
        assert_eq!(with[0], None);
        assert_eq!(vec![with[1], with[3]], without);
    }

    #[test]
    fn a_prompt_whose_first_message_says_again_what_a_turn_said_has_the_name_that_it_had_with_that_turn() {
        let chain = Chain::new(&Scope::new("k-a").unwrap());
        let image = json!({"type": "image_url", "image_url": {"url": "https://example.com/a.png"}});
        let part = |text: &str| json!({"type": "text", "text": text});
        let contents = |time: &str| {
            [
                json!(format!("It is {time}.\nHello.")),
                json!([part(&format!("It is {time}.")), part("Hello.")]),
                json!([part("Hello."), image, part(&format!("It is\n{time}.")), part("Bye.")]),
            ]
        };
        for (then, now) in contents("14:03").into_iter().zip(contents("15:10")) {
            let request = |content: &Value| {
                let answer = json!({"role": "assistant", "content": "b"});
                let messages = json!([{"role": "user", "content": content}, answer, {"role": "user", "content": "c"}]);
                parsed(&json!({"messages": messages}).to_string()).messages
            };
            let (then, now) = (request(&then), request(&now));
            let known = BTreeMap::from([(0, then[0].text())]);
            let names = chain.prefix_ids(&then);
            assert_eq!(chain.prefix_ids_as_known(&now, &known, &[]), names);
            assert_ne!(chain.prefix_ids(&now), names);
            let other = BTreeMap::from([(0, "It is 16:00.".to_owned())]);
            assert_ne!(chain.prefix_ids_as_known(&now, &other, &[]), names);
        }
    }

    proptest! {
        #[test]
        fn of_texts_that_are_the_same_but_for_one_each_is_found_again(
            texts in prop::collection::vec("[ab1 é]{0,4}", 1..6), changed in any::<prop::sample::Index>(),
            new in "[ab1 é]{0,4}",
        ) {
            let mut said: Vec<&str> = texts.iter().map(String::as_str).collect();
            said[changed.index(texts.len())] = &new;
            let known = texts.join("\n");
            let found = texts_of(&known, &said).unwrap();
            prop_assert_eq!(found, texts);
        }
    }

    #[test]
    fn an_edited_turn_renames_itself_and_everything_after_it_only() {
        let first = names(&json!([
            {"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}, {"role": "user", "content": "c"}]));
        let edited = names(&json!([
            {"role": "user", "content": "a"}, {"role": "assistant", "content": "B"}, {"role": "user", "content": "c"}]));
        assert_eq!(first[0], edited[0]);
        assert_ne!(first[1], edited[1]);
        assert_ne!(first[2], edited[2]);
    }

    #[test]
    fn scopes_roles_and_borders_between_parts_matter() {
        let messages = json!([{"role": "user", "content": "a"}]);
        assert_ne!(names_in("k-a", &messages), names_in("k-b", &messages));
        assert_ne!(names(&messages), names(&json!([{"role": "assistant", "content": "a"}])));
        let together = json!([{"role": "user", "content": [{"type": "text", "text": "ab"}]}]);
        let apart =
            json!([{"role": "user", "content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]}]);
        assert_ne!(names(&together), names(&apart));
    }

    #[test]
    fn the_order_of_keys_in_a_tool_call_does_not_matter_and_its_arguments_do() {
        let call = |function: &str| {
            let body = format!(
                r#"{{"messages":[{{"role":"assistant","content":null,"tool_calls":[{{"id":"1","function":{function}}}]}}]}}"#
            );
            Chain::new(&Scope::new("k-a").unwrap()).prefix_ids(&parsed(&body).messages)
        };
        assert_eq!(call(r#"{"name":"f","arguments":"{}"}"#), call(r#"{"arguments":"{}", "name":"f"}"#));
        assert_ne!(call(r#"{"name":"f","arguments":"{}"}"#), call(r#"{"name":"f","arguments":"{ }"}"#));
    }

    #[test]
    fn a_turn_has_one_name_in_any_form_and_after_whatever_was_said() {
        let chain = Chain::new(&Scope::new("k-a").unwrap());
        let turn = |message: Value| {
            let request = parsed_response(&json!({"input": [{"role": "user", "content": "a"}, message]}).to_string());
            let message = &request.messages[1];
            assert_eq!(chain.turn_of(message), chain.turn(message.role, &message.text()));
            chain.turn_of(message)
        };
        let expected = chain.turn("assistant", "b");
        for form in [
            json!({"type": "message", "role": "assistant", "id": "msg_1", "status": "completed", "phase": "final_answer",
                "content": [{"type": "output_text", "text": "b", "annotations": [{"type": "url_citation"}], "logprobs": []}]}),
            json!({"role": "assistant", "content": "b"}),
            json!({"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "b"}]}),
        ] {
            assert_eq!(turn(form.clone()), expected, "{form}");
        }
        assert_ne!(turn(json!({"role": "user", "content": "b"})), expected);
        assert_ne!(Chain::new(&Scope::new("k-b").unwrap()).turn("assistant", "b"), expected);
        let result = |call: &str| turn(json!({"type": "function_call_output", "call_id": call, "output": "x"}));
        assert_eq!(result("c"), result("d"), "clients make ids of calls anew");
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
