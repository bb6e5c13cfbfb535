//! An agent that has worked for a task and asks for leave: when its calls leave the prompt, the task and its question stay.

use mainpoint_tests::conversation::SYSTEM;
use mainpoint_tests::{Conversation, ScriptedUpstream, StartedProxy, prompt, tokens};
use serde_json::{Value, json};

use crate::shared::{asked_again, receipt};

const TASK: &str =
    "Please find out why the nightly job 'harvest-7' fails; the ticket is OPS-4711 and the owner is Radka.";
const PROPOSAL: &str = "The job harvest-7 fails since the broker is out of leases; I suggest to raise lease.max to 400 and to \
                        restart worker-6. Shall I do both?";
const CONFIRMATION: &str = "OK, do both please, but wait for my go.";
const ROUNDS: usize = 4;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_user_confirms_is_still_there_when_the_calls_that_led_to_it_leave() {
    let upstream = ScriptedUpstream::start().await;
    upstream.be_strict();
    let mut conversation = worked();
    let came: Value = serde_json::from_str(&conversation.body()).expect("JSON");
    let budget = tokens::count_prompt(&came) - 20;
    let proxy = StartedProxy::before(&upstream).budget(budget, 300).start().await;

    let answer = asked_again(&proxy, conversation.body()).await;
    assert_eq!(answer.outcome(), "rewritten", "{:?}", answer.headers);
    assert!(answer.count("x-mainpoint-tokens-forwarded") <= budget, "{:?}", answer.headers);
    let told = receipt(&proxy, &answer).await;
    assert_eq!((&told["over_budget"], &told["eviction"]["is_new"]), (&json!(false), &json!(true)), "{told}");
    let first = upstream.last_request().json();
    assert_eq!(said(&first), [("user", TASK), ("assistant", PROPOSAL), ("user", CONFIRMATION)].map(owned));

    conversation.assistant("I am ready and wait for your go.");
    conversation.user("go");
    let answer = asked_again(&proxy, conversation.body()).await;
    assert_eq!(receipt(&proxy, &answer).await["eviction"]["is_new"], false);
    let second = upstream.last_request().json();
    let (before, after) = (prompt::messages(&first), prompt::messages(&second));
    assert!(after.starts_with(before), "the prompt only grows: {second}");
    let ending = [("assistant", "I am ready and wait for your go."), ("user", "go")].map(owned);
    assert_eq!(said(&second)[3..], ending);
    assert_eq!(upstream.objections(), Vec::<String>::new(), "the service would have refused");
}

/// Who said what, without the system message and without memories.
fn said(request: &Value) -> Vec<(String, String)> {
    let said = prompt::messages(request).iter().skip(1);
    said.map(|message| (prompt::role(message).to_owned(), prompt::own_text(message))).collect()
}

fn owned((role, text): (&str, &str)) -> (String, String) {
    (role.to_owned(), text.to_owned())
}

/// A task, four rounds of over a thousand tokens each, what the agent suggests and what the user says to that.
fn worked() -> Conversation {
    let mut conversation = Conversation::new();
    conversation.raw(SYSTEM);
    conversation.user(TASK);
    for round in 0..ROUNDS {
        let arguments = json!({"cmd": format!("cat log{round}")}).to_string();
        let call = json!({
            "id": format!("call_{round}"), "type": "function", "function": {"name": "run", "arguments": arguments},
        });
        conversation.message(&json!({"role": "assistant", "content": null, "tool_calls": [call]}));
        let id = format!("call_{round}");
        conversation.message(&json!({"role": "tool", "tool_call_id": id, "content": log(round)}));
    }
    conversation.assistant(PROPOSAL);
    conversation.user(CONFIRMATION);
    conversation
}

fn log(round: usize) -> String {
    let lines = (0..40).map(|line| {
        let level = if line == 7 { "ERROR" } else { "INFO" };
        let milliseconds = (round * 977 + line * 131) % 9999;
        format!(
            "2026-11-29T0{round}:{line:02}:11Z {level} worker-{} lease queue took {milliseconds} ms\n",
            line % 9 + 1
        )
    });
    lines.collect()
}
