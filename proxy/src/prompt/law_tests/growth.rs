//! The law of growth: the messages that leave with an eviction are gone from every later request of the conversation, and no others
//! are, whatever has been said since. It holds for chats and for items of Responses requests.

use super::*;
use crate::conversation::exchanges::CallPairs;

/// How many conversations are tried.
const CASES: u32 = 5_000;

#[test]
fn what_leaves_a_chat_is_gone_from_every_later_one_and_nothing_else_is() {
    holds(Surface::ChatCompletions, &conversation(), |sent| legal(sent).is_ok());
}

#[test]
fn what_leaves_the_items_of_a_request_is_gone_from_every_later_one_and_nothing_else_is() {
    holds(Surface::Responses, &items(), |sent| {
        let count = |kind: &str| sent.iter().filter(|item| item["type"] == kind).count();
        count("function_call") == count("function_call_output")
    });
}

/// Tries the law on conversations, at every end at which one may be sent.
fn holds(surface: Surface, conversations: &impl Strategy<Value = Vec<Value>>, may_end: impl Fn(&[Value]) -> bool) {
    let laws = Laws::new();
    let found = Cell::new(0_u32);
    let mut runner = TestRunner::new(Config { cases: CASES, failure_persistence: None, ..Config::default() });
    runner
        .run(&(conversations, any::<u64>()), |(sent, choice)| {
            let list = if surface == Surface::Responses { "input" } else { "messages" };
            let body = Bytes::from(json!({list: sent}).to_string());
            let Ok(prepared) = laws.prepared(surface, body) else {
                return Ok(());
            };
            let later = Cuttable::new(&prepared);
            for end in (0..sent.len()).filter(|end| may_end(&sent[..=*end])) {
                let messages = &later.messages[..=end];
                let call_pairs = CallPairs::new(messages);
                let cuttable = Cuttable { messages, prefix_ids: &later.prefix_ids[..=end], call_pairs: &call_pairs };
                let held = held(cuttable, choice);
                let shape = cuttable.shape(None, &held);
                for horizon in shape.evictables.iter().map(|evictable| evictable.horizon) {
                    // The ledger knows what stayed before the eviction's end, as far as it has a name.
                    let is_recorded = |index: &usize| *index <= horizon && cuttable.prefix_ids[*index].is_some();
                    let recorded = &later.odd() | &held.iter().copied().filter(is_recorded).collect();
                    let gone = later.shape(Some(horizon), &recorded).dropped(horizon);
                    prop_assert_eq!(gone, shape.dropped(horizon), "{} messages, cut at {}", end + 1, horizon);
                    found.set(found.get() + 1);
                }
            }
            Ok(())
        })
        .unwrap();
    println!("{CASES} generated conversations, {} cuts found again", found.get());
    assert!(found.get() > CASES);
}

/// Items of a Responses request: exchanges of calls and what was said, with asides wherever a service puts them, and at the end of
/// an exchange that was broken off.
fn items() -> impl Strategy<Value = Vec<Value>> {
    let said = json!({"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "b"}]});
    let step = prop_oneof![
        2 => Just(vec![said.clone()]),
        2 => aside().prop_map(|aside| vec![aside]),
        3 => (prop::option::of(aside()), 1..3_usize).prop_map(|(aside, calls)| {
            let call = |id| json!({"type": "function_call", "call_id": format!("{id}"), "name": "f", "arguments": "{}"});
            let result = |id| json!({"type": "function_call_output", "call_id": format!("{id}"), "output": "x"});
            aside.into_iter().chain((0..calls).map(call)).chain((0..calls).map(result)).collect()
        }),
    ];
    let exchange = (prop::collection::vec(step, 0..5), prop::option::of(aside())).prop_map(|(steps, aside)| {
        let user = json!({"role": "user", "content": "a"});
        [vec![user], steps.concat(), aside.into_iter().collect()].concat()
    });
    let instruction = Just(vec![json!({"role": "developer", "content": "c"})]);
    let piece = prop_oneof![8 => exchange, 1 => instruction, 1 => Just(vec![said])];
    prop::collection::vec(piece, 1..8).prop_map(|pieces| pieces.concat())
}

/// What has no name of its own.
fn aside() -> impl Strategy<Value = Value> {
    let kinds = vec!["reasoning", "web_search_call", "code_interpreter_call", "mcp_call", "file_search_call"];
    prop::sample::select(kinds).prop_map(|kind| json!({"type": kind, "id": "aside"}))
}
