//! Groups messages into units that are kept or dropped as a whole, and the messages of a unit into rounds.
//!
//! A unit starts on a user message; a tool call and its results are always in one unit, and in one round of it. It must not
//! know tokens or budgets.

use std::collections::HashMap;
use std::ops::Range;

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

/// The rounds of a unit, oldest first: what follows its leading user messages, in the smallest stretches that can leave by
/// themselves. The last one is still going on.
///
/// A round is everything that an assistant thought, said and called in one go, with the results of all its calls. What it
/// thought belongs to what it did next, so a round never begins within such a go.
pub(crate) fn rounds(messages: &[Message], unit: &[usize]) -> Vec<Vec<usize>> {
    let together = inseparable(messages);
    let is = |index: usize, role: &str| messages.get(index).is_some_and(|message| message.role == role);
    let leading = unit.iter().take_while(|index| is(**index, "user")).count();
    let mut rounds: Vec<Vec<usize>> = Vec::new();
    for index in unit.iter().copied().skip(leading) {
        let goes_on = |before: usize| !is(index, "assistant") || is(before, "assistant");
        let bound = together.iter().any(|range| range.contains(&index));
        match rounds.last_mut() {
            Some(round) if bound || round.last().is_some_and(|before| goes_on(*before)) => round.push(index),
            _ => rounds.push(vec![index]),
        }
    }
    rounds
}

/// Stretches in which nothing may start: from after a call to its last result.
fn inseparable(messages: &[Message]) -> Vec<Range<usize>> {
    let mut announced: HashMap<&str, usize> = HashMap::new();
    let mut ranges = Vec::new();
    for (index, message) in messages.iter().enumerate() {
        for call in &message.calls {
            announced.insert(call, index);
        }
        let from = message.answers.as_deref().and_then(|call| announced.get(call));
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

    use super::super::parse::ChatRequest;
    use super::super::parse::tests::{parsed, parsed_response};
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

    /// Items of Responses requests in any order, legal or not.
    pub(crate) fn items() -> impl Strategy<Value = Vec<Value>> {
        let item = prop_oneof![
            3 => "[a-z ]{1,30}".prop_map(|text| json!({"role": "user", "content": text})),
            3 => "[a-z ]{1,30}".prop_map(|text| {
                json!({"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": text}]})
            }),
            1 => "[a-z ]{1,30}".prop_map(|text| json!({"role": "developer", "content": text})),
            2 => "[a-z ]{1,30}".prop_map(|text| json!({"type": "reasoning", "encrypted_content": text, "summary": []})),
            3 => (0..4u8).prop_map(|id| {
                json!({"type": "function_call", "call_id": format!("call-{id}"), "name": "f", "arguments": "{}"})
            }),
            3 => (0..4u8, "[a-z ]{1,30}").prop_map(|(id, text)| {
                json!({"type": "function_call_output", "call_id": format!("call-{id}"), "output": text})
            }),
            1 => Just(json!({"type": "web_search_call", "id": "ws", "status": "completed"})),
        ];
        prop::collection::vec(item, 0..24)
    }

    fn request() -> impl Strategy<Value = ChatRequest> {
        prop_oneof![
            conversation().prop_map(|messages| parsed(&json!({"messages": messages}).to_string())),
            items().prop_map(|items| parsed_response(&json!({"input": items}).to_string())),
        ]
    }

    /// Every result and the last call before it that has its name.
    fn answered(messages: &[Message]) -> Vec<(usize, usize)> {
        let mut pairs = Vec::new();
        for (index, message) in messages.iter().enumerate() {
            let Some(name) = &message.answers else { continue };
            let call = (0..index).rev().find(|earlier| messages[*earlier].calls.contains(name));
            pairs.extend(call.map(|call| (call, index)));
        }
        pairs
    }

    proptest! {
        #[test]
        fn a_call_and_its_results_are_never_split(request in request()) {
            let units = units(&request.messages);
            let unit_of = |index: usize| units.iter().position(|unit| unit.contains(&index));
            for (call, result) in answered(&request.messages) {
                prop_assert_eq!(unit_of(call), unit_of(result));
            }
        }

        #[test]
        fn units_hold_every_message_but_instructions_once_and_in_order(request in request()) {
            let flat: Vec<usize> = units(&request.messages).concat();
            let expected: Vec<usize> =
                (0..request.messages.len()).filter(|index| !request.messages[*index].is_instruction()).collect();
            prop_assert_eq!(flat, expected);
        }

        #[test]
        fn every_unit_but_the_first_starts_on_a_user_message(request in request()) {
            for unit in units(&request.messages).iter().skip(1) {
                prop_assert_eq!(&request.messages[unit[0]].role, "user");
            }
        }

        #[test]
        fn rounds_hold_everything_after_the_leading_user_messages_once_and_in_order(request in request()) {
            for unit in units(&request.messages) {
                let rounds = rounds(&request.messages, &unit);
                let flat = rounds.concat();
                let leading = &unit[..unit.len() - flat.len()];
                prop_assert_eq!(&[leading, &flat[..]].concat(), &unit);
                prop_assert!(leading.iter().all(|index| request.messages[*index].role == "user"));
                prop_assert!(flat.first().is_none_or(|index| request.messages[*index].role != "user"));
                prop_assert!(rounds.iter().all(|round| !round.is_empty()));
            }
        }

        #[test]
        fn no_round_splits_a_call_from_a_result_or_reasoning_from_what_follows(request in request()) {
            for unit in units(&request.messages) {
                let rounds = rounds(&request.messages, &unit);
                let round_of = |index: usize| rounds.iter().position(|round| round.contains(&index));
                for (call, result) in answered(&request.messages) {
                    if unit.contains(&result) {
                        prop_assert_eq!(round_of(call), round_of(result));
                    }
                }
                for pair in rounds.concat().windows(2) {
                    if request.messages[pair[0]].binds_next {
                        prop_assert_eq!(round_of(pair[0]), round_of(pair[1]));
                    }
                }
            }
        }
    }

    #[test]
    fn parallel_calls_are_one_round_and_each_go_of_an_assistant_another() {
        let call = |id: &str| json!({"type": "function_call", "call_id": id, "name": "f", "arguments": "{}"});
        let result = |id: &str| json!({"type": "function_call_output", "call_id": id, "output": "x"});
        let reasoning = json!({"type": "reasoning", "summary": []});
        let items = json!([
            {"role": "user", "content": "a"}, {"role": "user", "content": "b"},
            reasoning, call("1"), call("2"), result("2"), result("1"),
            reasoning, call("3"), result("3"),
            {"role": "assistant", "content": "done"},
        ]);
        let request = parsed_response(&json!({"input": items}).to_string());
        let units = units(&request.messages);
        assert_eq!(units, [vec![0], (1..11).collect()]);
        assert_eq!(
            rounds(&request.messages, &units[1]),
            [vec![2, 3, 4, 5, 6], vec![7, 8, 9], vec![10]]
        );
    }

    #[test]
    fn rounds_of_a_chat_are_calls_with_all_their_results() {
        let calls = |ids: &[&str]| {
            let calls: Vec<Value> = ids.iter().map(|id| json!({"id": id, "type": "function"})).collect();
            json!({"role": "assistant", "content": null, "tool_calls": calls})
        };
        let result = |id: &str| json!({"role": "tool", "tool_call_id": id, "content": "x"});
        let messages = json!([
            {"role": "user", "content": "a"}, calls(&["1", "2"]), result("1"), result("2"), calls(&["1"]), result("1"),
        ]);
        let request = parsed(&json!({"messages": messages}).to_string());
        let units = units(&request.messages);
        assert_eq!(units.len(), 1);
        assert_eq!(rounds(&request.messages, &units[0]), [vec![1, 2, 3], vec![4, 5]]);
    }
}
