//! The law of growth: the messages that leave with an eviction are gone from every later request of the conversation, and no others
//! are, whatever has been said since.

use super::*;
use crate::conversation::exchanges::CallPairs;

/// How many conversations are tried.
const CASES: u32 = 5_000;

#[test]
fn what_leaves_a_prompt_is_gone_from_every_later_one_and_nothing_else_is() {
    let laws = Laws::new();
    let found = Cell::new(0_u32);
    let mut runner = TestRunner::new(Config { cases: CASES, failure_persistence: None, ..Config::default() });
    runner
        .run(&(conversation(), any::<u64>()), |(sent, choice)| {
            let body = Bytes::from(json!({"messages": sent}).to_string());
            let Ok(prepared) = laws.prepared(Surface::ChatCompletions, body) else {
                return Ok(());
            };
            let later = Cuttable::new(&prepared);
            for end in (0..sent.len()).filter(|end| legal(&sent[..=*end]).is_ok()) {
                let messages = &later.messages[..=end];
                let call_pairs = CallPairs::new(messages);
                let cuttable = Cuttable { messages, prefix_ids: &later.prefix_ids[..=end], call_pairs: &call_pairs };
                let held = held(cuttable, choice);
                let shape = cuttable.shape(None, &held);
                for horizon in shape.evictables.iter().map(|evictable| evictable.horizon) {
                    // The ledger knows what stayed before the eviction's end.
                    let recorded = held.iter().copied().filter(|index| *index <= horizon).collect();
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
