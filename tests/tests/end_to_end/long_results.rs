//! An agent whose tools return long lists: old ones are shortened before rounds leave, and what they said is recalled.

use std::collections::BTreeMap;

use mainpoint_tests::conversation::SYSTEM;
use mainpoint_tests::{Conversation, ScriptedUpstream, StartedProxy, prompt, tokens};
use serde_json::{Value, json};

const BUDGET: usize = 5000;
const MEMORY: usize = 600;
const ROUNDS: usize = 9;
const CODE: &str = "QX-4471";
const SHORTENED: &str = "<mainpoint-condensed>";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn old_results_are_shortened_before_rounds_leave_and_an_answer_in_one_is_recalled() {
    let upstream = ScriptedUpstream::start().await;
    let proxy = StartedProxy::before(&upstream).budget(BUDGET, MEMORY).start().await;
    let mut conversation = Conversation::new();
    conversation.raw(SYSTEM);
    conversation.user("Make a list of all ships in the harbour, berth by berth.");
    // What was shortened, by the call that it answers.
    let mut shortened: BTreeMap<String, String> = BTreeMap::new();
    let mut whole_and_short = 0;
    for round in 0..ROUNDS {
        conversation.message(&call(round));
        conversation.message(&result(round));
        let answer = proxy.chat(conversation.body()).await;
        proxy.everything_read().await;
        let forwarded = upstream.last_request();
        let request = forwarded.json();
        prompt::assert_well_formed(&request);
        let counted = tokens::count_prompt(&request);
        assert!(counted <= BUDGET, "round {round}: {counted} tokens of {BUDGET}");
        if answer.outcome() == "passthrough" {
            assert_eq!(forwarded.body, conversation.body(), "round {round}");
            continue;
        }
        let (messages, asked) = (prompt::messages(&request), conversation.messages());
        let now: Vec<&Value> = messages.iter().filter(|message| is_shortened(message)).collect();
        for message in &now {
            let (name, text) = (message["tool_call_id"].as_str().expect("a name"), prompt::text(message));
            let known = shortened.entry(name.to_owned()).or_insert_with(|| text.clone());
            assert_eq!(*known, text, "round {round}: what was shortened stays as it was");
            let mut own = asked.iter().map(|raw| serde_json::from_str::<Value>(raw).expect("JSON"));
            let own = own.find(|own| own["tool_call_id"] == name).expect("the result itself");
            assert!(text.len() < prompt::text(&own).len(), "round {round}: {text}");
        }
        let mut newest = messages.iter().rev().filter(|message| prompt::role(message) == "tool").take(2);
        assert!(newest.all(|message| !is_shortened(message)), "round {round}: the newest stay");
        if now.len() >= 3 && messages.len() == asked.len() {
            whole_and_short += 1;
        }
    }
    assert!(whole_and_short > 0, "in no prompt all messages stood with old results shortened");
    let metrics = proxy.metrics().await;
    assert_eq!(metrics.sum("mainpoint_shortened_results_total", &[]), shortened.len() as f64);

    conversation.assistant("That is every berth.");
    conversation.user("What is the door code of the harbour master's office?");
    proxy.chat(conversation.body()).await;
    let request = upstream.last_request().json();
    prompt::assert_well_formed(&request);
    // The block of this question has it, or an earlier one that is put back; what stands in the prompt is not quoted again.
    let quoted = |message: &&Value| {
        let text = prompt::text(message);
        prompt::role(message) == "user" && text.contains(CODE) && text.contains("tool result")
    };
    assert_eq!(prompt::messages(&request).iter().filter(quoted).count(), 1, "{request}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn where_results_are_not_to_be_shortened_none_is() {
    let upstream = ScriptedUpstream::start().await;
    let builder = StartedProxy::before(&upstream).budget(BUDGET, MEMORY);
    let proxy = builder.setting("memory", "shorten_tool_results = false").start().await;
    let mut conversation = Conversation::new();
    conversation.user("Make a list of all ships in the harbour, berth by berth.");
    for round in 0..ROUNDS {
        conversation.message(&call(round));
        conversation.message(&result(round));
    }
    proxy.chat(conversation.body()).await;
    proxy.everything_read().await;
    assert_eq!(proxy.chat(conversation.body()).await.outcome(), "rewritten");
    let request = upstream.last_request().json();
    prompt::assert_well_formed(&request);
    assert!(prompt::messages(&request).iter().all(|message| !is_shortened(message)), "{request}");
}

fn is_shortened(message: &Value) -> bool {
    prompt::role(message) == "tool" && prompt::text(message).starts_with(SHORTENED)
}

fn call(round: usize) -> Value {
    let arguments = json!({"quay": round, "details": true}).to_string();
    let call = json!({"id": format!("call_{round}"), "type": "function", "function": {"name": "list_berths", "arguments": arguments}});
    json!({"role": "assistant", "content": null, "tool_calls": [call]})
}

/// A list of berths; the first one tells the code among them.
fn result(round: usize) -> Value {
    const CARGOES: [&str; 5] =
        ["timber from Riga", "coffee from Santos", "steel pipes", "wheat in bulk", "empty containers"];
    const SHIPS: [&str; 6] = ["Heron", "Marigold", "Northern Star", "Baltic Wind", "Osprey", "Clementine"];
    let record = |berth: usize| {
        let number = round * 31 + berth * 7;
        json!({
            "berth": format!("{round}-{berth}"),
            "ship": SHIPS[number % SHIPS.len()],
            "cargo": CARGOES[number % CARGOES.len()],
            "leaves": format!("2026-12-{:02}", number % 28 + 1),
        })
    };
    let mut records: Vec<Value> = (0..18).map(record).collect();
    if round == 0 {
        let office = format!("The door code of the harbour master's office is {CODE}.");
        records.insert(7, json!({"berth": "office", "note": office}));
    }
    json!({"role": "tool", "tool_call_id": format!("call_{round}"), "content": json!({ "berths": records }).to_string()})
}
