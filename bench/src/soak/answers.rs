//! What the upstream of the soak answers.

use std::time::Duration;

use mainpoint_tests::{RecordedRequest, Reply, ScriptedUpstream, prompt};
use serde_json::json;

/// Between two words of a stream.
const PAUSE: Duration = Duration::from_millis(15);
pub(super) const NOTED: &str = "Noted";

/// Lets an upstream answer each request otherwise, and call the tool that a user's message comes with.
pub(super) fn script(upstream: &ScriptedUpstream) {
    let mut number = 0;
    upstream.always(move |request| {
        number += 1;
        answer(request, number)
    });
}

fn answer(request: &RecordedRequest, number: usize) -> Reply {
    let body = request.json();
    let is_users = prompt::messages(&body).last().is_some_and(|message| prompt::role(message) == "user");
    if is_users && body.get("tools").is_some() {
        let call = json!({"id": format!("call-{number}"), "type": "function", "function": {"name": "look", "arguments": "{}"}});
        let message = json!({"role": "assistant", "content": null, "tool_calls": [call]});
        let choice = json!({"index": 0, "finish_reason": "tool_calls", "logprobs": null, "message": message});
        let completion =
            json!({"id": "c", "object": "chat.completion", "created": 1, "model": "m", "choices": [choice]});
        return Reply::bytes("application/json", completion.to_string());
    }
    request.said(&format!("{NOTED} as number {number}, beside what was there before.")).paced(PAUSE)
}
