//! One odd message or field in a long conversation: it stays as it is, byte for byte, and the rest is treated as ever.

use mainpoint_tests::conversation::{SYSTEM, everyday_chat};
use mainpoint_tests::{Answer, RecordedRequest, ScriptedUpstream, StartedProxy};
use serde_json::json;

use crate::shared::{asked_again, everyday_messages, receipt};

const BUDGET: usize = 600;
const CODE: &str = "7391-K";
const QUESTION: &str = "What was the padlock code of my locker at the climbing gym again?";

/// An odd message, and what the proxy calls it.
const ODD: [(&str, &str); 14] = [
    ("lone-surrogate", r#"{"role":"user","content":"cut emoji \ud83d"}"#),
    ("lone-surrogate", r#"{"role":"assistant","content":"It says \udfff.","refusal":null}"#),
    ("number-out-of-range", r#"{"role":"user","content":[{"type":"text","text":"a"},{"type":"custom","v":1e400}]}"#),
    ("too-deep", r#"{"role":"user","content":[{"type":"text","text":"a"},{"type":"custom","v":DEEP}]}"#),
    ("unknown-shape", r#"{"role":"user","content":5}"#),
    ("unknown-shape", r#"{"role":"user","content":{"text":"a"}}"#),
    ("unknown-shape", r#"{"role":"assistant","content":true}"#),
    ("null-character", r#"{"role":"user","content":"a\u0000b"}"#),
    ("control-character", "{\"role\":\"user\",\"content\":\"a\tb\"}"),
    ("repeated-key", r#"{"role":"user","content":"a","content":"b"}"#),
    ("unknown-role", r#"{"role":"narrator","content":"Meanwhile, in Graz …"}"#),
    ("no-role", r#"{"content":"Nobody said this."}"#),
    ("no-role", r#"{"role":7,"content":"a"}"#),
    ("not-an-object", r#"["user","a"]"#),
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_odd_message_stays_byte_for_byte_and_the_rest_leaves_and_is_recalled() {
    let upstream = ScriptedUpstream::start().await;
    let proxy = started(&upstream).await;
    proxy.chat(chat(&[], "", "")).await;
    proxy.everything_read().await;
    for (reason, odd) in ODD {
        let odd = odd.replace("DEEP", &format!("{}{}", "[".repeat(200), "]".repeat(200)));
        // In the middle, where everything around it leaves, and at the end.
        for before in [6, 13] {
            let body = chat(&[(before, &odd)], "", "");
            let answer = asked_again(&proxy, body).await;
            let shown = format!("{reason} before exchange {before}: {odd}");
            assert_rewritten(&answer, &upstream.last_request(), &shown);
            assert!(upstream.last_request().contains(&odd), "{shown}");
            let counted = receipt(&proxy, &answer).await["odd_messages"][reason].clone();
            assert_eq!(counted, 1, "{shown}");
        }
        let metric = proxy.metrics().await.sum("mainpoint_odd_messages_total", &[("reason", reason)]);
        assert!(metric >= 4.0, "{reason}: {metric}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn several_odd_messages_and_an_odd_question_stay_where_they_stood() {
    let upstream = ScriptedUpstream::start().await;
    let proxy = started(&upstream).await;
    let places = ODD.iter().enumerate().map(|(at, (_, odd))| (at, *odd));
    let places: Vec<(usize, &str)> = places.filter(|(_, odd)| !odd.contains("DEEP") && odd.len() < 60).collect();
    let body = chat(&places, "", "");
    let answer = asked_again(&proxy, body).await;
    assert_eq!(answer.outcome(), "rewritten", "{:?}", answer.headers);
    let forwarded = upstream.last_request();
    let text = String::from_utf8_lossy(&forwarded.body).into_owned();
    let mut rest = text.as_str();
    for (_, odd) in &places {
        let (_, after) = rest.split_once(odd).unwrap_or_else(|| panic!("{odd} is not at its place in {text}"));
        rest = after;
    }

    // A question that cannot be read is forwarded as it is, behind a prompt that fits.
    let odd = r#"{"role":"user","content":"And the code \ud83d"}"#;
    let body = chat(&[], &format!(",{{\"role\":\"assistant\",\"content\":\"7391-K.\"}},{odd}"), "");
    let answer = asked_again(&proxy, body).await;
    assert_eq!(answer.outcome(), "rewritten", "{:?}", answer.headers);
    assert!(upstream.last_request().contains(odd));
    assert!(answer.count("x-mainpoint-tokens-forwarded") <= BUDGET);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn odd_fields_beside_the_messages_and_a_byte_order_mark_are_forwarded_untouched() {
    let upstream = ScriptedUpstream::start().await;
    let proxy = started(&upstream).await;
    for (mark, fields) in [
        ("", r#","user":42"#),
        ("", r#","user":{"id":7}"#),
        ("\u{feff}", ""),
        ("", r#","seed":1e400,"metadata":{"a":"\ud83d"},"n":1.0"#),
        ("", r#","seed":123456789012345678901234567890"#),
        ("", r#","model":"other","model":"gpt-4o""#),
    ] {
        let body = format!("{mark}{}", chat(&[], "", fields));
        let answer = asked_again(&proxy, body).await;
        let forwarded = upstream.last_request();
        assert_rewritten(&answer, &forwarded, fields);
        assert!(forwarded.body.starts_with(format!("{mark}{{").as_bytes()), "{fields}");
        assert!(forwarded.body.ends_with(format!("]{fields}}}").as_bytes()), "{fields}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn users_that_are_numbers_have_memories_of_their_own() {
    let upstream = ScriptedUpstream::start().await;
    let proxy = started(&upstream).await;
    assert_eq!(asked_again(&proxy, chat(&[], "", r#","user":42"#)).await.outcome(), "rewritten");
    for other in [r#","user":43"#, r#","user":"42""#, ""] {
        // Nothing of theirs has been read, so nothing of theirs may leave.
        let answer = proxy.chat(chat(&[], "", other)).await;
        assert_eq!(answer.outcome(), "passthrough", "{other}");
        proxy.everything_read().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn items_of_a_new_type_stay_with_what_belongs_to_them_and_the_others_leave() {
    let upstream = ScriptedUpstream::start().await;
    let proxy = started(&upstream).await;
    let new = r#"{"type":"dream_call_v2","id":"dr_1","images":[1,2]}"#;
    let reasoning = r#"{"type":"reasoning","id":"rs_1","summary":[],"encrypted_content":"QUJD"}"#;
    let call = r#"{"type":"function_call","call_id":"c1","name":"f","arguments":"{}"}"#;
    let output = r#"{"type":"function_call_output","call_id":"c1","output":"12"}"#;
    let reference = r#"{"type":"item_reference","id":"fc_9"}"#;
    let hidden = r#"{"type":"function_call_output","call_id":"c9","output":"13"}"#;
    let mut items: Vec<String> = Vec::new();
    for (index, exchange) in everyday_chat(CODE)[..16].iter().enumerate() {
        items.push(json!({"role": "user", "content": exchange.user}).to_string());
        match index {
            5 => items.extend([reasoning, new, call, output].map(str::to_owned)),
            8 => items.extend([reference, hidden].map(str::to_owned)),
            _ => {}
        }
        items.push(json!({"type": "message", "role": "assistant", "content": exchange.assistant}).to_string());
    }
    items.push(json!({"role": "user", "content": QUESTION}).to_string());
    let body = format!(r#"{{"model":"gpt-4o","input":[{}]}}"#, items.join(", "));
    for _ in 0..2 {
        let answer = proxy.post("/v1/responses", body.clone()).await;
        proxy.everything_read().await;
        if answer.outcome() == "passthrough" {
            continue;
        }
        assert_rewritten(&answer, &upstream.last_request(), "items");
        let together = [reasoning, new, call, output].join(", ");
        assert!(upstream.last_request().contains(together), "reasoning, call and result stay with the new item");
        assert!(upstream.last_request().contains([reference, hidden].join(", ")), "a hidden call's result stays");
        return;
    }
    panic!("nothing was rewritten");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn system_notes_all_along_the_conversation_stay_and_do_not_keep_the_rest_from_leaving() {
    let upstream = ScriptedUpstream::start().await;
    let proxy = started(&upstream).await;
    let note = |minute: usize| {
        let text = format!(
            "Current time: 2026-11-28 20:{minute:02}. The user is at home. Keep the tone friendly, be brief, do not \
             mention these notes, answer in English."
        );
        json!({"role": "system", "content": text}).to_string()
    };
    let mut messages = vec![SYSTEM.to_owned()];
    for (minute, exchange) in everyday_chat(CODE)[..20].iter().enumerate() {
        messages.push(note(minute));
        messages.push(json!({"role": "user", "content": exchange.user}).to_string());
        messages.push(json!({"role": "assistant", "content": exchange.assistant}).to_string());
    }
    messages.push(json!({"role": "user", "content": QUESTION}).to_string());
    let body = format!(r#"{{"model":"gpt-4o","messages":[{}]}}"#, messages.join(","));
    let first = asked_again(&proxy, body.clone()).await;
    assert_eq!(first.outcome(), "rewritten", "{:?}", first.headers);
    let forwarded = upstream.last_request();
    for minute in 0..20 {
        assert!(forwarded.contains(note(minute)), "the note of minute {minute} stays");
    }
    assert!(forwarded.contains(CODE), "what left is recalled");
    let told = receipt(&proxy, &first).await;
    assert_eq!(told["over_budget"], true, "the notes alone are over the budget: {told}");

    // Nobody can bring it within the budget, so nobody tries it anew with every request.
    let again = proxy.chat(body).await;
    assert_eq!(receipt(&proxy, &again).await["eviction"]["is_new"], false);
    assert_eq!(upstream.last_request().body, forwarded.body);
}

async fn started(upstream: &ScriptedUpstream) -> StartedProxy {
    let builder = StartedProxy::before(upstream);
    builder.budget(BUDGET, 150).start().await
}

/// Sixteen exchanges, the third of which tells the code, with odd messages before some of them; what stands behind the
/// question, and fields behind the messages.
fn chat(odd: &[(usize, &str)], after: &str, fields: &str) -> String {
    format!(r#"{{"model":"gpt-4o","messages":[{}{after}]{fields}}}"#, everyday_messages(CODE, 16, odd).join(","))
}

fn assert_rewritten(answer: &Answer, forwarded: &RecordedRequest, shown: &str) {
    assert_eq!(answer.outcome(), "rewritten", "{shown}: {:?}", answer.headers);
    assert!(answer.count("x-mainpoint-tokens-in") > BUDGET, "{shown}");
    assert!(answer.count("x-mainpoint-tokens-forwarded") <= BUDGET, "{shown}: {:?}", answer.headers);
    assert!(forwarded.contains(CODE), "{shown}: the fact is recalled");
}
