//! What needs no rewriting passes as it is: every byte of the request, every byte of the answer, as soon as it comes.

use std::time::Duration;

use futures::StreamExt;
use http::StatusCode;
use mainpoint_tests::reply::chunk;
use mainpoint_tests::{Gate, Reply, ScriptedUpstream, StartedProxy, within};
use serde_json::json;

/// Requests that no serializer would write back as they are.
const ODD_REQUESTS: [&str; 8] = [
    r#"{"model":"gpt-4o","messages":[{"role":"user","content":"hello"}]}"#,
    "\r\n\t {  \"messages\" :\n[ { \"content\"\t: \"a\\u0062\\/c \\ud83d\\ude00 \u{fc}\" , \"role\" : \"user\" } ] ,\"model\":\"x\" }\r\n ",
    r#"{"temperature":1.0E+0,"top_p":0.10,"seed":12345678901234567890123,"messages":[{"role":"user","content":"n"}],"model":"x"}"#,
    r#"{"unknown":{"b":1,"a":[null,-0,-0.0,1e400]},"messages":[{"role":"user","content":"u","x":{"z":1,"a":2}}],"model":"x"}"#,
    r#"{"messages":[{"role":"user","content":[{"type":"text","text":"see"},{"type":"image_url","image_url":{"url":"data:image/png;base64,AAAA","detail":"low"}},{"text":"this","type":"text"}]}],"model":"x"}"#,
    r#"{"model":"x","model":"y","messages":[{"role":"developer","content":"d"},{"role":"user","name":"\u005a","content":"twice"}],"n":2,"logprobs":true}"#,
    r#"{"messages":[{"role":"user","content":"weather?"},{"role":"assistant","content":null,"tool_calls":[{"id":"c1","type":"function","function":{"name":"w","arguments":"{ \"a\" : 1.0 }"}}]},{"role":"tool","tool_call_id":"c1","content":"sun"}],"model":"x"}"#,
    r#"{"messages":[{"role":"user","content":"a\u0000b\u2028c"}],"model":"x","metadata":{"":""}}"#,
];

/// A whole gzip file of an answer without choices.
const GZIP: [u8; 34] = [
    31, 139, 8, 0, 0, 0, 0, 0, 2, 3, 171, 86, 74, 206, 200, 207, 76, 78, 45, 86, 178, 138, 142, 173, 5, 0, 75, 158,
    186, 173, 14, 0, 0, 0,
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn requests_under_the_budget_and_all_answers_pass_byte_for_byte() {
    let upstream = ScriptedUpstream::start().await;
    let proxy = StartedProxy::before(&upstream).start().await;

    for request in ODD_REQUESTS {
        let answer = proxy.chat(request).await;
        assert_eq!(answer.status, 200, "{request}");
        assert_eq!(upstream.last_request().body, request, "the request's bytes");
        assert_eq!(answer.outcome(), "passthrough", "{request}");
        assert_eq!(answer.header("x-mainpoint-memories"), "0", "{request}");
        let (came, went) = (answer.count("x-mainpoint-tokens-in"), answer.count("x-mainpoint-tokens-forwarded"));
        assert!(came > 0 && came == went, "{came} tokens came, {went} went: {request}");
    }

    for (name, reply) in odd_replies() {
        upstream.reply_next(reply.clone());
        let answer = proxy.chat(ODD_REQUESTS[0]).await;
        assert_eq!(answer.body, reply.body(), "{name}: the answer's bytes");
        assert_eq!(Some(answer.status), reply.status, "{name}");
        for header in ["content-type", "content-encoding", "retry-after"] {
            assert_eq!(answer.headers.get(header), reply.headers.get(header), "{name}: {header}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_event_reaches_the_client_before_the_upstream_sends_the_next() {
    let upstream = ScriptedUpstream::start().await;
    let proxy = StartedProxy::before(&upstream).start().await;
    let gates = [Gate::closed(), Gate::closed(), Gate::closed()];
    let events = [": a comment\n\n", "data: {\"choices\":[]}\n\n", "data: [DONE]\n\n"];
    let mut reply = Reply::events();
    for (event, gate) in events.iter().zip(&gates) {
        reply = reply.then(*event).then_wait(gate);
    }
    upstream.reply_next(reply);

    let response = proxy.open_chat(r#"{"messages":[{"role":"user","content":"hi"}],"model":"x","stream":true}"#).await;
    assert_eq!(response.status(), StatusCode::OK);
    let mut arriving = response.bytes_stream();
    for (event, gate) in events.iter().zip(&gates) {
        let mut arrived = Vec::new();
        while arrived.len() < event.len() {
            let bytes = within("the next event arrives", Duration::from_secs(30), arriving.next()).await;
            arrived.extend(bytes.expect("the stream goes on").expect("the stream is whole"));
        }
        assert_eq!(arrived, event.as_bytes(), "each event alone, although the next one is not sent yet");
        gate.open();
    }
    assert!(arriving.next().await.is_none(), "nothing comes after the last event");
}

/// Answers as upstreams really write them, and as they should not.
fn odd_replies() -> Vec<(&'static str, Reply)> {
    let event = |text: &str| chunk(&json!([{"index": 0, "delta": {"content": text}, "finish_reason": null}]));
    let lines = |end: &str| {
        format!(
            ": ping{end}{end}event: x{end}data: {}{end}{end}data:{}{end}{end}data: [DONE]{end}{end}",
            event("ä"),
            event("😀")
        )
    };
    let stream = |body: String| Reply::bytes("text/event-stream; charset=utf-8", body);
    let odd_json =
        "{ \"choices\":[ {\"message\":{\"content\":\"\\u00e4\",\"role\":\"assistant\"}} ] , \"x\":1.0e+0 }\n\n";
    vec![
        ("JSON", Reply::bytes("application/json", odd_json)),
        ("JSON byte by byte", Reply::bytes("application/json", odd_json).byte_by_byte()),
        ("events with LF", stream(lines("\n"))),
        ("events with CRLF", stream(lines("\r\n"))),
        ("events with CR", stream(lines("\r"))),
        ("events byte by byte", stream(lines("\r\n")).byte_by_byte()),
        ("events without an end", stream(format!("data: {}\n\ndata: {{\"half", event("x")))),
        ("bytes that are no text", Reply::bytes("application/json", vec![0xff, 0xfe, 0x00, 0x80])),
        (
            "a body that is not as compressed as it says",
            Reply::bytes("application/json", vec![0x1f, 0x8b, 8, 0, 1, 2]).header("content-encoding", "gzip"),
        ),
        ("a compressed body", Reply::bytes("application/json", GZIP.to_vec()).header("content-encoding", "gzip")),
        ("an error", Reply::error(StatusCode::TOO_MANY_REQUESTS, "slow down").header("retry-after", "7")),
        ("an error page", Reply::bytes("text/html", "<h1>502</h1>\r\n")),
        ("nothing", Reply::status(StatusCode::NO_CONTENT)),
    ]
}
