//! Groups messages into exchanges that are kept or dropped as a whole, and the messages of an exchange into rounds.
//!
//! An exchange starts on a user message; a tool call and its results are always in one exchange, and in one round of it. It must not
//! know tokens or budgets.

use std::collections::HashMap;

use crate::openai::request::Message;

/// Which calls and results of a conversation belong together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct CallPairs {
    /// For each message whether nothing may start at it, because it lies between a call and its last result.
    bound: Vec<bool>,
    /// Results whose calls are not among the messages.
    orphans: Vec<usize>,
}

impl CallPairs {
    /// Pairs the calls of a conversation with their results. Takes time in proportion to its length.
    pub(crate) fn new(messages: &[Message]) -> Self {
        let mut pairing = Pairing::default();
        // How many more pairs begin than end at each message.
        let mut changes = vec![0_i64; messages.len() + 1];
        let mut orphans = Vec::new();
        for (index, message) in messages.iter().enumerate() {
            pairing.announce(index, message);
            for name in &message.answers {
                match pairing.answer(name) {
                    Some(call) if call < index => {
                        let ends = [(call + 1, 1), (index + 1, -1)];
                        for (at, change) in ends {
                            if let Some(slot) = changes.get_mut(at) {
                                *slot += change;
                            }
                        }
                    }
                    Some(_) => {}
                    None => orphans.push(index),
                }
            }
        }
        let mut open = 0;
        let bound = changes.iter().take(messages.len()).map(|change| {
            open += change;
            open > 0
        });
        Self { bound: bound.collect(), orphans }
    }

    /// The results whose calls are not among the messages, ascending.
    pub(crate) fn orphans(&self) -> &[usize] {
        &self.orphans
    }

    /// The exchanges of the conversation, oldest first, as indices of messages in order. Instructions belong to no exchange.
    ///
    /// The last exchange holds the last user message. What comes before the first user message, such as a greeting, is an exchange too.
    pub(crate) fn exchanges(&self, messages: &[Message]) -> Vec<Vec<usize>> {
        let mut exchanges: Vec<Vec<usize>> = Vec::new();
        for (index, message) in messages.iter().enumerate() {
            if message.is_instruction() {
                continue;
            }
            let starts = message.role == "user" && !self.is_bound(index);
            match exchanges.last_mut() {
                Some(exchange) if !starts => exchange.push(index),
                _ => exchanges.push(vec![index]),
            }
        }
        exchanges
    }

    /// The rounds of an exchange, oldest first: what follows its leading user messages, in the smallest pieces that can leave
    /// by themselves. The last one is still going on.
    ///
    /// A round is everything that an assistant thought, said and called in one go, with the results of all its calls. What it
    /// thought belongs to what it did next, so a round never begins within such a go; where nothing came next, it belongs to what it
    /// did before. So every round but an only one has a message with a name of its own.
    pub(crate) fn tool_rounds(&self, messages: &[Message], exchange: &[usize]) -> Vec<Vec<usize>> {
        let is = |index: usize, role: &str| messages.get(index).is_some_and(|message| message.role == role);
        let leading = exchange.iter().take_while(|index| is(**index, "user")).count();
        let mut rounds: Vec<Vec<usize>> = Vec::new();
        for index in exchange.iter().copied().skip(leading) {
            let goes_on = |before: usize| !is(index, "assistant") || is(before, "assistant");
            match rounds.last_mut() {
                Some(round) if self.is_bound(index) || round.last().is_some_and(|before| goes_on(*before)) => {
                    round.push(index);
                }
                _ => rounds.push(vec![index]),
            }
        }
        let is_thought = |index: &usize| messages.get(*index).is_some_and(|message| message.binds_next);
        if let [.., before, last] = rounds.as_mut_slice()
            && last.iter().all(is_thought)
        {
            before.append(last);
            rounds.pop();
        }
        rounds
    }

    fn is_bound(&self, index: usize) -> bool {
        self.bound.get(index).copied().unwrap_or_default()
    }
}

/// Finds the call that a result answers: the nearest one before it that has its name and no result yet, else the nearest that
/// has its name. A result of a name that no call has answers the nearest call since a user spoke, by its place.
#[derive(Default)]
struct Pairing<'a> {
    /// The messages that make calls of a name which have no result yet, latest last.
    open: HashMap<&'a str, Vec<usize>>,
    /// The last message that makes a call of a name.
    last: HashMap<&'a str, usize>,
    /// The last message that makes a call since a user spoke.
    nearest: Option<usize>,
}

impl<'a> Pairing<'a> {
    fn announce(&mut self, index: usize, message: &'a Message) {
        if message.role == "user" {
            self.nearest = None;
        }
        for call in &message.calls {
            self.open.entry(call).or_default().push(index);
            self.last.insert(call, index);
            self.nearest = Some(index);
        }
    }

    /// The message that makes the call of this name.
    fn answer(&mut self, name: &str) -> Option<usize> {
        let open = self.open.get_mut(name).and_then(Vec::pop);
        open.or_else(|| self.last.get(name).copied()).or(self.nearest)
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;
    use crate::openai::request::ChatRequest;
    use crate::openai::request::tests::{parsed, parsed_response};

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
            1 => (0..3u8, "[a-z ]{1,30}").prop_map(|(id, text)| {
                json!({"role": "assistant", "content": [
                    {"type": "text", "text": text}, {"type": "tool_use", "id": format!("call-{id}"), "name": "f", "input": {}}]})
            }),
            1 => (0..3u8, "[a-z ]{1,30}").prop_map(|(id, text)| {
                json!({"role": "user", "content": [{"type": "tool_result", "tool_use_id": format!("call-{id}"), "content": text}]})
            }),
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

    /// Every result and its call, found the long way round: for each result the nearest earlier call of its name that no
    /// earlier result has taken, else the nearest of its name.
    pub(crate) fn answered(messages: &[Message]) -> Vec<(usize, usize)> {
        let mut pairs = Vec::new();
        let mut taken: Vec<(usize, usize)> = Vec::new();
        for (index, message) in messages.iter().enumerate() {
            for name in &message.answers {
                let calls = |earlier: &usize| {
                    let calls = messages[*earlier].calls.iter().enumerate().rev();
                    let named: Vec<(usize, usize)> =
                        calls.filter(|(_, call)| *call == name).map(|(at, _)| (*earlier, at)).collect();
                    named
                };
                let all: Vec<(usize, usize)> = (0..index).rev().flat_map(|earlier| calls(&earlier)).collect();
                let open = all.iter().find(|call| !taken.contains(call));
                if let Some(call) = open.or(all.first()) {
                    taken.push(*call);
                    pairs.push((call.0, index));
                }
            }
        }
        pairs
    }

    /// Where each message stands: the number of its group.
    fn places(groups: &[Vec<usize>], messages: usize) -> Vec<Option<usize>> {
        let mut places = vec![None; messages];
        for (number, group) in groups.iter().enumerate() {
            for index in group {
                places[*index] = Some(number);
            }
        }
        places
    }

    proptest! {
        #[test]
        fn a_call_and_its_results_are_never_split(request in request()) {
            let messages = &request.messages;
            let exchanges = CallPairs::new(messages).exchanges(messages);
            let unit_of = places(&exchanges, messages.len());
            for (call, result) in answered(messages) {
                prop_assert_eq!(unit_of[call], unit_of[result]);
            }
        }

        #[test]
        fn units_hold_every_message_but_instructions_once_and_in_order(request in request()) {
            let flat: Vec<usize> = CallPairs::new(&request.messages).exchanges(&request.messages).concat();
            let expected: Vec<usize> =
                (0..request.messages.len()).filter(|index| !request.messages[*index].is_instruction()).collect();
            prop_assert_eq!(flat, expected);
        }

        #[test]
        fn every_unit_but_the_first_starts_on_a_user_message(request in request()) {
            for exchange in CallPairs::new(&request.messages).exchanges(&request.messages).iter().skip(1) {
                prop_assert_eq!(request.messages[exchange[0]].role, "user");
            }
        }

        #[test]
        fn rounds_hold_everything_after_the_leading_user_messages_once_and_in_order(request in request()) {
            let call_pairs = CallPairs::new(&request.messages);
            for exchange in call_pairs.exchanges(&request.messages) {
                let rounds = call_pairs.tool_rounds(&request.messages, &exchange);
                let flat = rounds.concat();
                let leading = &exchange[..exchange.len() - flat.len()];
                prop_assert_eq!(&[leading, &flat[..]].concat(), &exchange);
                prop_assert!(leading.iter().all(|index| request.messages[*index].role == "user"));
                prop_assert!(flat.first().is_none_or(|index| request.messages[*index].role != "user"));
                prop_assert!(rounds.iter().all(|round| !round.is_empty()));
            }
        }

        #[test]
        fn no_round_splits_a_call_from_a_result_or_reasoning_from_what_follows(request in request()) {
            let call_pairs = CallPairs::new(&request.messages);
            for exchange in call_pairs.exchanges(&request.messages) {
                let rounds = call_pairs.tool_rounds(&request.messages, &exchange);
                let round_of = places(&rounds, request.messages.len());
                for (call, result) in answered(&request.messages) {
                    if exchange.contains(&result) {
                        prop_assert_eq!(round_of[call], round_of[result]);
                    }
                }
                for pair in rounds.concat().windows(2) {
                    if request.messages[pair[0]].binds_next {
                        prop_assert_eq!(round_of[pair[0]], round_of[pair[1]]);
                    }
                }
            }
        }
    }

    fn groups(request: &ChatRequest) -> (Vec<Vec<usize>>, Vec<Vec<usize>>) {
        let call_pairs = CallPairs::new(&request.messages);
        let exchanges = call_pairs.exchanges(&request.messages);
        let rounds = call_pairs.tool_rounds(&request.messages, exchanges.last().map_or(&[], Vec::as_slice));
        (exchanges, rounds)
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
        let (exchanges, rounds) = groups(&parsed_response(&json!({"input": items}).to_string()));
        assert_eq!(exchanges, [vec![0], (1..11).collect()]);
        assert_eq!(rounds, [vec![2, 3, 4, 5, 6], vec![7, 8, 9], vec![10]]);
    }

    #[test]
    fn what_was_thought_last_is_in_the_round_before_it_until_something_follows() {
        let reasoning = json!({"type": "reasoning", "summary": []});
        let mut items = vec![
            json!({"role": "user", "content": "a"}),
            reasoning.clone(),
            json!({"type": "function_call", "call_id": "1", "name": "f", "arguments": "{}"}),
            json!({"type": "function_call_output", "call_id": "1", "output": "x"}),
            reasoning,
            json!({"type": "web_search_call", "id": "ws", "status": "completed"}),
        ];
        let rounds = |items: &[Value]| groups(&parsed_response(&json!({"input": items}).to_string())).1;
        assert_eq!(rounds(&items[..2]), [vec![1]]);
        assert_eq!(rounds(&items), [vec![1, 2, 3, 4, 5]]);
        items.push(json!({"type": "message", "role": "assistant", "content": "done"}));
        assert_eq!(rounds(&items), [vec![1, 2, 3], vec![4, 5, 6]]);
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
        let (exchanges, rounds) = groups(&parsed(&json!({"messages": messages}).to_string()));
        assert_eq!(exchanges.len(), 1);
        assert_eq!(rounds, [vec![1, 2, 3], vec![4, 5]]);
    }

    #[test]
    fn calls_in_the_parts_of_messages_have_their_results_in_one_round_and_begin_no_unit() {
        let messages = json!([
            {"role": "user", "content": "a"},
            {"role": "assistant", "content": [
                {"type": "text", "text": "I look."}, {"type": "tool_use", "id": "t", "name": "f", "input": {}}]},
            {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t", "content": "x"}]},
            {"role": "assistant", "content": [{"type": "tool_use", "id": "t", "name": "f", "input": {}}]},
            {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t", "content": [{"type": "text", "text": "y"}]}]},
            {"role": "user", "content": "b"},
        ]);
        let request = parsed(&json!({"messages": messages}).to_string());
        let call_pairs = CallPairs::new(&request.messages);
        let exchanges = call_pairs.exchanges(&request.messages);
        assert_eq!(exchanges, [vec![0, 1, 2, 3, 4], vec![5]]);
        assert_eq!(call_pairs.tool_rounds(&request.messages, &exchanges[0]), [vec![1, 2], vec![3, 4]]);
    }

    #[test]
    fn a_result_of_a_name_that_no_call_has_belongs_to_the_call_before_it() {
        let call = |id: Value| json!({"role": "assistant", "content": null, "tool_calls": [{"id": id}]});
        let messages = json!([
            {"role": "user", "content": "a"},
            call(json!("1")), {"role": "tool", "tool_call_id": "other", "content": "x"},
            call(json!(7)), {"role": "tool", "tool_call_id": 7, "content": "x"},
            call(json!(null)), {"role": "tool", "content": "x"},
            {"role": "user", "content": "b"},
            {"role": "tool", "tool_call_id": "nobody's", "content": "x"},
        ]);
        let request = parsed(&json!({"messages": messages}).to_string());
        let call_pairs = CallPairs::new(&request.messages);
        let exchanges = call_pairs.exchanges(&request.messages);
        assert_eq!(exchanges, [(0..7).collect::<Vec<_>>(), vec![7, 8]]);
        assert_eq!(call_pairs.tool_rounds(&request.messages, &exchanges[0]), [vec![1, 2], vec![3, 4], vec![5, 6]]);
        assert_eq!(call_pairs.orphans(), [8]);
    }
}
