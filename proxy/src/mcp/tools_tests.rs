//! What tools take, refuse, and say of themselves.

#![expect(clippy::unwrap_used, reason = "tests fail loudly")]

use std::collections::BTreeSet;

use super::*;
use crate::memory::turns_for_tests::{conversation, id as turn};

fn asked(tool: MemoryTool, arguments: Value) -> Result<Ask, String> {
    tool.ask(&object(arguments), Reach::Own).map(|(ask, _)| ask).map_err(|error| error.to_string())
}

#[test]
fn what_a_call_leaves_out_is_as_usual() {
    let search = asked(MemoryTool::Search, json!({"question": "Where?"})).unwrap();
    assert_eq!(search, Ask::Search { question: "Where?".to_owned(), limit: USUALLY_FOUND });
    let around = asked(MemoryTool::ReadAround, json!({"turn": turn(1).to_string(), "before": 0})).unwrap();
    let window = Window { before: 0, after: USUALLY_AROUND };
    assert_eq!(around, Ask::Around { turn: turn(1), conversation: None, window });
    let listed = asked(MemoryTool::ListConversations, json!({})).unwrap();
    assert_eq!(listed, Ask::Conversations { after: None, limit: USUALLY_LISTED });
}

#[test]
fn exactly_one_thing_is_forgotten_by_one_call() {
    let id = turn(1).to_string();
    assert_eq!(id, conversation(1).to_string());
    let forget = |arguments: Value| asked(MemoryTool::Forget, arguments);
    assert_eq!(forget(json!({"turn": id})), Ok(Ask::Forget(Forget::Turn(turn(1)))));
    assert_eq!(forget(json!({"conversation": id})), Ok(Ask::Forget(Forget::Conversation(conversation(1)))));
    assert!(forget(json!({})).unwrap_err().starts_with("turn = missing; expected the id of a turn"));
    let both = forget(json!({"turn": id, "conversation": id})).unwrap_err();
    assert!(both.contains("either turn or conversation, not both"), "{both}");
}

#[test]
fn a_scope_is_named_by_whoever_reaches_every_memory_and_by_nobody_else() {
    let named = object(json!({"question": "Where?", "scope": "k-a"}));
    let own = MemoryTool::Search.ask(&named, Reach::Own).unwrap_err().to_string();
    assert_eq!(own, "scope = \"k-a\"; expected no argument but question, limit.");
    assert_eq!(MemoryTool::Search.ask(&named, Reach::Every).unwrap().1.as_deref(), Some("k-a"));
    let unnamed = MemoryTool::Search.ask(&object(json!({"question": "Where?"})), Reach::Every).unwrap_err().to_string();
    assert!(unnamed.starts_with("scope = missing; expected"), "{unnamed}");
    for (reach, expected) in [(Reach::Own, false), (Reach::Every, true)] {
        for tool in MemoryTool::ALL {
            let described = tool.describe(reach);
            assert_eq!(described.input_schema["properties"].get("scope").is_some(), expected);
        }
    }
}

#[test]
fn the_schema_of_a_tool_names_the_arguments_that_it_takes() {
    for tool in MemoryTool::ALL {
        let described = tool.describe(Reach::Own);
        let properties = described.input_schema["properties"].as_object().unwrap();
        let named: BTreeSet<&str> = properties.keys().map(String::as_str).collect();
        assert_eq!(named, tool.arguments().iter().copied().collect());
        assert_eq!(described.output_schema.unwrap()["type"], "object");
        assert_eq!(MemoryTool::named(tool.name()), Some(tool));
    }
    assert_eq!(MemoryTool::named("purge"), None);
}

#[test]
fn only_forgetting_changes_anything() {
    for tool in MemoryTool::ALL {
        let annotations = tool.describe(Reach::Own).annotations.unwrap();
        let changes = tool == MemoryTool::Forget;
        assert_eq!((annotations.read_only_hint, annotations.destructive_hint), (Some(!changes), Some(changes)));
    }
}

#[test]
fn an_answer_of_the_api_is_told_with_each_thing_under_one_name() {
    let listed = json!({
        "conversation": "c", "earlier": 2, "later": 0,
        "data": [{
            "id": "t", "conversation": "c", "position": 2, "role": "user", "text": "x", "time": "now", "tokens": 1, "read": true,
        }],
    });
    let told = MemoryTool::ReadAround.answer(listed).unwrap();
    assert_eq!(told["turns"][0], json!({"turn": "t", "position": 2, "role": "user", "text": "x", "time": "now"}));
    assert_eq!((&told["earlier"], &told["later"]), (&json!(2), &json!(0)));
    let long = json!({"conversation": "c", "earlier": 0, "later": 0, "data": [{
        "id": "t", "position": 0, "role": "tool", "time": "now", "text": "é".repeat(100_000),
    }]});
    let told = MemoryTool::ReadAround.answer(long).unwrap();
    let text = told["turns"][0]["text"].as_str().unwrap();
    assert!(text.ends_with("é…") && text.len() < 17_000, "{}", text.len());
    let found = json!({"evidence": {"is_enough": true}, "turns_waiting": 0, "results": [{
        "turn": "t", "conversation": "c", "position": 0, "role": "user", "text": "x", "time": "now", "score": 0.123_456,
        "main_point": ["x"], "cosine": 0.5,
    }]});
    let told = MemoryTool::Search.answer(found).unwrap();
    assert_eq!((&told["likely"], &told["turns"][0]["score"]), (&json!(true), &json!(0.123)));
    let page = json!({"object": "list", "has_more": false, "next": null, "data": [{
        "id": "c", "turns": 3, "first_turn": "t", "last_turn": "u", "first_time": "a", "last_time": "b",
        "first_words": "w", "branches_from": null,
    }]});
    let told = MemoryTool::ListConversations.answer(page).unwrap();
    assert_eq!((&told["conversations"][0]["conversation"], &told["next"]), (&json!("c"), &Value::Null));
    let topics = json!({"object": "list", "main_points": 9, "main_points_looked_at": 9, "timeline_unit": "day", "data": [{
        "words": ["cake"], "turns": 3, "main_points": 4, "first_time": "a", "last_time": "b", "timeline": [],
        "nearest": [{"turn": "t", "time": "a", "main_point": "the cake"}],
    }]});
    let told = MemoryTool::ListTopics.answer(topics).unwrap();
    assert_eq!(told["topics"][0]["typical"][0], json!({"turn": "t", "time": "a", "main_point": "the cake"}));
    assert_eq!(MemoryTool::Forget.answer(json!({"turns_deleted": 4})), Some(json!({"turns_deleted": 4})));
    assert_eq!(MemoryTool::Forget.answer(json!({"object": "list"})), None);
}
