//! Tool calls and their results in a prompt, by their place: every call is answered directly after the message that makes it.
//!
//! OpenAI's form (`tool_calls`, messages of the role `tool`) and Anthropic's (`tool_use` and `tool_result` parts) count
//! alike; names may come again, as some services call every call the same.

use serde_json::Value;

use crate::prompt::role;

/// What is wrong with the calls of these messages; `None` when every call has its result and every result its call.
#[must_use]
pub fn objection(messages: &[Value]) -> Option<String> {
    let mut open: Vec<&str> = Vec::new();
    for (place, message) in messages.iter().enumerate() {
        for answered in answers(message) {
            match open.iter().position(|call| *call == answered) {
                Some(at) => {
                    open.remove(at);
                }
                None => {
                    return Some(format!("messages[{place}] answers {answered:?}, which is not called before it"));
                }
            }
        }
        let goes_on = role(message) == "tool" && messages.get(place + 1).is_some_and(|next| role(next) == "tool");
        let made: Vec<&str> = makes(message).collect();
        if !goes_on && !open.is_empty() {
            return Some(format!("the calls {open:?} have no results at messages[{place}]"));
        }
        open.extend(made);
        let answered_next = messages.get(place + 1).is_some_and(|next| answers(next).next().is_some());
        if !open.is_empty() && !answered_next {
            return Some(format!("the calls {open:?} have no results directly after messages[{place}]"));
        }
    }
    None
}

/// The names of the calls that a message makes.
fn makes(message: &Value) -> impl Iterator<Item = &str> {
    let calls = message["tool_calls"].as_array().into_iter().flatten().filter_map(|call| call["id"].as_str());
    calls.chain(parts(message, "tool_use").filter_map(|part| part["id"].as_str()))
}

/// The names of the calls that a message answers.
fn answers(message: &Value) -> impl Iterator<Item = &str> {
    let result = message["tool_call_id"].as_str().filter(|_| role(message) == "tool");
    let results = parts(message, "tool_result").filter_map(|part| part["tool_use_id"].as_str());
    result.into_iter().chain(results)
}

fn parts<'a>(message: &'a Value, kind: &'static str) -> impl Iterator<Item = &'a Value> {
    let parts = message["content"].as_array().into_iter().flatten();
    parts.filter(move |part| part["type"] == kind)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::objection;

    fn call(id: &str) -> Value {
        json!({"role": "assistant", "content": null, "tool_calls": [{"id": id}]})
    }

    fn result(id: &str) -> Value {
        json!({"role": "tool", "tool_call_id": id, "content": "x"})
    }

    fn used(id: &str) -> Value {
        json!({"role": "assistant", "content": [{"type": "text", "text": "I look."}, {"type": "tool_use", "id": id}]})
    }

    fn use_result(id: &str) -> Value {
        json!({"role": "user", "content": [{"type": "tool_result", "tool_use_id": id, "content": "x"}]})
    }

    #[test]
    fn calls_with_their_results_are_in_order_whatever_they_are_called() {
        let two = json!({"role": "assistant", "tool_calls": [{"id": "a"}, {"id": "b"}]});
        let user = json!({"role": "user", "content": "go on"});
        let in_order = [
            two,
            result("b"),
            result("a"),
            call("a"),
            result("a"),
            user,
            used("t"),
            use_result("t"),
            used("t"),
            use_result("t"),
        ];
        assert_eq!(objection(&in_order), None);
        assert_eq!(objection(&[]), None);
    }

    #[test]
    fn a_pair_that_is_split_is_noticed_in_either_form() {
        for split in [
            vec![call("a")],
            vec![result("a")],
            vec![call("a"), call("a"), result("a")],
            vec![call("a"), result("a"), result("a")],
            vec![used("t"), json!({"role": "user", "content": "and?"})],
            vec![use_result("t")],
            vec![json!({"role": "assistant", "tool_calls": [{"id": "a"}, {"id": "b"}]}), result("a")],
        ] {
            assert!(objection(&split).is_some(), "{split:?}");
        }
    }
}
