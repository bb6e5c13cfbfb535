//! Requests whose bodies are compressed: the memory looks into them, and what is not rewritten goes on as it came.

use http::Method;
use mainpoint_tests::compression::compressed;
use mainpoint_tests::conversation::thirty_exchanges_and_the_question;
use mainpoint_tests::{Answer, Conversation, ScriptedUpstream, StartedProxy, prompt, usage};

const CODE: &str = "5520-T";
const LIMIT: usize = 1 << 20;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_compressed_body_is_remembered_and_rewritten_like_a_plain_one() {
    let upstream = ScriptedUpstream::start().await;
    let proxy = StartedProxy::before(&upstream).budget(1000, 200).start().await;
    let (short, long) = (greeting().body(), thirty_exchanges_and_the_question(CODE).body());

    // Within the budget the very bytes go on, with what the request says of them.
    for (name, body) in encodings(short.as_bytes()) {
        let answer = post(&proxy, &name, body.clone()).await;
        assert_eq!((answer.outcome(), answer.reason()), ("passthrough", ""), "{name}");
        assert!(answer.count("x-mainpoint-tokens-in") > 0, "{name}: the memory looked inside");
        let received = upstream.last_request();
        assert_eq!(received.body, body, "{name}");
        assert_eq!(received.header("content-encoding"), name);
        assert_eq!(received.header("content-length"), body.len().to_string(), "{name}");
    }

    let (_, zstandard) = encodings(long.as_bytes()).remove(0);
    post(&proxy, "zstd", zstandard).await;
    proxy.everything_read().await;
    let plain = post(&proxy, "", long.clone().into_bytes()).await;
    assert_eq!(plain.outcome(), "rewritten");
    let expected = upstream.last_request();
    assert!(prompt::memory_block(&expected.json()).is_some_and(|block| block.contains(CODE)));

    // Over it the rewritten prompt goes on plainly, byte for byte the one of the plain request.
    for (name, body) in encodings(long.as_bytes()) {
        let answer = post(&proxy, &name, body).await;
        assert_eq!(answer.outcome(), "rewritten", "{name}");
        assert_eq!(answer.count("x-mainpoint-tokens-in"), plain.count("x-mainpoint-tokens-in"));
        let received = upstream.last_request();
        assert_eq!(received.body, expected.body, "{name}");
        assert!(!received.headers.contains_key("content-encoding"), "{name}");
        assert!(!received.headers.contains_key("content-digest"), "{name}");
        assert_eq!(received.header("content-length"), expected.body.len().to_string(), "{name}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_body_that_cannot_be_decompressed_goes_on_as_it_came_and_the_reason_is_told_and_counted() {
    let upstream = ScriptedUpstream::start().await;
    let builder = StartedProxy::before(&upstream);
    let limit = format!("max_body_bytes = {LIMIT}");
    let proxy = builder.setting("server", &limit).start().await;
    let body = greeting().body().into_bytes();
    let bomb = vec![b' '; 200 << 20];
    let cut = compressed("zstd", &body);
    let cut = cut[..cut.len() / 2].to_vec();
    let cases: [(&str, Vec<u8>, &str); 7] = [
        ("br", b"\x0b\x02\x80{}\x03".to_vec(), "unknown-encoding"),
        ("compress", body.clone(), "unknown-encoding"),
        ("gzip", body.clone(), "broken-encoding"),
        ("zstd", cut, "broken-encoding"),
        ("gzip", compressed("gzip", &bomb), "decompressed-too-large"),
        ("zstd", compressed("zstd", &bomb), "decompressed-too-large"),
        ("gzip, zstd", compressed("zstd", &compressed("gzip", &bomb)), "decompressed-too-large"),
    ];
    let resident = || usage::of_tree(proxy.process_id()).resident_mib;
    let before = resident();
    for (name, body, reason) in &cases {
        assert!(body.len() < LIMIT, "{name}: {} bytes", body.len());
        let answer = post(&proxy, name, body.clone()).await;
        assert_eq!(answer.status, 200, "{name} {reason}");
        assert_eq!(answer.header("x-mainpoint"), format!("passthrough; reason={reason}"), "{name}");
        let received = upstream.last_request();
        assert_eq!(received.body, body, "{name} {reason}");
        assert_eq!(received.header("content-encoding"), *name);
    }
    let metrics = proxy.metrics().await;
    for reason in ["unknown-encoding", "broken-encoding", "decompressed-too-large"] {
        let expected = cases.iter().filter(|case| case.2 == reason).count();
        let counted = metrics.sum("mainpoint_passthrough_total", &[("reason", reason)]);
        assert!((counted - expected as f64).abs() < f64::EPSILON, "{reason}: {counted}");
    }
    let more = resident() - before;
    assert!(more < 150.0, "bombs of 200 MiB took {more} MiB");

    // With the mode off nobody looks.
    let request = request(&proxy, "zstd", compressed("zstd", &body)).header("x-mainpoint-mode", "off");
    let answer = Answer::from_response(request.send().await.expect("an answer")).await;
    assert_eq!(answer.header("x-mainpoint"), "passthrough; reason=mode-off");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_embedded_model_understands_compressed_bodies_and_says_which_it_does_not() {
    let proxy = StartedProxy::builder().start().await;
    let body = br#"{"model":"embedded","temperature":0,"max_tokens":2,"messages":[{"role":"user","content":"Hi"}]}"#;
    let plain = post(&proxy, "", body.to_vec()).await;
    for (name, body) in encodings(body) {
        let answer = post(&proxy, &name, body).await;
        assert_eq!(answer.status, 200, "{name}: {}", answer.text());
        assert_eq!(answer.reply(), plain.reply(), "{name}");
    }
    for (name, status, code) in [("br", 415, "unsupported_encoding"), ("gzip", 400, "invalid_request")] {
        let answer = post(&proxy, name, body.to_vec()).await;
        assert_eq!(answer.status, status, "{name}");
        assert_eq!(answer.error()["code"], code, "{name}");
    }
}

/// Every way to send a body: the header and the bytes.
fn encodings(body: &[u8]) -> Vec<(String, Vec<u8>)> {
    let mut ways: Vec<(String, Vec<u8>)> =
        ["zstd", "gzip", "deflate", "identity"].map(|name| (name.to_owned(), compressed(name, body))).into();
    ways.push(("X-GZip".to_owned(), compressed("gzip", body)));
    ways.push(("gzip, zstd".to_owned(), compressed("zstd", &compressed("gzip", body))));
    ways
}

async fn post(proxy: &StartedProxy, encoding: &str, body: Vec<u8>) -> Answer {
    let sent = request(proxy, encoding, body).send();
    Answer::from_response(sent.await.expect("an answer")).await
}

fn request(proxy: &StartedProxy, encoding: &str, body: Vec<u8>) -> reqwest::RequestBuilder {
    let request = proxy.request(Method::POST, "/v1/chat/completions");
    let request = request.header("content-type", "application/json").body(body);
    if encoding.is_empty() {
        return request;
    }
    request.header("content-encoding", encoding).header("content-digest", "sha-256=:AAAA:")
}

fn greeting() -> Conversation {
    let mut conversation = Conversation::new();
    conversation.user("Hello there, and good morning!");
    conversation
}
