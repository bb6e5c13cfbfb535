//! What no memory can quote stays in the prompt with its message, and costs what the model sees of it.

use mainpoint_tests::conversation::everyday_chat;
use mainpoint_tests::{Answer, ProxyBuilder, ScriptedUpstream, StartedProxy};
use serde_json::json;

use crate::shared::{asked_again, everyday_messages, receipt};

const CODE: &str = "7391-K";
const BUDGET: usize = 2500;

/// A PDF of one page and 225 KB, in base64: its head and then the same three bytes again and again.
fn pdf() -> String {
    // "%PDF-1.4\n1 0 obj<</Type /Page>>\n"
    let head = "JVBERi0xLjQKMSAwIG9iajw8L1R5cGUgL1BhZ2U+Pgo";
    format!("{head}{}", "c3Ry".repeat(75_000))
}

/// Parts that hold something else than words, in the middle of the conversation.
fn parts() -> Vec<(&'static str, String)> {
    let data = pdf();
    vec![
        (
            "a file",
            format!(
                r#"{{"type":"file","file":{{"filename":"a.pdf","file_data":"data:application\/pdf;base64,{data}"}}}}"#
            ),
        ),
        (
            "a document",
            format!(
                r#"{{"type":"document","source":{{"type":"base64","media_type":"application/pdf","data":"{data}"}}}}"#
            ),
        ),
        ("a file by its id", r#"{"type":"file","file":{"file_id":"file-1"}}"#.to_owned()),
        (
            "an image",
            r#"{"type":"image_url","image_url":{"url":"https://example.com/a.png", "detail":"high"}}"#.to_owned(),
        ),
        ("sound", format!(r#"{{"type":"input_audio","input_audio":{{"format":"mp3","data":"{data}"}}}}"#)),
        ("a video", r#"{"type":"video_url","video_url":{"url":"data:video/mp4;base64,AAAA"}}"#.to_owned()),
        ("something unknown", r#"{"type":"hologram","rays":[1.0e0,2]}"#.to_owned()),
    ]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_is_no_text_stays_with_its_message_and_the_rest_leaves() {
    let upstream = ScriptedUpstream::start().await;
    let proxy = started(&upstream, StartedProxy::builder()).await;
    for (name, part) in parts() {
        let message =
            format!(r#"{{"role":"user","content":[{{"type":"text","text":"Look at this {name}."}},{part}]}}"#);
        let (answer, forwarded) = asked(&proxy, &upstream, &everyday_messages(CODE, 50, &[(4, &message)])).await;
        assert_eq!(answer.outcome(), "rewritten", "{name}: {:?}", answer.headers);
        assert!(forwarded.contains(&part), "{name} stays as it is");
        assert!(forwarded.contains(format!("Look at this {name}.")), "{name} stays with its words");
        assert!(forwarded.contains(CODE), "{name}: what left is recalled");
        assert!(
            answer.count("x-mainpoint-tokens-in") < 15_000,
            "{name} is not counted by its length: {:?}",
            answer.headers
        );
        let told = receipt(&proxy, &answer).await;
        assert_eq!(told["attachments"], 1, "{name}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_the_newest_attachments_stay_where_the_configuration_says_so() {
    let upstream = ScriptedUpstream::start().await;
    let builder = StartedProxy::builder().setting("memory", "attachments = \"newest 1\"");
    let proxy = started(&upstream, builder).await;
    let image = |number: usize| {
        format!(
            r#"{{"role":"user","content":[{{"type":"text","text":"Picture {number}."}},{{"type":"image_url","image_url":{{"url":"https://example.com/{number}.png"}}}}]}}"#
        )
    };
    let (first, second) = (image(1), image(2));
    let (answer, forwarded) =
        asked(&proxy, &upstream, &everyday_messages(CODE, 50, &[(4, &first), (8, &second)])).await;
    assert_eq!(answer.outcome(), "rewritten");
    assert!(!forwarded.contains("https://example.com/1.png"));
    assert!(forwarded.contains("https://example.com/2.png") && forwarded.contains("Picture 2."));
    assert!(answer.count("x-mainpoint-tokens-forwarded") <= BUDGET);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_budget_that_attachments_alone_exceed_is_told_in_the_receipt_and_not_tried_for_again_and_again() {
    let upstream = ScriptedUpstream::start().await;
    let proxy = started(&upstream, StartedProxy::builder()).await;
    let image = r#"{"type":"image_url","image_url":{"url":"https://example.com/a.png"}}"#;
    let message = format!(r#"{{"role":"user","content":[{}]}}"#, [image; 5].join(","));
    let mut messages = everyday_messages(CODE, 50, &[(4, &message)]);
    let (answer, before) = asked(&proxy, &upstream, &messages).await;
    assert_eq!(answer.outcome(), "rewritten", "{:?}", answer.headers);
    assert!(before.contains(&message) && before.contains(CODE));
    assert_eq!(receipt(&proxy, &answer).await["over_budget"], true);
    let mut evictions = 0;
    for exchange in &everyday_chat(CODE)[50..55] {
        messages.push(json!({"role": "assistant", "content": exchange.assistant}).to_string());
        messages.push(json!({"role": "user", "content": exchange.user}).to_string());
        let (answer, _) = asked(&proxy, &upstream, &messages).await;
        assert_eq!(answer.outcome(), "rewritten");
        evictions += usize::from(receipt(&proxy, &answer).await["eviction"]["is_new"] == true);
    }
    assert!(evictions <= 1, "{evictions} evictions in five requests");
}

async fn started(upstream: &ScriptedUpstream, builder: ProxyBuilder) -> StartedProxy {
    builder.upstream(&upstream.base_url()).budget(BUDGET, 200).start().await
}

/// Asks twice, the second time when everything has been read.
async fn asked(
    proxy: &StartedProxy,
    upstream: &ScriptedUpstream,
    messages: &[String],
) -> (Answer, mainpoint_tests::RecordedRequest) {
    let body = format!(r#"{{"model":"gpt-4o","messages":[{}]}}"#, messages.join(","));
    let answer = asked_again(proxy, body).await;
    (answer, upstream.last_request())
}
