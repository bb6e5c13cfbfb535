//! How a conversation may be cut: which messages stay whatever happens, and which others leave together.

use std::collections::BTreeSet;

use mainpoint_store::PrefixId;

use super::evictable::{Evictable, Shape};
use crate::config::AttachmentPolicy;
use crate::conversation::exchanges::CallPairs;
use crate::conversation::prepared_request::PreparedRequest;
use crate::openai::oddity::Oddity;
use crate::openai::request::Message;

/// A conversation that may be cut.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Cuttable<'a> {
    /// Its messages.
    pub(crate) messages: &'a [Message],
    /// The name of the prompt up to each message, if it has one.
    pub(crate) prefix_ids: &'a [Option<PrefixId>],
    /// Which calls and results belong together.
    pub(crate) call_pairs: &'a CallPairs,
}

/// What the last exchange may lean on of one before it: its beginning and its end, without the rounds between them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct LeadUp {
    /// The user messages that it begins with.
    pub(crate) said: Vec<usize>,
    /// Its last round: what the assistant said in the end or, where the user spoke before it did, calls with their results. Empty
    /// where the assistant did nothing.
    pub(crate) answer: Vec<usize>,
}

impl<'a> Cuttable<'a> {
    /// The conversation of a request.
    pub(crate) fn new(prepared: &'a PreparedRequest) -> Self {
        Self {
            messages: &prepared.request.messages,
            prefix_ids: &prepared.prefix_ids,
            call_pairs: &prepared.call_pairs,
        }
    }

    /// The messages that stay because of what they are: odd ones, and results whose calls may be hidden behind them.
    pub(crate) fn odd(self) -> BTreeSet<usize> {
        let odd = |message: &Message| message.odd.as_ref().map(|odd| odd.why);
        let numbered = self.messages.iter().enumerate();
        let mut held: BTreeSet<usize> =
            numbered.filter(|(_, message)| message.odd.is_some()).map(|(index, _)| index).collect();
        if self.messages.iter().any(|message| odd(message) == Some(Oddity::UnknownItem)) {
            held.extend(self.call_pairs.orphans());
        }
        held
    }

    /// The messages that stay because of what is attached to them.
    pub(crate) fn attached(self, policy: AttachmentPolicy) -> BTreeSet<usize> {
        let mut left = match policy {
            AttachmentPolicy::Keep => usize::MAX,
            AttachmentPolicy::Newest(count) => count,
        };
        let attached = self.messages.iter().enumerate().rev().filter(|(_, message)| message.attachments > 0);
        let newest = attached.take_while(|(_, message)| {
            let is_wanted = left > 0;
            left = left.saturating_sub(usize::try_from(message.attachments).unwrap_or(usize::MAX));
            is_wanted
        });
        newest.map(|(index, _)| index).collect()
    }

    /// How the conversation may be cut where the messages `held` stay: whole exchanges but the last one, then the rounds of the
    /// last exchange but the last round. An exchange within which an earlier eviction ended, at the message `cut_at`, is in two pieces.
    ///
    /// Of an exchange that holds something that stays, its beginning stays with it, and so does its last round, for the roles of
    /// what is left alternate then as before; its other rounds leave. Of the exchanges right before the last one rounds leave by
    /// themselves too, and then the rest: its end may not have been read yet.
    pub(crate) fn shape(self, cut_at: Option<usize>, held: &BTreeSet<usize>) -> Shape {
        let exchanges = self.call_pairs.exchanges(self.messages);
        let last = exchanges.len().saturating_sub(1);
        let mut evictables = Vec::new();
        for (number, exchange) in exchanges.iter().enumerate() {
            let is_recent = number + RECENT_EXCHANGES >= last;
            let is_held = exchange.iter().any(|index| held.contains(index));
            let pieces = if number == last || is_held {
                self.rounds_that_leave(exchange, held)
            } else if is_recent {
                self.rounds_and_rest(exchange)
            } else {
                self.pieces(exchange, cut_at)
            };
            evictables.extend(
                pieces
                    .into_iter()
                    .filter_map(|messages| Some(Evictable { horizon: self.horizon(&messages)?, messages, is_recent })),
            );
            // What has left before it may be known by its end.
            if let (true, Some(horizon)) = (is_held && number != last, self.horizon(exchange)) {
                evictables.push(Evictable { messages: Vec::new(), horizon, is_recent });
            }
        }
        Shape { evictables }
    }

    /// What the last exchange may lean on, newest first: of the exchange before it what the user said and the answer, without the
    /// rounds between them. The same of one more exchange if tools were called in it, for it may be what the user has only
    /// confirmed since, or if the one behind it has no answer.
    pub(crate) fn lead_ups(self) -> Vec<LeadUp> {
        let exchanges = self.call_pairs.exchanges(self.messages);
        let before = exchanges.iter().rev().skip(1).take(RECENT_EXCHANGES);
        let mut lead_ups: Vec<LeadUp> = Vec::new();
        for exchange in before {
            let mut rounds = self.call_pairs.tool_rounds(self.messages, exchange);
            let answer = rounds.pop().unwrap_or_default();
            if lead_ups.iter().all(|newer| newer.answer.is_empty()) || !rounds.is_empty() {
                let said = exchange.len() - answer.len() - rounds.iter().map(Vec::len).sum::<usize>();
                let said = exchange.iter().take(said).copied().collect();
                lead_ups.push(LeadUp { said, answer });
            }
        }
        lead_ups
    }

    /// The messages of the newest rounds in which a tool returned something, so many of them.
    pub(crate) fn newest_results(self, rounds: usize) -> BTreeSet<usize> {
        let has_results = |round: &Vec<usize>| {
            round.iter().any(|index| self.messages.get(*index).is_some_and(|one| !one.answers.is_empty()))
        };
        let exchanges = self.call_pairs.exchanges(self.messages);
        let newest = exchanges.iter().rev().flat_map(|exchange| {
            let mut rounds = self.call_pairs.tool_rounds(self.messages, exchange);
            rounds.reverse();
            rounds
        });
        newest.filter(has_results).take(rounds).flatten().collect()
    }

    fn rounds_that_leave(self, exchange: &[usize], held: &BTreeSet<usize>) -> Vec<Vec<usize>> {
        let mut rounds = self.call_pairs.tool_rounds(self.messages, exchange);
        rounds.pop();
        rounds.retain(|round| !round.iter().any(|index| held.contains(index)));
        rounds
    }

    /// The rounds of an exchange but the last one, and what is left of it without them. Each ends at another message with a prefix id,
    /// so that what has left in the middle of it is found again.
    fn rounds_and_rest(self, exchange: &[usize]) -> Vec<Vec<usize>> {
        let mut rounds = self.call_pairs.tool_rounds(self.messages, exchange);
        rounds.pop();
        let gone: BTreeSet<usize> = rounds.iter().flatten().copied().collect();
        rounds.push(exchange.iter().copied().filter(|index| !gone.contains(index)).collect());
        rounds
    }

    /// The whole exchange, or what of it had left when an eviction ended within it, and the rest.
    fn pieces(self, exchange: &[usize], cut_at: Option<usize>) -> Vec<Vec<usize>> {
        let cut = cut_at.filter(|at| exchange.binary_search(at).is_ok() && self.horizon(exchange) != Some(*at));
        let Some(at) = cut else {
            return vec![exchange.to_vec()];
        };
        let rounds = self.call_pairs.tool_rounds(self.messages, exchange).concat();
        let gone: Vec<usize> = rounds.into_iter().filter(|index| *index <= at).collect();
        let rest = exchange.iter().copied().filter(|index| gone.binary_search(index).is_err()).collect();
        vec![gone, rest]
    }

    /// The message at which an eviction ends that takes these messages: the last of them that has a prefix id.
    fn horizon(self, messages: &[usize]) -> Option<usize> {
        let has_id = |index: &usize| self.prefix_ids.get(*index).is_some_and(Option::is_some);
        messages.iter().rev().copied().find(has_id)
    }
}

/// How many exchanges before the last one count as said last.
const RECENT_EXCHANGES: usize = 2;

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests fail loudly")]
    use mainpoint_store::Scope;
    use serde_json::{Value, json};

    use super::*;
    use crate::conversation::chain::Chain;
    use crate::openai::request::ChatRequest;
    use crate::openai::request::tests::{parsed, parsed_response};

    /// What leaves, evictable by evictable, when the messages that `hold` gives stay.
    fn leaving(request: &ChatRequest, hold: impl Fn(Cuttable<'_>) -> BTreeSet<usize>) -> Vec<Vec<usize>> {
        let prefix_ids = Chain::new(&Scope::new("k-a").unwrap()).prefix_ids(&request.messages);
        let call_pairs = CallPairs::new(&request.messages);
        let cuttable = Cuttable { messages: &request.messages, prefix_ids: &prefix_ids, call_pairs: &call_pairs };
        let evictables = cuttable.shape(None, &hold(cuttable)).evictables;
        let leaving = evictables.into_iter().map(|evictable| evictable.messages);
        leaving.filter(|messages| !messages.is_empty()).collect()
    }

    fn chat(messages: &Value) -> ChatRequest {
        parsed(&json!({"messages": messages}).to_string())
    }

    fn with_images() -> ChatRequest {
        let image = |text: &str| {
            let image = json!({"type": "image_url", "image_url": {"url": "https://example.com/a.png"}});
            json!({"role": "user", "content": [{"type": "text", "text": text}, image]})
        };
        let answer = json!({"role": "assistant", "content": "a"});
        chat(&json!([
            image("first"), answer, {"role": "user", "content": "plain"}, answer, image("second"), answer,
            {"role": "user", "content": "last"},
        ]))
    }

    #[test]
    fn an_attachment_stays_with_its_unit_unless_newer_ones_count_more() {
        let request = with_images();
        assert_eq!(leaving(&request, |cuttable| cuttable.attached(AttachmentPolicy::Keep)), [[2, 3]]);
        let newest = |count| leaving(&request, move |cuttable| cuttable.attached(AttachmentPolicy::Newest(count)));
        assert_eq!(newest(1), [[0, 1], [2, 3]]);
        assert_eq!(newest(0), [[0, 1], [2, 3], [4, 5]]);
        assert_eq!(newest(2), [[2, 3]]);
    }

    #[test]
    fn rounds_leave_a_unit_whose_beginning_stays() {
        let call = json!({"role": "assistant", "content": null, "tool_calls": [{"id": "c"}]});
        let result = json!({"role": "tool", "tool_call_id": "c", "content": "x"});
        let odd = json!({"role": "tool", "tool_call_id": "c", "content": {"x": 1}});
        let request = chat(&json!([
            {"role": "user", "content": [{"type": "file", "file": {"file_id": "f"}}]},
            call, result, call, odd, call, result, {"role": "assistant", "content": "done"},
            {"role": "user", "content": "b"}, {"role": "assistant", "content": "c"}, {"role": "user", "content": "d"},
        ]));
        let held = |cuttable: Cuttable<'_>| &cuttable.odd() | &cuttable.attached(AttachmentPolicy::Keep);
        assert_eq!(leaving(&request, held), [[1, 2], [5, 6], [8, 9]]);
    }

    #[test]
    fn rounds_of_what_was_said_last_leave_before_the_question_and_the_answer_that_they_led_to() {
        let call = json!({"role": "assistant", "content": null, "tool_calls": [{"id": "c"}]});
        let result = json!({"role": "tool", "tool_call_id": "c", "content": "x"});
        let (user, said) = (json!({"role": "user", "content": "a"}), json!({"role": "assistant", "content": "b"}));
        let worked = [&user, &call, &result, &call, &result, &said].map(Clone::clone);
        let messages = [&worked[..], &worked, &worked, std::slice::from_ref(&user)].concat();
        let request = chat(&json!(messages));
        let whole: Vec<usize> = (0..6).collect();
        let first = [whole, vec![7, 8], vec![9, 10], vec![6, 11]];
        let leaning = |cuttable: Cuttable<'_>| {
            let last = cuttable.lead_ups().into_iter().next().unwrap();
            [last.said, last.answer].concat().into_iter().collect()
        };
        let last = [vec![13, 14], vec![15, 16]];
        assert_eq!(leaving(&request, leaning), [&first[..], &last].concat());
        let alone = [&first[..], &last, &[vec![12, 17]]].concat();
        assert_eq!(leaving(&request, |_| BTreeSet::new()), alone);
    }

    #[test]
    fn a_question_leans_on_the_exchange_before_it_and_on_one_more_in_which_tools_were_called() {
        let call = json!({"role": "assistant", "content": null, "tool_calls": [{"id": "c"}]});
        let result = json!({"role": "tool", "tool_call_id": "c", "content": "x"});
        let (user, said) = (json!({"role": "user", "content": "a"}), json!({"role": "assistant", "content": "b"}));
        let lead_ups = |messages: &[&Value]| -> Vec<(Vec<usize>, Vec<usize>)> {
            let request = chat(&json!(messages));
            let call_pairs = CallPairs::new(&request.messages);
            let cuttable = Cuttable { messages: &request.messages, prefix_ids: &[], call_pairs: &call_pairs };
            cuttable.lead_ups().into_iter().map(|lead_up| (lead_up.said, lead_up.answer)).collect()
        };
        let of = |said: &[usize], answer: &[usize]| (said.to_vec(), answer.to_vec());
        assert_eq!(lead_ups(&[&user]), []);
        assert_eq!(lead_ups(&[&said, &user]), [of(&[], &[0])]);
        assert_eq!(lead_ups(&[&user, &said, &user, &said, &user]), [of(&[2], &[3])]);
        assert_eq!(lead_ups(&[&user, &said, &user, &user, &call, &result]), [of(&[2], &[]), of(&[0], &[1])]);
        let confirmed = [&user, &call, &result, &said, &user, &said, &user];
        assert_eq!(lead_ups(&confirmed), [of(&[4], &[5]), of(&[0], &[3])]);
    }

    #[test]
    fn a_round_that_left_stays_out_where_its_exchange_ends_with_something_thought() {
        let user = |text: &str| json!({"role": "user", "content": text});
        let call = |id: &str| json!({"type": "function_call", "call_id": id, "name": "f", "arguments": "{}"});
        let result = |id: &str| json!({"type": "function_call_output", "call_id": id, "output": "x"});
        let asides = ["reasoning", "web_search_call", "file_search_call", "code_interpreter_call", "mcp_call"];
        for aside in asides.map(|kind| json!({"type": kind, "id": "aside"})) {
            let items = json!([
                user("a"),
                call("1"),
                result("1"),
                call("2"),
                result("2"),
                aside,
                user("b"),
                user("c"),
                user("d"),
            ]);
            let items = items.as_array().unwrap();
            for end in [5, 6, 7, 8, 9] {
                let request = parsed_response(&json!({"input": items[..end]}).to_string());
                let prefix_ids = Chain::new(&Scope::new("k-a").unwrap()).prefix_ids(&request.messages);
                let call_pairs = CallPairs::new(&request.messages);
                let cuttable =
                    Cuttable { messages: &request.messages, prefix_ids: &prefix_ids, call_pairs: &call_pairs };
                let shape = cuttable.shape(Some(2), &BTreeSet::new());
                assert_eq!(shape.dropped(2), [1, 2].into(), "{end} items, {aside}");
                // As long as the exchange is the last one, its end stays.
                let whole = if end > 6 { (0..6).collect() } else { BTreeSet::from([1, 2]) };
                assert_eq!(shape.dropped(4), whole, "{end} items, {aside}");
            }
        }
    }

    #[test]
    fn the_newest_results_are_those_of_the_newest_rounds_of_any_exchange() {
        let call = |id: &str| json!({"role": "assistant", "content": null, "tool_calls": [{"id": id}]});
        let result = |id: &str| json!({"role": "tool", "tool_call_id": id, "content": "x"});
        let request = chat(&json!([
            {"role": "user", "content": "a"}, call("1"), result("1"), call("2"), result("2"),
            {"role": "assistant", "content": "done"},
            {"role": "user", "content": "b"}, call("3"), result("3"),
        ]));
        let prefix_ids = Chain::new(&Scope::new("k-a").unwrap()).prefix_ids(&request.messages);
        let call_pairs = CallPairs::new(&request.messages);
        let cuttable = Cuttable { messages: &request.messages, prefix_ids: &prefix_ids, call_pairs: &call_pairs };
        assert_eq!(cuttable.newest_results(0), BTreeSet::new());
        assert_eq!(cuttable.newest_results(1), [7, 8].into());
        assert_eq!(cuttable.newest_results(2), [3, 4, 7, 8].into());
        assert_eq!(cuttable.newest_results(9), [1, 2, 3, 4, 7, 8].into());
    }

    #[test]
    fn an_item_of_a_new_type_stays_with_all_that_was_done_in_the_same_go() {
        let user = |text: &str| json!({"role": "user", "content": text});
        let said = |text: &str| json!({"type": "message", "role": "assistant", "content": text});
        let call = |id: &str| json!({"type": "function_call", "call_id": id, "name": "f", "arguments": "{}"});
        let result = |id: &str| json!({"type": "function_call_output", "call_id": id, "output": "x"});
        let reasoning = json!({"type": "reasoning", "summary": []});
        let items = json!([
            user("a"), reasoning, call("1"), result("1"), said("b"),
            user("c"), reasoning, {"type": "something_new", "id": "n"}, call("2"), result("2"), said("d"),
            user("e"), {"type": "item_reference", "id": "fc_1"}, result("hidden"), said("f"),
            user("g"), said("h"), user("i"),
        ]);
        let request = parsed_response(&json!({"input": items}).to_string());
        #[expect(clippy::redundant_closure_for_method_calls, reason = "the method alone is not general over lifetimes")]
        let left = leaving(&request, |cuttable| cuttable.odd());
        assert_eq!(left, [(0..5).collect::<Vec<_>>(), vec![15, 16]]);
    }
}
