//! Groups messages into units that are kept or dropped as a whole.
//!
//! A unit starts on a user message; a tool call and its results are always in one unit. It must not know tokens or budgets.

use std::collections::HashMap;
use std::ops::Range;

use serde_json::Value;

use super::parse::Message;

/// The units of a conversation, oldest first, as indices of messages in order. Instructions belong to no unit.
///
/// The last unit holds the last user message. What comes before the first user message, such as a greeting, is a unit too.
pub(crate) fn units(messages: &[Message]) -> Vec<Vec<usize>> {
    let together = inseparable(messages);
    let mut units: Vec<Vec<usize>> = Vec::new();
    for (index, message) in messages.iter().enumerate() {
        if message.is_instruction() {
            continue;
        }
        let starts = message.role == "user" && !together.iter().any(|range| range.contains(&index));
        match units.last_mut() {
            Some(unit) if !starts => unit.push(index),
            _ => units.push(vec![index]),
        }
    }
    units
}

/// Stretches in which no unit may start: from after a call to its last result.
fn inseparable(messages: &[Message]) -> Vec<Range<usize>> {
    let mut announced: HashMap<&str, usize> = HashMap::new();
    let mut called: Option<usize> = None;
    let mut ranges = Vec::new();
    for (index, message) in messages.iter().enumerate() {
        let calls = message.field("tool_calls").and_then(Value::as_array);
        for id in calls.into_iter().flatten().filter_map(|call| call.get("id")?.as_str()) {
            announced.insert(id, index);
        }
        if message.field("function_call").is_some() {
            called = Some(index);
        }
        let from = match message.role.as_str() {
            "tool" => message
                .field("tool_call_id")
                .and_then(Value::as_str)
                .and_then(|id| announced.get(id).copied()),
            "function" => called,
            _ => None,
        };
        if let Some(from) = from {
            ranges.push(from + 1..index + 1);
        }
    }
    ranges
}

#[cfg(test)]
pub(crate) mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::super::parse::tests::parsed;
    use super::*;

    /// Conversations with calls and results in any order, legal or not.
    pub(crate) fn conversation() -> impl Strategy<Value = Vec<Value>> {
        let message = prop_oneof![
            3 => "[a-z ]{1,30}".prop_map(|text| json!({"role": "user", "content": text})),
            3 => "[a-z ]{1,30}".prop_map(|text| json!({"role": "assistant", "content": text})),
            1 => "[a-z ]{1,30}".prop_map(|text| json!({"role": "system", "content": text})),
            2 => prop::collection::vec(0..4u8, 1..3).prop_map(|ids| {
                let calls: Vec<Value> =
                    ids.iter().map(|id| json!({"id": format!("call-{id}"), "type": "function"})).collect();
                json!({"role": "assistant", "content": null, "tool_calls": calls})
            }),
            2 => (0..4u8, "[a-z ]{1,30}")
                .prop_map(|(id, text)| json!({"role": "tool", "tool_call_id": format!("call-{id}"), "content": text})),
            1 => Just(json!({"role": "assistant", "content": null, "function_call": {"name": "f"}})),
            1 => Just(json!({"role": "function", "name": "f", "content": "result"})),
        ];
        prop::collection::vec(message, 0..24)
    }

    proptest! {
        #[test]
        fn a_call_and_its_results_are_never_split(messages in conversation()) {
            let request = parsed(&json!({"messages": messages}).to_string());
            let units = units(&request.messages);
            let unit_of = |index: usize| units.iter().position(|unit| unit.contains(&index));
            for (index, message) in request.messages.iter().enumerate() {
                let Some(id) = message.field("tool_call_id") else { continue };
                let announced = (0..index).rev().find(|earlier| {
                    request.messages[*earlier].field("tool_calls").and_then(Value::as_array)
                        .is_some_and(|calls| calls.iter().any(|call| &call["id"] == id))
                });
                if let Some(announced) = announced {
                    prop_assert_eq!(unit_of(announced), unit_of(index));
                }
            }
        }

        #[test]
        fn units_hold_every_message_but_instructions_once_and_in_order(messages in conversation()) {
            let request = parsed(&json!({"messages": messages}).to_string());
            let flat: Vec<usize> = units(&request.messages).concat();
            let expected: Vec<usize> =
                (0..messages.len()).filter(|index| !request.messages[*index].is_instruction()).collect();
            prop_assert_eq!(flat, expected);
        }

        #[test]
        fn every_unit_but_the_first_starts_on_a_user_message(messages in conversation()) {
            let request = parsed(&json!({"messages": messages}).to_string());
            for unit in units(&request.messages).iter().skip(1) {
                prop_assert_eq!(&request.messages[unit[0]].role, "user");
            }
        }
    }
}
