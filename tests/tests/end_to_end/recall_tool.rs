//! `memory.tools`: the model asks the memory for more in the middle of an answer, and the client sees one answer.

use http::StatusCode;
use mainpoint_tests::conversation::{TOOLS, everyday_chat};
use mainpoint_tests::{Answer, Conversation, Gate, ProxyBuilder, Reply, ScriptedUpstream, StartedProxy, prompt, sse};
use serde_json::{Value, json};

use crate::shared::{receipt, receipt_of};

const BUDGET: usize = 1200;
const MEMORY: usize = 400;
const TOOL: &str = "mainpoint_recall";
const CODE: &str = "7391-K";
const QUERY: &str = "What was the padlock code of my locker at the climbing gym?";
const FOUND: &str = "It is 7391-K, as you told me.";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_offered_unless_it_is_switched_on_and_something_has_left_the_prompt() {
    let upstream = ScriptedUpstream::start().await;
    let (proxy, conversation) = read(builder(&upstream), chat(CODE)).await;
    assert_eq!(proxy.chat(conversation.body()).await.outcome(), "rewritten");
    assert!(!upstream.last_request().contains(TOOL), "the default is off");

    let (proxy, conversation) = read(offering(&upstream), chat(CODE)).await;
    let mut short = Conversation::new();
    short.user("Hello!");
    assert_eq!(proxy.chat(short.body()).await.outcome(), "passthrough");
    assert_eq!(upstream.last_request().body, short.body());
    for (member, value) in [
        ("n", "2"),
        ("tool_choice", "\"required\""),
        ("tools", r#"[{"type":"function","function":{"name":"mainpoint_recall"}}]"#),
    ] {
        let asked = conversation.clone().member(member, value);
        assert_eq!(proxy.chat(asked.body()).await.outcome(), "rewritten");
        let offered = upstream.last_request().json()["tools"].as_array().map_or(0, Vec::len);
        assert_eq!(offered, usize::from(member == "tools"), "{member}");
    }
    let shadow = proxy.request(http::Method::POST, "/v1/chat/completions").header("x-mainpoint-mode", "shadow");
    shadow.body(conversation.body()).send().await.expect("an answer");
    assert_eq!(upstream.last_request().body, conversation.body());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_call_is_answered_from_the_memory_and_the_client_sees_the_answer_alone() {
    let upstream = ScriptedUpstream::start().await;
    let (proxy, conversation) = read(offering(&upstream), chat(CODE)).await;
    let before = proxy.metrics().await.sum("mainpoint_reader_tokens_total", &[]);
    upstream.reply_next(whole(&json!([recall("call-1", QUERY)])));
    upstream.reply_next(Reply::chat(FOUND));
    let answer = proxy.chat(conversation.body()).await;
    assert_eq!((answer.status, answer.outcome(), &*answer.reply()), (StatusCode::OK, "rewritten", FOUND));
    assert!(!answer.text().contains(TOOL), "{}", answer.text());
    assert_eq!(answer.json()["usage"]["total_tokens"], 36, "what both answers cost: {}", answer.text());

    let [.., first, second] = &upstream.requests()[..] else { panic!("two requests") };
    assert_eq!(first.json()["tools"].as_array().map(Vec::len), Some(1), "{}", first.json());
    assert!(answer.count("x-mainpoint-tokens-forwarded") <= BUDGET, "with the tool");
    let (first, second) = (first.json(), second.json());
    let (asked, known) = (prompt::messages(&second), prompt::messages(&first));
    assert_eq!(&asked[..known.len()], known, "the prompt only grows at its end");
    assert_eq!(second["tools"], first["tools"]);
    let [call, result] = &asked[known.len()..] else { panic!("a call and its result: {second}") };
    assert_eq!(call["tool_calls"], json!([recall("call-1", QUERY)]));
    assert_eq!((&result["role"], &result["tool_call_id"]), (&json!("tool"), &json!("call-1")));
    assert_eq!(codes(result), [CODE], "{result}");

    let receipt = receipt(&proxy, &answer).await;
    assert_eq!(receipt["recall_calls"], 1);
    assert!(receipt["recall_memories"].as_array().is_some_and(|found| !found.is_empty()), "{receipt}");
    assert_eq!(receipt["reply"]["bytes"], FOUND.len(), "what is stored is the answer");
    proxy.everything_read().await;
    let read = proxy.metrics().await.sum("mainpoint_reader_tokens_total", &[]) - before;
    assert!(read > 0.0 && read < 40.0, "{read} tokens were read: the answer, and not what the memory said");

    // What the client sends next has no trace of the call, and the tool is still there.
    let mut next = conversation.clone();
    next.assistant(FOUND);
    next.user("Thank you. And the gym's opening hours?");
    upstream.reply_next(whole(&json!([recall("call-2", "Which bird sings at noon in Antarctica?")])));
    upstream.say_next("I do not know them.");
    assert_eq!(proxy.chat(next.body()).await.reply(), "I do not know them.");
    let [.., third, _] = &upstream.requests()[..] else { panic!("two requests") };
    assert_eq!(third.json()["tools"], first["tools"]);
    assert!(!third.contains("call-1"));
    assert_eq!(upstream.objections(), Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_a_stream_with_a_call_the_client_sees_one_stream() {
    let upstream = ScriptedUpstream::start().await;
    let (proxy, conversation) = read(offering(&upstream), chat(CODE)).await;
    let asked = conversation.streaming().member("stream_options", r#"{"include_usage":true}"#);
    let gate = Gate::closed();
    upstream.reply_next(stream("one", "Let me see. ", &json!([recall("call-1", QUERY)])));
    upstream.reply_next(stream("two", FOUND, &json!(null)).held_back(&gate));
    let mut response = proxy.open_chat(asked.body()).await;
    let mut first = Vec::new();
    while !String::from_utf8_lossy(&first).contains("see. ") {
        first.extend_from_slice(&response.chunk().await.expect("a stream").expect("the text before the call"));
    }
    gate.open();
    let rest = Answer::from_response(response).await;
    let body = [&first[..], &rest.body].concat();
    let text = String::from_utf8_lossy(&body);
    assert!(!text.contains(TOOL) && sse::is_done(&body), "{text}");
    assert_eq!(text.matches("[DONE]").count(), 1, "{text}");
    let said = format!("Let me see. {FOUND}");
    assert_eq!(sse::assembled_text(&body), said);
    let chunks = sse::chunks(&body);
    assert!(chunks.iter().all(|chunk| chunk["id"] == "one"), "{text}");
    let count = |field: &str| chunks.iter().filter(|chunk| !chunk.pointer(field).is_none_or(Value::is_null)).count();
    assert_eq!(
        (count("/choices/0/delta/role"), count("/choices/0/finish_reason"), count("/usage")),
        (1, 1, 1),
        "{text}"
    );
    assert_eq!(chunks.last().expect("a chunk")["usage"]["total_tokens"], 10);
    assert_eq!(codes(prompt::messages(&upstream.last_request().json()).last().expect("a result")), [CODE]);
    let told = receipt(&proxy, &rest).await;
    assert_eq!((&told["recall_calls"], &told["reply"]["bytes"]), (&json!(1), &json!(said.len())));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn beside_the_clients_own_tools_ours_is_one_more_and_its_calls_are_not_seen() {
    let upstream = ScriptedUpstream::start().await;
    let mut own = Conversation::new().member("tools", TOOLS);
    chat(CODE).messages().iter().for_each(|message| own.raw(message));
    let (proxy, conversation) = read(offering(&upstream), own).await;
    let timer =
        json!({"id": "call-2", "type": "function", "function": {"name": "set_timer", "arguments": "{\"minutes\":5}"}});
    let both = json!([recall("call-1", QUERY), timer]);
    let count = upstream.requests().len();
    upstream.reply_next(whole(&both));
    let seen = proxy.chat(conversation.body()).await.json();
    assert_eq!(seen["choices"][0]["message"]["tool_calls"], json!([timer]));
    let forwarded = upstream.last_request();
    assert!(forwarded.contains(TOOLS.trim_end_matches(" ]")), "the client's tools keep their bytes");
    assert_eq!(forwarded.json()["tools"].as_array().map(Vec::len), Some(3));

    upstream.reply_next(stream("one", "", &both));
    let seen = proxy.chat(conversation.streaming().body()).await;
    let calls: Vec<Value> =
        sse::chunks(&seen.body).iter().map(|chunk| chunk["choices"][0]["delta"]["tool_calls"][0].clone()).collect();
    let calls: Vec<&Value> = calls.iter().filter(|call| !call.is_null()).collect();
    assert_eq!((calls.len(), &calls[0]["index"], &calls[0]["function"]["name"]), (1, &json!(0), &json!("set_timer")));
    assert!(seen.text().contains("\"tool_calls\"") && !seen.text().contains(TOOL), "{}", seen.text());
    assert_eq!(upstream.requests().len(), count + 2, "nothing is recalled for a call that nobody waits for");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_two_rounds_the_model_has_to_answer() {
    let upstream = ScriptedUpstream::start().await;
    let (proxy, conversation) = read(offering(&upstream), chat(CODE)).await;
    for is_stream in [false, true] {
        let asked = if is_stream { conversation.streaming() } else { conversation.clone() };
        let count = upstream.requests().len();
        for round in ["call-1", "call-2", "call-3"] {
            let calls = json!([recall(round, QUERY), recall(&format!("{round}-b"), "Where do I live?")]);
            upstream.reply_next(if is_stream { stream(round, "", &calls) } else { whole(&calls) });
        }
        let answer = proxy.chat(asked.body()).await;
        assert_eq!(answer.status, StatusCode::OK);
        assert!(!answer.text().contains(TOOL) && answer.text().contains("\"stop\""), "{}", answer.text());
        let requests = upstream.requests().split_off(count);
        let choices: Vec<Value> = requests.iter().map(|request| request.json()["tool_choice"].clone()).collect();
        assert_eq!(choices, [Value::Null, Value::Null, json!("none")]);
        let tools = requests.iter().map(|request| request.json()["tools"].clone());
        assert!(
            tools.clone().all(|tools| tools[0]["function"]["name"] == TOOL),
            "the head of the prompt stays as it is"
        );
        assert_eq!(receipt(&proxy, &answer).await["recall_calls"], 4);
    }
    assert_eq!(upstream.objections(), Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_upstream_that_fails_after_a_call_is_seen_to_fail_and_a_client_that_leaves_ends_all() {
    let upstream = ScriptedUpstream::start().await;
    let (proxy, conversation) = read(offering(&upstream), chat(CODE)).await;
    let calls = json!([recall("call-1", QUERY)]);
    upstream.reply_next(whole(&calls));
    upstream.reply_next(Reply::error(StatusCode::TOO_MANY_REQUESTS, "slow down"));
    let answer = proxy.chat(conversation.body()).await;
    assert_eq!((answer.status, answer.error()["message"].as_str()), (StatusCode::TOO_MANY_REQUESTS, Some("slow down")));

    // A request that meets a kept-alive connection as it closes is sent again, once.
    let failures =
        [vec![Reply::hang_up(), Reply::hang_up()], vec![Reply::error(StatusCode::TOO_MANY_REQUESTS, "slow down")]];
    for failure in failures {
        upstream.reply_next(stream("one", "Let me see. ", &calls));
        failure.into_iter().for_each(|reply| upstream.reply_next(reply));
        let answer = proxy.chat(conversation.streaming().body()).await;
        let last = sse::chunks(&answer.body).pop().expect("an event");
        assert!(last["error"]["message"].is_string() && !sse::is_done(&answer.body), "{}", answer.text());
        assert!(answer.text().contains("see. ") && !answer.text().contains(TOOL), "{}", answer.text());
    }

    let count = upstream.requests().len();
    upstream.reply_next(stream("one", "Let me see. ", &calls));
    upstream.reply_next(stream("two", FOUND, &json!(null)).held_back(&Gate::closed()));
    let mut response = proxy.open_chat(conversation.streaming().body()).await;
    assert!(response.chunk().await.expect("a stream").is_some());
    upstream.arrived(count + 2).await;
    drop(response);
    upstream.abandoned(1).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_call_finds_what_its_own_caller_said_and_nothing_where_the_memory_fails() {
    let upstream = ScriptedUpstream::start().await;
    let builder = offering(&upstream).setting("server", "fault_injection = true");
    let (proxy, ours) = read(builder, chat(CODE)).await;
    let theirs = chat("5528-M");
    let other = "Bearer sk-test-tenant-b";
    proxy.chat_as(other, theirs.body()).await;
    proxy.everything_read().await;
    let ask = || {
        upstream.reply_next(whole(&json!([recall("call-1", QUERY)])));
        upstream.reply_next(Reply::chat(FOUND));
    };
    ask();
    let answer = proxy.chat_as(other, theirs.body()).await;
    assert_eq!(codes(prompt::messages(&upstream.last_request().json()).last().expect("a result")), ["5528-M"]);
    assert_eq!(receipt_of(&proxy, other, &answer).await["recall_calls"], 1);

    // The prompt was made before the memory failed; the question that comes in the middle finds nothing, and the model goes on.
    let gate = Gate::closed();
    let count = upstream.requests().len();
    upstream.reply_next(whole(&json!([recall("call-1", QUERY)])).held_back(&gate));
    upstream.reply_next(Reply::chat(FOUND));
    let body = ours.body();
    let (answer, ()) = tokio::join!(proxy.chat(body), async {
        upstream.arrived(count + 1).await;
        proxy.stop_part("questions").await;
        gate.open();
    });
    assert_eq!(answer.reply(), FOUND);
    let request = upstream.last_request().json();
    assert_eq!(prompt::text(prompt::messages(&request).last().expect("a result")), "Nothing was found.");
    assert!(proxy.metrics().await.sum("mainpoint_failures_total", &[]) >= 1.0);
}

fn builder(upstream: &ScriptedUpstream) -> ProxyBuilder {
    upstream.be_strict();
    StartedProxy::before(upstream).budget(BUDGET, MEMORY)
}

fn offering(upstream: &ScriptedUpstream) -> ProxyBuilder {
    builder(upstream).setting("memory", "tools = true")
}

/// A conversation in which the code was told long ago, and that now is about something else.
fn chat(code: &str) -> Conversation {
    let mut conversation = Conversation::new();
    conversation.exchanges(&everyday_chat(code)[..30]);
    conversation.user("And what could I cook tonight?");
    conversation
}

/// The started proxy when it has read a conversation.
async fn read(builder: ProxyBuilder, conversation: Conversation) -> (StartedProxy, Conversation) {
    let proxy = builder.start().await;
    proxy.chat(conversation.body()).await;
    proxy.everything_read().await;
    (proxy, conversation)
}

/// The codes that a message tells, each once.
fn codes(message: &Value) -> Vec<&'static str> {
    let text = prompt::text(message);
    [CODE, "5528-M"].into_iter().filter(|code| text.contains(code)).collect()
}

fn recall(id: &str, query: &str) -> Value {
    let arguments = json!({"query": query}).to_string();
    json!({"id": id, "type": "function", "function": {"name": TOOL, "arguments": arguments}})
}

/// A whole answer that makes these calls.
fn whole(calls: &Value) -> Reply {
    let message = json!({"role": "assistant", "content": null, "tool_calls": calls, "refusal": null});
    let completion = json!({
        "id": "chatcmpl-calls", "object": "chat.completion", "created": 1, "model": "scripted",
        "choices": [{"index": 0, "message": message, "finish_reason": "tool_calls", "logprobs": null}],
        "usage": {"prompt_tokens": 11, "completion_tokens": 7, "total_tokens": 18},
    });
    Reply::bytes("application/json", completion.to_string())
}

/// A streamed answer with this id: a text, then calls, if any, and what it cost.
fn stream(id: &str, text: &str, calls: &Value) -> Reply {
    let mut deltas = vec![json!({"role": "assistant", "content": ""}), json!({"content": text})];
    for (index, call) in calls.as_array().into_iter().flatten().enumerate() {
        let mut call = call.clone();
        call["index"] = json!(index);
        deltas.push(json!({"tool_calls": [call]}));
    }
    let chunk = |choices: Value| json!({"id": id, "object": "chat.completion.chunk", "created": 1, "model": "scripted", "choices": choices, "usage": null});
    let mut reply = Reply::events();
    for delta in deltas {
        let choice = json!({"index": 0, "delta": delta, "finish_reason": null});
        reply = reply.event(&chunk(json!([choice])).to_string());
    }
    let reason = if calls.is_array() { "tool_calls" } else { "stop" };
    let end = chunk(json!([{"index": 0, "delta": {}, "finish_reason": reason}]));
    let mut cost = chunk(json!([]));
    cost["usage"] = json!({"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5});
    reply.event(&end.to_string()).event(&cost.to_string()).event("[DONE]")
}
