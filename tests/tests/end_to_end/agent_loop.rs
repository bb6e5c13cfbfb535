//! An agent on the official `openai` package that calls tools in forty rounds, far over the budget, before a strict upstream.

use http::StatusCode;
use mainpoint_tests::reply::Reply;
use mainpoint_tests::{ScriptedUpstream, StartedProxy, python};
use serde_json::{Value, json};

const BUDGET: u64 = 2000;
const API_KEY: &str = "sk-test-agent";
const ROUNDS: usize = 40;
const DONE: &str = "It is warmest at the last one.";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn forty_rounds_of_parallel_calls_for_one_task_end_well() {
    run(1).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn forty_rounds_of_parallel_calls_with_a_new_task_after_every_five_end_well() {
    run(8).await;
}

async fn run(tasks: usize) {
    let upstream = ScriptedUpstream::start().await;
    upstream.be_strict();
    script(&upstream, tasks);
    let proxy = StartedProxy::before(&upstream).budget(usize::try_from(BUDGET).expect("a size"), 300).start().await;
    let (server, count) = (format!("http://{}", proxy.authority()), tasks.to_string());
    let ran = tokio::task::spawn_blocking(move || python::run("agent.py", &[&server, API_KEY, &count], b""));
    let ran = ran.await.expect("a thread");
    assert_eq!(upstream.objections(), Vec::<String>::new(), "the service would have refused");
    let said: Value = serde_json::from_str(&ran.successful().stdout).expect("JSON");

    assert_eq!(said["said"], json!(vec![DONE; tasks]));
    let requests = said["requests"].as_array().expect("a list");
    assert_eq!(requests.len(), ROUNDS + tasks);
    let first = requests.iter().position(|request| request["outcome"] == "rewritten");
    let after = &requests[first.expect("a rewritten prompt")..];
    assert!(after.len() > ROUNDS / 2, "only {} prompts were rewritten", after.len());
    for request in after {
        assert_eq!(request["outcome"], "rewritten", "{request}");
        assert!(request["forwarded"].as_u64().is_some_and(|tokens| tokens <= BUDGET), "{request}");
    }
    let shrank = after.windows(2).filter(|pair| pair[1]["forwarded"].as_u64() < pair[0]["forwarded"].as_u64());
    assert!(shrank.count() >= 3, "prompts come down again after they have passed the budget: {after:#?}");
}

/// Two parallel calls in each round, a sentence at the end of each task; every other answer is a stream, as the agent asks.
fn script(upstream: &ScriptedUpstream, tasks: usize) {
    let mut answers = 0;
    for round in 0..ROUNDS {
        let calls = ["weather", "forecast"].map(|tool| call(tool, round));
        upstream.reply_next(answer(answers, json!({"role": "assistant", "content": null, "tool_calls": calls})));
        answers += 1;
        if (round + 1).is_multiple_of(ROUNDS / tasks) {
            upstream.reply_next(answer(answers, json!({"role": "assistant", "content": DONE})));
            answers += 1;
        }
    }
}

fn call(tool: &str, round: usize) -> Value {
    let arguments = json!({"station": round}).to_string();
    json!({"id": format!("{tool}-{round}"), "type": "function", "function": {"name": tool, "arguments": arguments}})
}

fn answer(number: usize, message: Value) -> Reply {
    let calls = message["tool_calls"].is_array();
    let reason = if calls { "tool_calls" } else { "stop" };
    let base = json!({"id": "chatcmpl-1", "created": 1, "model": "gpt-4o-mini"});
    if number.is_multiple_of(2) {
        let mut completion = base;
        completion["object"] = json!("chat.completion");
        completion["choices"] = json!([{"index": 0, "message": message, "finish_reason": reason, "logprobs": null}]);
        return Reply::bytes("application/json", completion.to_string());
    }
    let mut delta = message;
    for (index, call) in delta["tool_calls"].as_array_mut().into_iter().flatten().enumerate() {
        call["index"] = json!(index);
    }
    let mut stream = Reply::status(StatusCode::OK).header("content-type", "text/event-stream");
    for (delta, reason) in [(delta, Value::Null), (json!({}), json!(reason))] {
        let mut chunk = base.clone();
        chunk["object"] = json!("chat.completion.chunk");
        chunk["choices"] = json!([{"index": 0, "delta": delta, "finish_reason": reason}]);
        stream = stream.then(format!("data: {chunk}\n\n"));
    }
    stream.then("data: [DONE]\n\n")
}
