//! A whole answer, in one JSON document.

use bytes::Bytes;
use serde_json::Value;

use super::calls::{Asked, CALLS, FINISH, STOP, choice, is_ours};
use super::splicing::Envelope;
use super::usage::Usage;

/// What an answer is.
#[derive(Debug, PartialEq)]
pub(crate) enum DocumentAnswer {
    /// The client's, without calls of our tool.
    Final(Bytes),
    /// A question for the memory.
    Asks(Asked),
}

/// Reads an answer, which is final in the last round whatever it calls. Calls of our tool beside others are left out. A document
/// that cannot be read is the client's as it came.
pub(crate) fn read(document: Bytes, usage: &mut Usage, is_last: bool) -> DocumentAnswer {
    let Some(envelope) = Envelope::new(&document) else {
        return DocumentAnswer::Final(document);
    };
    let mut changes = Vec::new();
    if let Some(total) = envelope.value("usage").and_then(|told| usage.note(told)) {
        changes.push(("usage", total.to_string().into_bytes()));
    }
    if let Some(mut choices) = envelope.value("choices") {
        match without_ours(&mut choices) {
            Ours::None => {}
            Ours::Only if !is_last => {
                usage.end_answer();
                let message = choice(&mut choices).and_then(|choice| choice.remove("message"));
                if let Some(Value::Object(message)) = message {
                    return DocumentAnswer::Asks(Asked::new(message));
                }
            }
            Ours::Only => {
                if let Some(choice) = choice(&mut choices) {
                    choice.insert(FINISH.to_owned(), STOP.into());
                    choice.get_mut("message").and_then(Value::as_object_mut).map(|message| message.remove(CALLS));
                }
                changes.push(("choices", choices.to_string().into_bytes()));
            }
            Ours::Beside => changes.push(("choices", choices.to_string().into_bytes())),
        }
    }
    if changes.is_empty() {
        return DocumentAnswer::Final(document);
    }
    DocumentAnswer::Final(envelope.with(changes).into())
}

enum Ours {
    None,
    /// All calls are ours; they are still there.
    Only,
    /// There were others, too, which are left.
    Beside,
}

/// Takes our calls out of a message that has others, too.
fn without_ours(choices: &mut Value) -> Ours {
    let message = choice(choices).and_then(|choice| choice.get_mut("message"));
    let Some(calls) = message.and_then(|message| message.get_mut(CALLS)).and_then(Value::as_array_mut) else {
        return Ours::None;
    };
    match calls.iter().filter(|call| is_ours(call)).count() {
        0 => Ours::None,
        ours if ours == calls.len() => Ours::Only,
        _ => {
            calls.retain(|call| !is_ours(call));
            Ours::Beside
        }
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, clippy::panic, reason = "tests fail loudly")]
    use serde_json::json;

    use super::super::calls::NAME;
    use super::*;

    fn call(id: &str, name: &str, arguments: &str) -> Value {
        json!({"id": id, "type": "function", "function": {"name": name, "arguments": arguments}})
    }

    fn document(calls: &Value) -> Bytes {
        let message = json!({"role": "assistant", "content": null, "tool_calls": calls, "extra": 1});
        let choice = json!({"index": 0, "message": message, "finish_reason": "tool_calls"});
        format!("{{\"id\" : \"a\",\"choices\":[{choice}] , \"x\":1.50,\"usage\":{{\"total_tokens\":5}}}}").into()
    }

    fn value(answer: DocumentAnswer) -> Value {
        match answer {
            DocumentAnswer::Final(bytes) => serde_json::from_slice(&bytes).unwrap(),
            DocumentAnswer::Asks(asked) => panic!("{asked:?}"),
        }
    }

    #[test]
    fn an_answer_without_calls_of_ours_keeps_its_bytes() {
        for document in [document(&json!([call("1", "weather", "{}")])), document(&json!(null)), "nonsense".into()] {
            assert_eq!(read(document.clone(), &mut Usage::default(), false), DocumentAnswer::Final(document));
        }
    }

    #[test]
    fn an_answer_that_only_calls_our_tool_asks_and_its_message_goes_back_with_the_results() {
        let calls = json!([call("1", NAME, "{\"query\":\"Where?\"}"), call("2", NAME, "nonsense")]);
        let DocumentAnswer::Asks(asked) = read(document(&calls), &mut Usage::default(), false) else {
            panic!("it asks");
        };
        let queries: Vec<&str> = asked.calls.iter().map(|call| call.query.as_str()).collect();
        assert_eq!(queries, ["Where?", ""]);
        let messages = asked.messages(&["here".to_owned(), "nothing".to_owned()]);
        assert_eq!(
            messages,
            [
                json!({"role": "assistant", "content": null, "tool_calls": calls, "extra": 1}),
                json!({"role": "tool", "tool_call_id": "1", "content": "here"}),
                json!({"role": "tool", "tool_call_id": "2", "content": "nothing"}),
            ]
        );
    }

    #[test]
    fn of_calls_beside_ours_the_client_sees_its_own_alone() {
        let calls = json!([call("1", NAME, "{}"), call("2", "weather", "{}")]);
        let seen = value(read(document(&calls), &mut Usage::default(), false));
        assert_eq!(seen["choices"][0]["message"][CALLS], json!([call("2", "weather", "{}")]));
        assert_eq!(seen["choices"][0][FINISH], "tool_calls");
    }

    #[test]
    fn in_the_last_round_a_call_of_ours_is_left_out_and_what_all_answers_cost_is_told() {
        let mut usage = Usage::default();
        let calls = json!([call("1", NAME, "{}")]);
        assert!(matches!(read(document(&calls), &mut usage, false), DocumentAnswer::Asks(_)));
        let seen = value(read(document(&calls), &mut usage, true));
        assert_eq!(seen["choices"][0]["message"].get(CALLS), None);
        assert_eq!((&seen["choices"][0][FINISH], &seen["usage"]["total_tokens"]), (&json!(STOP), &json!(10)));
        let last: Bytes = "{\"choices\":[],\"x\":1.50 ,\"usage\":{\"total_tokens\":1}}".into();
        let expected = Bytes::from("{\"choices\":[],\"x\":1.50 ,\"usage\":{\"total_tokens\":6}}");
        assert_eq!(read(last, &mut usage, true), DocumentAnswer::Final(expected));
    }
}
