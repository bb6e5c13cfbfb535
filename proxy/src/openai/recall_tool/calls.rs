//! The calls of tools in an assistant's message: which are ours, and what they ask for.

use serde_json::{Map, Value, json};

/// The tool's name.
pub(super) const NAME: &str = "mainpoint_recall";

/// A call of our tool.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct RecallCall {
    /// The call's own name, which its result bears.
    id: String,
    /// What is to be recalled; empty when that cannot be read.
    pub(crate) query: String,
}

/// An assistant's message that calls our tool and no other.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Asked {
    message: Map<String, Value>,
    /// Its calls, at least one.
    pub(crate) calls: Vec<RecallCall>,
}

impl Asked {
    /// The message, whose calls are all ours.
    pub(super) fn new(mut message: Map<String, Value>) -> Self {
        message.entry("role").or_insert_with(|| json!("assistant"));
        message.entry("content").or_insert(Value::Null);
        let calls = message.get(CALLS).and_then(Value::as_array).into_iter().flatten();
        let calls = calls.map(RecallCall::new).collect();
        Self { message, calls }
    }

    /// The message and the result of each of its calls, as messages of a request.
    pub(super) fn messages(self, results: &[String]) -> Vec<Value> {
        let answered = self.calls.iter().zip(results);
        let results = answered.map(|(call, text)| json!({"role": "tool", "tool_call_id": call.id, "content": text}));
        let results: Vec<Value> = results.collect();
        std::iter::once(Value::Object(self.message)).chain(results).collect()
    }
}

impl RecallCall {
    fn new(call: &Value) -> Self {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let arguments = text(&call["function"]["arguments"]);
        let arguments: Value = serde_json::from_str(&arguments).unwrap_or_default();
        Self { id: text(&call["id"]), query: text(&arguments["query"]) }
    }
}

/// The field with an assistant's calls.
pub(super) const CALLS: &str = "tool_calls";
/// The field that says why a choice ended.
pub(super) const FINISH: &str = "finish_reason";
/// Why a choice without calls ended.
pub(super) const STOP: &str = "stop";

/// Whether a call is one of our tool.
pub(super) fn is_ours(call: &Value) -> bool {
    call["function"]["name"] == NAME
}

/// The only choice that was asked for.
pub(super) fn choice(choices: &mut Value) -> Option<&mut Map<String, Value>> {
    choices.get_mut(0)?.as_object_mut()
}
