//! One conversation plain and compressed: the proxy does the same with each, and the upstream can read what it gets.
//!
//! It must not know how bodies are decompressed.

use super::stage::{CODE, Report, Stage};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_long_plain_conversation_loses_its_old_turns() {
    let report = Report::named("long.json");
    let stage = Stage::set().await;
    let seen = stage.sent_twice(&report).await;
    seen.check(&[1, 2, 7, 8], &[0, report.last()]);
    seen.check_recalled(CODE);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_conversation_compressed_with_zstd_is_treated_like_the_plain_one() {
    like_the_plain_one("long.json.zstd", "zstd").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_conversation_compressed_with_gzip_is_treated_like_the_plain_one() {
    like_the_plain_one("long.json.gzip", "gzip").await;
}

async fn like_the_plain_one(name: &'static str, encoding: &'static str) {
    let report = Report::encoded(name, encoding, "long.json");
    let plain = Report::named("long.json");
    let stage = Stage::set().await;
    let seen = stage.sent_twice(&report).await;
    seen.check(&[1, 2, 7, 8], &[0, report.last()]);
    seen.check_recalled(CODE);
    let forwarded = &seen.forwarded;
    assert_eq!(forwarded.header("content-encoding"), "", "it is sent as plain JSON");
    assert_eq!(forwarded.header("content-length"), forwarded.body.len().to_string());
    stage.send(&plain).await;
    assert!(
        stage.upstream.last_request().body == forwarded.body,
        "the plain conversation is rewritten to the same bytes"
    );
}
