//! Tool calls over the budget: a call and its results leave the prompt together or not at all.

use mainpoint_tests::conversation::SYSTEM;
use mainpoint_tests::{Conversation, ScriptedUpstream, StartedProxy, prompt, tokens};
use serde_json::{Value, json};

const BUDGET: usize = 520;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn parallel_tool_calls_are_kept_whole_wherever_the_prompt_is_cut() {
    let upstream = ScriptedUpstream::start().await;
    let proxy = StartedProxy::before(&upstream).budget(BUDGET, 100).start().await;
    let messages = travel_plan();
    proxy.chat(conversation(&messages).body()).await;
    proxy.everything_read().await;

    let mut rewritten = 0;
    for length in 1..=messages.len() {
        // A client asks after what a person said and after the last of the results.
        let last = prompt::role(&messages[length - 1]);
        let next = messages.get(length).map(prompt::role);
        if !(last == "user" || last == "tool" && next != Some("tool")) {
            continue;
        }
        let asked = conversation(&messages[..length]);
        let answer = proxy.chat(asked.body()).await;
        proxy.everything_read().await;
        let forwarded = upstream.last_request();
        let request = forwarded.json();
        prompt::assert_well_formed(&request);
        let counted = tokens::count_prompt(&request);
        assert!(counted <= BUDGET, "{length} messages: {counted} tokens of {BUDGET}");
        if answer.outcome() == "passthrough" {
            assert_eq!(forwarded.body, asked.body(), "{length} messages");
            continue;
        }
        assert_eq!(answer.outcome(), "rewritten", "{length} messages");
        rewritten += 1;
        assert!(forwarded.contains(SYSTEM), "{length} messages: the system message keeps its bytes");
        assert_kept_as_they_were(&request, &asked, length);
    }
    assert!(rewritten >= 8, "only {rewritten} prompts were rewritten");
}

/// Every forwarded message without a block is one of the original ones, in order, and the newest are there.
fn assert_kept_as_they_were(request: &Value, asked: &Conversation, length: usize) {
    let original: Vec<Value> = asked.messages().iter().map(|raw| serde_json::from_str(raw).expect("JSON")).collect();
    let forwarded = prompt::messages(request);
    let mut rest = original.iter();
    for sent in forwarded {
        let is_it = |own: &Value| match prompt::parts(&prompt::text(sent)).block {
            Some(_) => prompt::role(own) == "user" && prompt::own_text(sent) == prompt::text(own),
            None => sent == own,
        };
        assert!(rest.any(is_it), "{length} messages: {sent} is not one of them, or out of order");
    }
    assert_eq!(rest.count(), 0, "{length} messages: the newest is there");
}

fn conversation(messages: &[Value]) -> Conversation {
    let mut conversation = Conversation::new();
    conversation.raw(SYSTEM);
    for message in messages {
        conversation.message(message);
    }
    conversation
}

/// Six questions; each one is answered with two parallel calls, their results and a sentence, and two with a second round.
fn travel_plan() -> Vec<Value> {
    let mut messages = Vec::new();
    for (index, city) in ["Lisbon", "Porto", "Coimbra", "Braga", "Faro", "Evora"].into_iter().enumerate() {
        messages.push(json!({"role": "user", "content": format!("How is the weather in {city}, and when does the next train go there?")}));
        messages.push(calls(index * 10, ["weather", "trains"], city));
        messages.push(result(
            index * 10,
            &format!(
                "{city}: {} degrees, light wind from the west, some clouds in the evening, no rain before Friday.",
                12 + index
            ),
        ));
        messages.push(result(index * 10 + 1, &format!("Trains to {city}: 0{}:15 from platform {}, change in Entroncamento, 11:4{index} direct, restaurant car.", 6 + index % 3, index + 1)));
        if index % 3 == 1 {
            messages.push(calls(index * 10 + 5, ["seats", "prices"], city));
            messages.push(result(index * 10 + 5, &format!("Seats to {city}: {} left in second class.", 20 - index)));
            messages.push(result(
                index * 10 + 6,
                &format!("Prices to {city}: {}.90 in second class, children half.", 18 + index),
            ));
        }
        messages.push(json!({"role": "assistant", "content": format!("{city} has {} degrees; take the direct train at 11:4{index}.", 12 + index)}));
    }
    messages.push(json!({"role": "user", "content": "Which of the cities was the warmest one, and from which platform does its train go?"}));
    messages
}

fn calls(first: usize, names: [&str; 2], city: &str) -> Value {
    let call = |offset: usize| {
        let arguments = json!({"city": city, "units": "metric"}).to_string();
        json!({"id": format!("call_{}", first + offset), "type": "function", "function": {"name": names[offset], "arguments": arguments}})
    };
    json!({"role": "assistant", "content": null, "tool_calls": [call(0), call(1)]})
}

fn result(id: usize, text: &str) -> Value {
    json!({"role": "tool", "tool_call_id": format!("call_{id}"), "content": text})
}
